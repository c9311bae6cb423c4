package reconcile

import (
	"cmp"
	"errors"
	"fmt"
	"time"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/core/announce"
	"github.com/daymark-lb/daymark/internal/progress"
	"github.com/daymark-lb/daymark/speaker/bgp"
)

// membershipTimeout is how long a speaker is not ready because it has not met the others. After that it is: where gossip
// does not work at all, a rolling update must not stop for ever.
const membershipTimeout = 15 * time.Second

// sessionsTimeout is how long after its start a speaker is not ready because routers have not been told its routes. A router may be
// away for long, and a rolling update must go on.
const sessionsTimeout = 30 * time.Second

// Ready returns nil when this node can do its part: a pass has come to its end, the other speakers have been met, so that they
// may hand over to this one, and the routers that the process before had sessions with have been told all routes. Otherwise the error
// says what is still missing. A rolling update waits for that before it goes on to the next node. Once ready, a speaker stays so.
func (l *Loop) Ready() error {
	if err := l.unready.Load(); err != nil {
		return *err
	}
	return nil
}

// Alive returns an error when a pass, or a step of layer 2, does not come to its end: then only a restart helps.
func (l *Loop) Alive() error {
	if err := l.progress.Stuck(progress.StuckAfter); err != nil {
		return err
	}
	return l.exec.Layer2.Alive()
}

func (l *Loop) setUnready(err error) { l.unready.Store(&err) }

// stillUnready says why, if the node is not ready.
func (l *Loop) stillUnready(err error) {
	if l.Ready() != nil {
		l.setUnready(err)
	}
}

// updateReady after a pass that began at a time.
func (l *Loop) updateReady(began time.Time, seen *snapshot, sessions []announce.Session) {
	if l.memory.before == nil {
		l.memory.before = establishedBefore(seen.own)
	}
	since := began.Sub(l.started)
	missing := l.missingMembers(since, seen)
	if missing == nil && since < sessionsTimeout {
		missing = missingSession(sessions, l.exec.BGP.Status(), l.memory.before)
	}
	if missing == nil {
		l.unready.Store(nil)
		return
	}
	l.stillUnready(missing)
}

// missingMembers says which other speakers have not been met, some time after the start; nil when none is waited for.
func (l *Loop) missingMembers(since time.Duration, seen *snapshot) error {
	switch known := seen.world.Members.Known; {
	case since >= membershipTimeout || l.exec.Gossip.Off():
		return nil
	case known && l.memory.participant.Settled():
		if node := l.unheard(since, seen); node != "" {
			return fmt.Errorf("waiting for what the speaker of %s says", node)
		}
		return nil
	case !known:
		return fmt.Errorf("the other speakers have not been met: %s", membershipCondition(known, seen.view, nil).Message)
	}
	return errors.New("waiting for speakers that should be there")
}

// established are the sessions that a process had, by the name of the BGPPeer and the address of the router. With an empty address
// there is one of the BGPPeer's, whichever.
type established map[[2]string]bool

// establishedBefore are the sessions of the process before this one, by what it last wrote into the Speaker object; nil: there is none.
func establishedBefore(own *v1beta1.Speaker) established {
	before := established{}
	if own == nil {
		return before
	}
	for i := range own.Status.BGP {
		if s := &own.Status.BGP[i]; s.State == v1beta1.BGPEstablished {
			before[[2]string{s.Peer, s.Address}], before[[2]string{s.Peer, ""}] = true, true
		}
	}
	return before
}

// had reports whether a session was among them.
func (e established) had(s *announce.Session) bool {
	address := ""
	if s.Address.IsValid() {
		address = s.Address.String()
	}
	return e[[2]string{s.Peer, address}]
}

// missingSession says which of the desired sessions the router has not been told all over; nil when none is waited for. Waited for are
// those that there were before: a router that was away then is no reason to hold up a roll-out. Not waited for are those that cannot be
// or are not to be started, and those that the router does not want.
func missingSession(desired []announce.Session, sessions []bgp.Status, before established) error {
	found := make(map[string]*bgp.Status, len(sessions))
	for i := range sessions {
		found[sessions[i].Name] = &sessions[i]
	}
	for i := range desired {
		switch s := found[desired[i].Name]; {
		case desired[i].Problem != "", desired[i].Down(), !before.had(&desired[i]):
		case s == nil:
			return fmt.Errorf("BGP session %s has not been started", desired[i].Name)
		case s.State == v1beta1.BGPEstablished && !s.Behind, s.Rejected:
		case s.State == v1beta1.BGPEstablished:
			return fmt.Errorf("the router of BGP session %s has not been sent all routes", s.Name)
		default:
			return fmt.Errorf("BGP session %s is not established: %s", s.Name, cmp.Or(s.LastError, "state "+string(s.State)))
		}
	}
	return nil
}
