package status

import (
	"time"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/core/lb"
)

const (
	// startGrace is how long a node that has become ready may be without a speaker before that is said: its Pods are being started.
	startGrace = 5 * time.Minute
	// offGrace is how long a node that is not ready counts all the same. One that is off for longer is off on purpose, or is
	// somebody's concern already; a condition that is False for its sake for ever would hide what comes after.
	offGrace = 10 * time.Minute
)

// standing is whether a node counts among those that should have a session, by facts alone: which nodes the speakers' DaemonSet is
// meant for is not known here.
type standing uint8

const (
	// counted: it has a Speaker object, so a speaker has run there. That includes one that is gone.
	counted standing = iota
	// without: it is ready, no speaker has ever run there, and there was time for one to start.
	without
	// starting: as without, and a speaker may be on its way.
	starting
	// off: it is not ready, and has been so for long or has never had a speaker.
	off
	// unable: no speaker can run there.
	unable
)

// nodeStanding is a node with its standing, and what its speaker says; nil for none.
type nodeStanding struct {
	*lb.Node
	standing standing
	speaker  *v1beta1.Speaker
}

// standings are those of all nodes, in their order, and when the next of them changes by the time alone; zero for never.
func standings(nodes []*lb.Node, speakers []*v1beta1.Speaker, now time.Time) (all []nodeStanding, next time.Time) {
	byNode := make(map[string]*v1beta1.Speaker, len(speakers))
	for _, speaker := range speakers {
		byNode[speaker.Name] = speaker
	}
	for _, node := range nodes {
		n := nodeStanding{Node: node, speaker: byNode[node.Name]}
		var until time.Time
		n.standing, until = standingOf(node, n.speaker != nil, now)
		if !until.IsZero() && (next.IsZero() || until.Before(next)) {
			next = until
		}
		all = append(all, n)
	}
	return all, next
}

// standingOf a node with or without a Speaker object, and until when it has it; zero if the time does not change it.
func standingOf(n *lb.Node, speaker bool, now time.Time) (is standing, until time.Time) {
	ready := !n.Down && !n.ReadyChanged.IsZero()
	started, expired := n.ReadyChanged.Add(startGrace), n.ReadyChanged.Add(offGrace)
	switch {
	case speaker && n.Down && !now.Before(expired):
		return off, time.Time{}
	case speaker && n.Down:
		return counted, expired
	case speaker:
		return counted, time.Time{}
	case n.NoSpeaker() != "":
		return unable, time.Time{}
	case !ready:
		return off, time.Time{}
	case now.Before(started):
		return starting, started
	default:
		return without, time.Time{}
	}
}
