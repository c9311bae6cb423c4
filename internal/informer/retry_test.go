package informer

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/watch"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/daymark-lb/daymark/internal/bubble"
)

func TestRetry_UntilTheAPIServerAnswers(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		calls, began := 0, time.Now()
		got, err := retry(t.Context(), &retrier{}, func() (string, error) {
			calls++
			if time.Since(began) < time.Minute {
				return "", errors.New("connection refused")
			}
			return "answer", nil
		})
		if got != "answer" || err != nil {
			t.Errorf("got %q and error %v", got, err)
		}
		if late := time.Since(began) - time.Minute; late > 6*time.Second || calls > 60 {
			t.Errorf("%d calls, and the answer came %s late", calls, late)
		}
	})
}

func TestRetry_OneAnswerWakesAll(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		r, back, began := &retrier{}, time.Minute, time.Now()
		answers := make(chan time.Duration)
		for range 20 {
			go func() {
				_, _ = retry(t.Context(), r, func() (int, error) {
					if time.Since(began) < back {
						return 0, errors.New("connection refused")
					}
					return 0, nil
				})
				answers <- time.Since(began)
			}()
		}
		first := <-answers
		for range 19 {
			if next := <-answers; next != first {
				t.Errorf("one has its answer after %s, another after %s", first, next)
			}
		}
	})
}

func TestRetry_ReturnsARefusalOfTheRequest(t *testing.T) {
	expired := apierrors.NewResourceExpired("too old")
	calls := 0
	if _, err := retry(t.Context(), &retrier{}, func() (int, error) { calls++; return 0, expired }); !errors.Is(err, expired) || calls != 1 {
		t.Errorf("error %v after %d calls", err, calls)
	}
}

// When a definition is deleted, HasSynced stays true.
func TestMissing_AfterTheKindWasDeleted(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		var gone atomic.Bool
		answer := func() error {
			if gone.Load() {
				return apierrors.NewNotFound(schema.GroupResource{}, "")
			}
			return nil
		}
		watcher := make(chan *watch.FakeWatcher, 100)
		informer := (&retrier{}).newInformer(&toolscache.ListWatch{
			ListWithContextFunc: func(context.Context, metav1.ListOptions) (runtime.Object, error) {
				return &corev1.ServiceList{}, answer()
			},
			WatchFuncWithContext: func(_ context.Context, options metav1.ListOptions) (watch.Interface, error) {
				if options.SendInitialEvents != nil {
					return nil, apierrors.NewInvalid(schema.GroupKind{}, "", nil)
				}
				next := watch.NewFake()
				watcher <- next
				return next, answer()
			},
		}, &corev1.Service{}, 0, toolscache.Indexers{})
		ended := make(chan struct{})
		go func() { defer close(ended); informer.RunWithContext(ctx) }()
		first := <-watcher
		if synctest.Wait(); !informer.HasSynced() || Missing(informer) {
			t.Error("the kind is missing at the start")
		}
		gone.Store(true)
		first.Stop()
		if time.Sleep(time.Minute); !informer.HasSynced() || !Missing(informer) {
			t.Error("nobody knows that the kind is missing")
		}
		gone.Store(false)
		if time.Sleep(time.Minute); Missing(informer) {
			t.Error("the kind that is back is missing")
		}
		cancel()
		<-ended
	})
}

func TestRetry_EndsWithItsContext(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := retry(ctx, &retrier{}, func() (int, error) { return 0, errors.New("connection refused") }); err == nil {
			t.Error("no error")
		}
	})
}

// The index of namespaces takes 35 bytes of each object, and nobody asks for Services and slices by their namespace.
func TestNewInformer_HasNoIndexThatNobodyAsks(t *testing.T) {
	for _, row := range []struct {
		kind client.Object
		want int
	}{{&corev1.Service{}, 0}, {&discoveryv1.EndpointSlice{}, 0}, {&corev1.Node{}, 1}} {
		informer := (&retrier{}).newInformer(&toolscache.ListWatch{}, row.kind, 0,
			toolscache.Indexers{toolscache.NamespaceIndex: toolscache.MetaNamespaceIndexFunc})
		if has := len(informer.GetIndexer().GetIndexers()); has != row.want {
			t.Errorf("the cache of %T has %d indexes, want %d", row.kind, has, row.want)
		}
	}
}
