package reconcile

import (
	"time"

	"github.com/daymark-lb/daymark/internal/core/lb"
)

// allObserve is up to how many speakers each one's Speaker object counts the others and names those that are missing. In larger clusters
// those of the monitors do: else a node that joins or crashes would be a write of each.
const allObserve = 8

// tellsOfOthers reports whether this speaker's object counts the others and names those that are missing: it is observing, in a cluster so
// small that all do, or sees so little that it says something of itself. Less than half are never more than half of all that write it, and
// who can connect to nobody is behind a firewall of its own.
func (l *Loop) tellsOfOthers(seen *snapshot, observing bool) bool {
	return observing || len(seen.speakers) <= allObserve || !seen.view.Known || seen.view.CannotConnect || 2*len(seen.view.Alive) < len(seen.expected(l.cfg.Node))+1
}

// observe tells the Renewer what has been seen of the others, and reports whether this speaker is a monitor.
func (l *Loop) observe(seen *snapshot) bool {
	m, now := &l.memory, time.Now()
	if seen.own != nil && lb.SpeakerGone(seen.own) {
		m.monitor.Accuse(now)
	}
	known := seen.world.Members.Known || l.exec.Gossip.Off() || now.Sub(l.started) >= membershipTimeout
	observing := known && l.monitors(seen, now)
	missing := m.absence.Missing(now, seen.expected(l.cfg.Node), seen.view.Alive)
	if !seen.view.Known {
		missing = nil
	}
	l.renewer.Set(Observation{
		Observing: observing, Alone: len(seen.view.Alive) <= 1, Missing: missing, Owner: seen.node(l.cfg.Node),
	})
	return observing
}

// monitors reports whether this speaker is one of those that speak for all.
func (l *Loop) monitors(seen *snapshot, now time.Time) bool {
	return l.memory.monitor.Is(now, l.cfg.Node, seen.view.Alive, func(node string) bool {
		_, keeps := seen.published[node]
		return keeps && seen.view.Peers[node].Version != 1 // One that was put back to version 1 has an EndpointSlice still.
	})
}
