package status

import (
	"cmp"
	"fmt"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/core/lb"
)

// Peer is the status of a BGPPeer.
type Peer struct {
	// Nodes that should have a session, and how many of them do.
	Nodes, Established int32
	Ready              Condition
}

// Peer returns the status of a BGPPeer. Speakers are the Speaker objects by node.
func (r *References) Peer(p *lb.Peer, speakers map[string]*v1beta1.Speaker) Peer {
	s := countSessions(p, r.objects.Nodes, speakers)
	return Peer{
		Nodes: s.nodes, Established: s.established,
		Ready: firstProblem(valid(p.Err), found(r.missingOfPeer(p)), s.condition()),
	}
}

// missingOfPeer has a text for each thing that a peer refers to and that does not exist.
func (r *References) missingOfPeer(p *lb.Peer) []string {
	var texts []string
	if p.BFDProfile != "" {
		texts = missing("BFDProfile", []string{p.BFDProfile}, func(name string) bool { return r.profiles[name] })
	}
	if p.Password == nil {
		return texts
	}
	for _, secret := range r.objects.Secrets {
		if secret.Name == p.Password.Name {
			if len(secret.Data[p.Password.Key]) == 0 {
				texts = append(texts, fmt.Sprintf("Secret %s has no key %s", p.Password.Name, p.Password.Key))
			}
			return texts
		}
	}
	return append(texts, fmt.Sprintf("Secret %s does not exist in the namespace of Daymark", p.Password.Name))
}

// sessions counts the nodes of one peer.
type sessions struct {
	nodes, established int32
	// failing nodes, and those whose session is incomplete, each with the reason.
	failing, incomplete []string
}

// countSessions counts the nodes that a peer selects, by what the speakers report. A node counts as established when all of
// its sessions with the peer are: one BGPPeer may stand for several routers.
func countSessions(p *lb.Peer, nodes []*lb.Node, speakers map[string]*v1beta1.Speaker) sessions {
	var s sessions
	for _, node := range nodes {
		if !p.NodeSelectors.Match(node.Labels) {
			continue
		}
		s.nodes++
		if why := failure(p, node, speakers[node.Name]); why != "" {
			s.failing = append(s.failing, node.Name+": "+why)
		} else {
			s.established++
		}
		if why := warning(p, speakers[node.Name]); why != "" {
			s.incomplete = append(s.incomplete, node.Name+": "+why)
		}
	}
	return s
}

// warning says what a node's established sessions with a peer lack; empty for nothing.
func warning(p *lb.Peer, speaker *v1beta1.Speaker) string {
	if speaker == nil || lb.SpeakerGone(speaker) {
		return ""
	}
	for i := range speaker.Status.BGP {
		if session := &speaker.Status.BGP[i]; session.Peer == p.Name && session.State == v1beta1.BGPEstablished && session.Warning != "" {
			return session.Warning
		}
	}
	return ""
}

// failure says why a node does not have its sessions with a peer; empty when it has.
func failure(p *lb.Peer, node *lb.Node, speaker *v1beta1.Speaker) string {
	if node.Down {
		return "the node is not ready"
	}
	if speaker == nil {
		return "no speaker has reported from there"
	}
	if lb.SpeakerGone(speaker) {
		return "its speaker is gone"
	}
	known := false
	for i := range speaker.Status.BGP {
		session := &speaker.Status.BGP[i]
		if session.Peer != p.Name {
			continue
		}
		known = true
		if session.State != v1beta1.BGPEstablished {
			return cmp.Or(session.LastError, "the session is in state "+string(session.State)) + nextTry(session)
		}
	}
	if !known {
		return "its speaker has not started a session yet"
	}
	return ""
}

// nextTry says when a node connects again, if that is not soon.
func nextTry(session *v1beta1.BGPSession) string {
	if session.NextTry.IsZero() {
		return ""
	}
	return "; next try at " + session.NextTry.UTC().Format("15:04:05 UTC")
}

// condition is Ready by the sessions.
func (s *sessions) condition() Condition {
	count := fmt.Sprintf("%d of %d nodes have a session", s.established, s.nodes)
	switch {
	case s.nodes == 0:
		return notReady(NoNode, "nodeSelectors match no node")
	case len(s.failing) > 0:
		return notReady(NotEstablished, count+"; "+list(len(s.failing), func(i int) string { return s.failing[i] }, "; "))
	case len(s.incomplete) > 0:
		return notReady(Incomplete, count+"; "+list(len(s.incomplete), func(i int) string { return s.incomplete[i] }, "; "))
	default:
		return Condition{Type: v1beta1.ConditionReady, True: true, Reason: Established, Message: count}
	}
}
