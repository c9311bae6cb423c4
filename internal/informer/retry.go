package informer

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	apiwait "k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/apimachinery/pkg/watch"
	toolscache "k8s.io/client-go/tools/cache"
	ctrl "sigs.k8s.io/controller-runtime"
)

// Bounds of the wait between two requests that the API server does not answer. Client-go's informers wait up to a minute, and
// what changed while the API server was down would be announced only after that.
const (
	minRetryInterval = 250 * time.Millisecond
	maxRetryInterval = 4 * time.Second
)

// retrier makes informers that are in sync soon after the API server is back, and all at the same time: as soon as one of them
// has an answer the others ask again. It logs once for all of them why they wait.
type retrier struct {
	mu     sync.Mutex
	logged time.Time
	// answered is closed when the API server answers the next request; nil if nobody waits for that.
	answered chan struct{}
}

// logInterval is the time between two log messages about an API server that does not answer.
const logInterval = 30 * time.Second

func (r *retrier) newInformer(lw toolscache.ListerWatcher, object runtime.Object, resync time.Duration, indexers toolscache.Indexers) toolscache.SharedIndexInformer {
	switch object.(type) {
	case *corev1.Service, *discoveryv1.EndpointSlice:
		// Their values alone are kept, which Listers list: nobody asks for those of a namespace.
		indexers = toolscache.Indexers{}
	}
	from, kind := toolscache.ToListerWatcherWithContext(lw), &ofKind{}
	kind.SharedIndexInformer = toolscache.NewSharedIndexInformer(&toolscache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, options metav1.ListOptions) (runtime.Object, error) {
			return retry(ctx, r, func() (runtime.Object, error) {
				list, err := from.ListWithContext(ctx, options)
				return list, kind.learn(err)
			})
		},
		WatchFuncWithContext: func(ctx context.Context, options metav1.ListOptions) (watch.Interface, error) {
			return retry(ctx, r, func() (watch.Interface, error) {
				watcher, err := from.WatchWithContext(ctx, options)
				return watcher, kind.learn(err)
			})
		},
	}, object, resync, indexers)
	return kind
}

// ofKind is an informer that knows whether the API server has its kind.
type ofKind struct {
	toolscache.SharedIndexInformer
	missing atomic.Bool
}

// learn remembers what an answer says of the kind, and returns the answer. No answer says nothing.
func (k *ofKind) learn(answer error) error {
	if answer == nil || apierrors.IsNotFound(answer) {
		k.missing.Store(answer != nil)
	}
	return answer
}

// Missing reports whether the API server does not have the kind of an informer, as far as that has asked: its definition may have
// been deleted after the cache had synced. The API server ends the watch within minutes, and the informer asks again.
func Missing(informer any) bool {
	kind, ok := informer.(*ofKind)
	return ok && kind.missing.Load()
}

func (r *retrier) log(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if now := time.Now(); now.Sub(r.logged) >= logInterval {
		r.logged = now
		ctrl.Log.Error(err, "the API server does not answer, asking again")
	}
}

// nextAnswer is closed when the API server answers the next request of any informer.
func (r *retrier) nextAnswer() <-chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.answered == nil {
		r.answered = make(chan struct{})
	}
	return r.answered
}

// wake has all that wait ask again.
func (r *retrier) wake() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.answered != nil {
		close(r.answered)
		r.answered = nil
	}
}

// retry repeats a call until the API server answers it or ctx ends. An answer that refuses the request itself is returned: the
// informer knows what to do about it.
func retry[T any](ctx context.Context, r *retrier, call func() (T, error)) (T, error) {
	for wait := minRetryInterval; ; wait = min(2*wait, maxRetryInterval) {
		// Before the call: an answer to another one that comes meanwhile counts.
		answered := r.nextAnswer()
		result, err := call()
		if err == nil {
			r.wake()
		}
		if err == nil || ctx.Err() != nil || refusesRequest(err) {
			return result, err
		}
		r.log(err)
		select {
		case <-ctx.Done():
			return result, err
		case <-answered:
		case <-time.After(apiwait.Jitter(wait/2, 2)): // random, so that not all nodes ask at the same moment; the simulation seeds this generator
		}
	}
}

// refusesRequest reports whether an error is an answer to what was asked, which would be the same if it were asked again.
func refusesRequest(err error) bool {
	return apierrors.IsResourceExpired(err) || apierrors.IsGone(err) || apierrors.IsInvalid(err) ||
		apierrors.IsBadRequest(err) || apierrors.IsTimeout(err)
}
