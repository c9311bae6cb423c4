package reconcile

import (
	"context"
	"time"

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
