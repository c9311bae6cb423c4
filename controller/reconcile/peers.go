package reconcile

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/lb"
)

// reportPeers writes which nodes have a session with each peer, and why the others have none.
func (l *Loop) reportPeers(ctx context.Context, s *sight, d *directory) error {
	speakers := make(map[string]*v1beta1.Speaker, len(s.speakers))
	for _, speaker := range s.speakers {
		speakers[speaker.Name] = speaker
	}
	errs := make([]error, len(s.peers))
	for i, o := range s.peers {
		sessions := countSessions(o.value, s.nodes, speakers)
		errs[i] = put(ctx, l, "BGPPeer", o.object, func(want *v1beta1.BGPPeer) {
			want.Status.ObservedGeneration = want.Generation
			want.Status.Nodes, want.Status.Established = sessions.nodes, sessions.established
			l.set(&want.Status.Conditions, want, v1beta1.ConditionReady, first(valid(o.value.Err), named(d.missingOf(o.value)), sessions.verdict(o.value)))
		})
	}
	return errors.Join(errs...)
}

// missingOf lists in words what a peer refers to and is not there.
func (d *directory) missingOf(p *lb.Peer) []string {
	var texts []string
	if p.BFDProfile != "" {
		texts = d.profiles.missing("BFDProfile", []string{p.BFDProfile})
	}
	if p.Password != nil {
		secret := d.secrets[p.Password.Name]
		switch {
		case secret == nil:
			texts = append(texts, fmt.Sprintf("Secret %s does not exist in the namespace of Daymark", p.Password.Name))
		case len(secret.Data[p.Password.Key]) == 0:
			texts = append(texts, fmt.Sprintf("Secret %s has no key %s", p.Password.Name, p.Password.Key))
		}
	}
	return texts
}

// sessions of one peer.
type sessions struct {
	// nodes that should have a session, and how many of them do.
	nodes, established int32
	// failing nodes, each with the reason in words.
	failing []string
}

// countSessions looks what the speakers say of a peer. A node has its session when all it has with the peer are up: one
// BGPPeer may stand for several routers.
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
	}
	return s
}

// failure says why a node has no session with a peer; empty when it has.
func failure(p *lb.Peer, node *lb.Node, speaker *v1beta1.Speaker) string {
	if node.Down {
		return "the node is not ready"
	}
	if speaker == nil {
		return "no speaker has reported from there"
	}
	known := false
	for i := range speaker.Status.BGP {
		session := &speaker.Status.BGP[i]
		if session.Peer != p.Name {
			continue
		}
		known = true
		if session.State != v1beta1.BGPEstablished {
			return cmp.Or(session.LastError, "the session is in state "+string(session.State))
		}
	}
	if !known {
		return "its speaker has not started a session yet"
	}
	return ""
}

// verdict on the sessions, naming the nodes that fail.
func (s *sessions) verdict(p *lb.Peer) verdict {
	const most = 10
	count := fmt.Sprintf("%d of %d nodes have a session", s.established, s.nodes)
	if p.BFDProfile != "" {
		count += ", without BFD: this version does not serve bfdProfile"
	}
	switch {
	case s.nodes == 0:
		return verdict{false, "NoNode", "nodeSelectors match no node"}
	case len(s.failing) == 0:
		return verdict{true, "Established", count}
	}
	texts := s.failing
	if len(texts) > most {
		texts = append(texts[:most:most], fmt.Sprintf("and %d more", len(s.failing)-most))
	}
	return verdict{false, "NotEstablished", count + "; " + strings.Join(texts, "; ")}
}
