package view

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	toolscache "k8s.io/client-go/tools/cache"
	ctrl "sigs.k8s.io/controller-runtime"
)

// How long to wait before the API server is asked again after it could not be. Client-go's informers wait ever longer, up
// to a minute, and what changed while the API server was away would be announced only then.
const (
	firstWait = 250 * time.Millisecond
	mostWait  = 4 * time.Second
)

// patience makes informers that are back soon after the API server is, and says once for all of them why they wait.
type patience struct {
	mu   sync.Mutex
	said time.Time
}

// saidAgainAfter is how often it is said that the API server does not answer.
const saidAgainAfter = 30 * time.Second

func (p *patience) newInformer(lw toolscache.ListerWatcher, object runtime.Object, resync time.Duration, indexers toolscache.Indexers) toolscache.SharedIndexInformer {
	from := toolscache.ToListerWatcherWithContext(lw)
	return toolscache.NewSharedIndexInformer(&toolscache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, options metav1.ListOptions) (runtime.Object, error) {
			return repeat(ctx, p.tell, func() (runtime.Object, error) { return from.ListWithContext(ctx, options) })
		},
		WatchFuncWithContext: func(ctx context.Context, options metav1.ListOptions) (watch.Interface, error) {
			return repeat(ctx, p.tell, func() (watch.Interface, error) { return from.WatchWithContext(ctx, options) })
		},
	}, object, resync, indexers)
}

func (p *patience) tell(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if now := time.Now(); now.Sub(p.said) >= saidAgainAfter {
		p.said = now
		ctrl.Log.Error(err, "the API server does not answer, asking again")
	}
}

// repeat a call until the API server answers it, or refuses it for what it asks: the informer knows what to do about that.
func repeat[T any](ctx context.Context, tell func(error), call func() (T, error)) (T, error) {
	for wait := firstWait; ; wait = min(2*wait, mostWait) {
		result, err := call()
		if err == nil || ctx.Err() != nil || isAboutTheRequest(err) {
			return result, err
		}
		tell(err)
		select {
		case <-ctx.Done():
			return result, err
		case <-time.After(wait/2 + rand.N(wait)): //nolint:gosec // not all nodes at the same moment
		}
	}
}

func isAboutTheRequest(err error) bool {
	return apierrors.IsResourceExpired(err) || apierrors.IsGone(err) || apierrors.IsInvalid(err) ||
		apierrors.IsBadRequest(err) || apierrors.IsTimeout(err)
}
