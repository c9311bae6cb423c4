package reconcile

import (
	"errors"
	"fmt"
	"time"
)

// membershipTimeout is how long a speaker is not ready because it has not met the others. After that it is: where gossip
// does not work at all, a rolling update must not stop for ever.
const membershipTimeout = 15 * time.Second

// Ready returns nil when this node can do its part: a pass has come to its end, and the other speakers have been met, so
// that they may hand over to this one. Otherwise the error says what is still missing. A rolling update waits for that
// before it goes on to the next node. Once ready, a speaker stays so.
func (l *Loop) Ready() error {
	if err := l.unready.Load(); err != nil {
		return *err
	}
	return nil
}

// Alive returns an error when a pass does not come to its end.
func (l *Loop) Alive() error { return l.progress.Stuck() }

func (l *Loop) setUnready(err error) { l.unready.Store(&err) }

// stillUnready says why, if the node is not ready.
func (l *Loop) stillUnready(err error) {
	if l.Ready() != nil {
		l.setUnready(err)
	}
}

// updateReady after a pass that began at a time.
func (l *Loop) updateReady(began time.Time, seen *snapshot) {
	switch known := seen.world.Members.Known; {
	case began.Sub(l.started) >= membershipTimeout || known && l.memory.participant.Settled() || l.exec.Gossip.Off():
		l.unready.Store(nil)
	case !known:
		l.stillUnready(fmt.Errorf("the other speakers have not been met: %s", membershipCondition(known, seen.view, nil).Message))
	default:
		l.stillUnready(errors.New("waiting for speakers that should be there"))
	}
}
