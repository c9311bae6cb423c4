package status

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/core/lb"
	"github.com/daymark-lb/daymark/internal/core/reason"
)

// nodeCount counts the nodes of a peer on which something is as it should be.
type nodeCount struct {
	established int
	// failing nodes, and those on which something that was configured is lacking, each with the reason.
	failing, incomplete []string
}

// countSessions counts the nodes by what their speakers report. A node counts as established when all of its sessions with the peer
// are: one BGPPeer may stand for several routers.
func countSessions(peer string, s *selected) *nodeCount {
	c := &nodeCount{}
	for _, n := range s.counted {
		sessions := n.sessions(peer)
		if why := n.failure(sessions, down); why != "" {
			c.failing = append(c.failing, n.Name+": "+why)
		} else {
			c.established++
		}
		if why := warning(sessions); why != "" {
			c.incomplete = append(c.incomplete, n.Name+": "+why)
		}
	}
	return c
}

// countBFD is BFDUp of a peer that asks for BFD.
func countBFD(peer string, s *selected) *Condition {
	c := &nodeCount{}
	for _, n := range s.counted {
		if why := n.failure(n.sessions(peer), unwatched); why != "" {
			c.failing = append(c.failing, n.Name+": "+why)
		} else {
			c.established++
		}
	}
	condition := c.of(v1beta1.ConditionBFDUp, s, "BFD is up on %d of %d nodes", BFDUp, BFDDown)
	return &condition
}

// sessions that a speaker reports with a peer. What one says that is gone, or whose node is down, is old.
func (n *nodeStanding) sessions(peer string) []*v1beta1.BGPSession {
	var list []*v1beta1.BGPSession
	if n.absent() != "" {
		return nil
	}
	for i := range n.speaker.Status.BGP {
		if session := &n.speaker.Status.BGP[i]; session.Peer == peer {
			list = append(list, session)
		}
	}
	return list
}

// failure says what is wrong with the sessions of a node, empty for nothing; problem says it of one of them.
func (n *nodeStanding) failure(sessions []*v1beta1.BGPSession, problem func(*v1beta1.BGPSession) string) string {
	if len(sessions) == 0 {
		return cmp.Or(n.absent(), "its speaker has not started a session yet")
	}
	var failing []string
	for _, session := range sessions {
		why := problem(session)
		if why != "" && len(sessions) > 1 && session.Address != "" && !strings.Contains(why, session.Address) {
			why = session.Address + ": " + why
		}
		if why != "" {
			failing = append(failing, why)
		}
	}
	if len(failing) == 0 || len(sessions) == 1 {
		return strings.Join(failing, "")
	}
	return fmt.Sprintf("%d of %d sessions, %s", len(sessions)-len(failing), len(sessions),
		list(len(failing), func(i int) string { return failing[i] }, ", "))
}

// down says why a session is not established, and when the node connects again, if that is not soon.
func down(session *v1beta1.BGPSession) string {
	if session.State == v1beta1.BGPEstablished {
		return ""
	}
	why := cmp.Or(session.LastError, "the session is in state "+string(session.State))
	if session.NextTry.IsZero() {
		return why
	}
	return why + ", next try at " + session.NextTry.UTC().Format("15:04:05 UTC")
}

// unwatched says why BFD does not watch a session.
func unwatched(session *v1beta1.BGPSession) string {
	if strings.HasPrefix(session.BFD, "Up") {
		return ""
	}
	return cmp.Or(session.BFD, "it has no BFD session yet")
}

// warning says what a node's established sessions lack; empty for nothing.
func warning(sessions []*v1beta1.BGPSession) string {
	for _, session := range sessions {
		if session.State == v1beta1.BGPEstablished && session.Warning != "" {
			return session.Warning
		}
	}
	return ""
}

// condition is SessionsEstablished of a peer.
func (c *nodeCount) condition(s *selected, p *lb.Peer) Condition {
	if p.AdminState == v1beta1.AdminDown {
		text := fmt.Sprintf("adminState is Down: %d of %d nodes have their sessions", c.established, len(s.counted))
		return Condition{Type: v1beta1.ConditionSessionsEstablished, Reason: AdministrativelyDown, Message: text}
	}
	condition := c.of(v1beta1.ConditionSessionsEstablished, s, "%d of %d nodes have their sessions", Established, NotEstablished)
	if condition.True && len(c.incomplete) > 0 {
		condition.True, condition.Reason = false, Incomplete
		condition.Message = joined(condition.Message, listed(c.incomplete))
	}
	if p.AdminState == v1beta1.AdminMaintenance {
		condition.Message = joined("adminState is Maintenance: nothing is announced", condition.Message)
		if condition.True {
			condition.Reason = InMaintenance
		}
	}
	return condition
}

// of makes a condition of a count; the text has two numbers. Nodes on which a speaker could run and never has are said, and change
// nothing: the speakers may be meant for other nodes.
func (c *nodeCount) of(kind string, s *selected, text string, good, bad reason.Reason) Condition {
	condition := Condition{Type: kind, True: len(c.failing) == 0, Reason: good}
	if len(c.failing) > 0 {
		condition.Reason = bad
	}
	if len(s.counted) == 0 {
		condition.True, condition.Unknown, condition.Reason = false, true, NoSpeaker
	}
	condition.Message = joined(fmt.Sprintf(text, c.established, len(s.counted)), listed(c.failing), s.text(without), s.text(off))
	return condition
}
