package status

import (
	"fmt"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/core/lb"
)

// Peer is the status of a BGPPeer.
type Peer struct {
	// Nodes that should have sessions, and how many of them have all.
	Nodes, Established int32
	Ready, Sessions    Condition
	// BFD is nil when none is configured, or the peer is Down.
	BFD *Condition
}

// Peer returns the status of a BGPPeer.
func (r *References) Peer(p *lb.Peer) Peer {
	inForce := lb.InForce(p, nil).Keeping(r.known)
	nodes := r.selectedBy(inForce.NodeSelectors)
	password, odd := r.passwordOf(p)
	status := Peer{
		Nodes: int32(len(nodes.counted)), //nolint:gosec // the number of nodes
		Ready: firstProblem(understood(p, p.Err, "its sessions stay as they are, and new ones wait"), found(r.missingProfile(p)), password, r.kept(p), r.anyNode(nodes), inUse(p.Name, nodes)),
	}
	sessions := countSessions(p.Name, nodes)
	status.Established, status.Sessions = int32(sessions.established), sessions.condition(nodes, inForce) //nolint:gosec // the number of nodes
	if odd != "" {
		status.Ready.Message = joined(status.Ready.Message, odd)
		if sessions.established < len(nodes.counted) && inForce.AdminState != v1beta1.AdminDown {
			status.Sessions.Message = joined(status.Sessions.Message, odd)
		}
	}
	if inForce.BFDProfile != "" && inForce.AdminState != v1beta1.AdminDown {
		status.BFD = countBFD(p.Name, nodes)
	}
	return status
}

// Write puts the status into an object.
func (p *Peer) Write(into *v1beta1.BGPPeer, now time.Time) {
	into.Status.ObservedGeneration = into.Generation
	into.Status.Nodes, into.Status.Established = p.Nodes, p.Established
	others := []Condition{p.Sessions}
	if p.BFD != nil {
		others = append(others, *p.BFD)
	} else {
		meta.RemoveStatusCondition(&into.Status.Conditions, v1beta1.ConditionBFDUp)
	}
	Write(&into.Status.Conditions, into.Generation, now, p.Ready, others...)
}

// SameButText reports whether an object has the right status, except for its numbers and words.
func (p *Peer) SameButText(object *v1beta1.BGPPeer) bool {
	has := object.Status.Conditions
	return object.Status.ObservedGeneration == object.Generation && p.Ready.In(has, false) && p.Sessions.In(has, false) &&
		(p.BFD == nil) == (meta.FindStatusCondition(has, v1beta1.ConditionBFDUp) == nil) && (p.BFD == nil || p.BFD.In(has, false))
}

// kept is Ready of a peer by which no node could have a session, and of which what it said before counts.
func (r *References) kept(p *lb.Peer) Condition {
	before := p.Keeping(r.known)
	if before == p {
		return valid(nil)
	}
	return notReady(NoNode, fmt.Sprintf("%s; what it said in generation %d counts until then", r.known.NoNode(p), before.Generation))
}

// missingProfile has a text if the BFDProfile that a peer names does not exist, and says what counts in its place.
func (r *References) missingProfile(p *lb.Peer) []string {
	if p.BFDProfile == "" || r.profiles[p.BFDProfile] {
		return nil
	}
	instead := "the default parameters of BFD count"
	if p.AcceptedBFD != nil {
		instead = "the parameters that it had go on"
	}
	if p.BFDStrict && !p.StrictInForce(false) {
		instead += ", and bfdStrict does not until it exists"
	}
	return []string{fmt.Sprintf("BFDProfile %s does not exist: %s", p.BFDProfile, instead)}
}

// inUse is Ready by the nodes: a speaker has taken the peer up, or there is no node yet on which one could. Sessions are not asked
// for: they depend on routers, and have a condition of their own.
func inUse(peer string, s *selected) Condition {
	for _, n := range s.counted {
		for i := range n.speaker.Status.BGP {
			if n.speaker.Status.BGP[i].Peer == peer {
				return Condition{Type: v1beta1.ConditionReady, True: true, Reason: InUse}
			}
		}
	}
	if len(s.counted)+len(s.others[without])+len(s.others[starting]) > 0 {
		return notReady(NotInUse, joined("no speaker has taken it up", s.silent(), s.text(without), s.text(starting)))
	}
	return Condition{
		Type: v1beta1.ConditionReady, True: true, Reason: Accepted, Message: joined("no node is there that could have a session", s.text(off)),
	}
}

// listed joins texts, at most as many as a message has.
func listed(texts []string) string {
	return list(len(texts), func(i int) string { return texts[i] }, "; ")
}

// joined joins the parts of a message that are not empty.
func joined(parts ...string) string {
	var some []string
	for _, part := range parts {
		if part != "" {
			some = append(some, part)
		}
	}
	return strings.Join(some, "; ")
}
