package reconcile

import (
	"context"
	"time"

	"golang.org/x/time/rate"
	"k8s.io/utils/lru"

	"github.com/daymark-lb/daymark/internal/loop"
)

// The shortest times between two writes of the status of one object, whatever happens in the cluster.
const (
	// countsInterval: the counts of a pool; the conditions of a BGPPeer, which a session that flaps changes to and fro. What is wrong with
	// a pool is written at once.
	countsInterval = time.Second
	// textInterval: the counts and the words of a BGPPeer. In a large cluster some session always has another error.
	textInterval = 5 * time.Second
)

// Bounds of the writes of a Service that change its condition Announced alone, which a pod whose readiness flaps changes to and fro:
// a burst, and one more in each interval.
const (
	announcedBurst    = 6
	announcedInterval = 10 * time.Second
	// maxAnnounced bounds how many Services are remembered for that: those of the newest writes.
	maxAnnounced = 16384
)

// announcedPace paces the writes of the condition Announced, by Service.
type announcedPace struct{ limiters *lru.Cache }

func newAnnouncedPace() announcedPace { return announcedPace{lru.New(maxAnnounced)} }

func (p announcedPace) of(w *serviceWrite) *rate.Limiter {
	uid := w.service.UID
	if known, found := p.limiters.Get(uid); found {
		return known.(*rate.Limiter) //nolint:forcetypeassert // Nothing else is put there.
	}
	limiter := rate.NewLimiter(rate.Every(announcedInterval), announcedBurst)
	p.limiters.Add(uid, limiter)
	return limiter
}

// wait is how long a write is to wait; 0: not at all.
func (p announcedPace) wait(w *serviceWrite, now time.Time) time.Duration {
	if !w.onlyAnnounced {
		return 0
	}
	tokens := p.of(w).TokensAt(now)
	return time.Duration(max(0, 1-tokens) * float64(announcedInterval))
}

// wrote counts a write that is being made.
func (p announcedPace) wrote(w *serviceWrite, now time.Time) {
	if w.onlyAnnounced {
		p.of(w).AllowN(now, 1)
	}
}

// due reports whether the last write of an object is an interval ago, and has the loop run again when it will be. In a storm of
// changes another pass comes soon after that, so none is made for this alone.
func (l *Loop) due(key objectKey, interval time.Duration) bool {
	written, ok := l.written.Load(key)
	if !ok {
		return true
	}
	if wait := written.(time.Time).Add(interval).Sub(l.now()); wait > 0 {
		l.runAgain(wait + loop.MaxInterval)
		return false
	}
	return true
}

// timed has writes remember when they are made.
func (l *Loop) timed(writes []*write) {
	for _, w := range writes {
		send := w.send
		w.send = func(ctx context.Context) error {
			l.written.Store(w.key, l.now())
			return send(ctx)
		}
	}
}
