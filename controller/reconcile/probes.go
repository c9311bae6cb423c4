package reconcile

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/daymark-lb/daymark/internal/informer"
)

// passTimeout is how long a leader may be without a pass that came to its end, since it leads or since passes fail.
const passTimeout = 30 * time.Second

// stuckAfter is how long a pass may run. The longest, over 100,000 Services, takes about a second, and a request to an API server that is
// cut off 45 s until HTTP/2 gives the connection up.
const stuckAfter = 2 * time.Minute

// Alive returns an error when a pass does not come to its end.
func (l *Loop) Alive() error { return l.progress.Stuck(stuckAfter) }

// Ready returns nil when this process can do its part: its caches have synced, so that it can take over, and if it leads, a
// pass has come to its end in time. Otherwise the error says what is missing.
func (l *Loop) Ready() error {
	if missing := l.unsynced(); len(missing) > 0 {
		return fmt.Errorf("the API server has not listed %s: the kinds may not be installed (config/crd), or this program may not read them",
			strings.Join(missing, ", "))
	}
	if leads, since := l.leads(); !leads || time.Since(since) < passTimeout {
		return nil
	}
	switch ended, err := l.progress.Last(); {
	case err != nil && time.Since(ended) > passTimeout:
		return fmt.Errorf("this controller leads, and its passes fail: %w", err)
	case !l.passed.Load():
		return errors.New("this controller leads, and no pass has come to its end: it waits for its cache, or is overloaded")
	}
	return nil
}

// leads reports whether this process leads, and since when.
func (l *Loop) leads() (leads bool, since time.Time) {
	if l.leader == nil {
		return true, l.started
	}
	return l.leader.Leads()
}

// unsynced are the kinds that the loop reads and that the API server has not listed yet, or does not have any more.
func (l *Loop) unsynced() (kinds []string) {
	for _, object := range l.kinds {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		cached, err := l.informers.GetInformer(ctx, object, cache.BlockUntilSynced(false))
		cancel()
		if err != nil || !cached.HasSynced() || informer.Missing(cached) {
			kinds = append(kinds, kindOf(object))
		}
	}
	return kinds
}

func kindOf(object client.Object) string { return reflect.TypeOf(object).Elem().Name() }
