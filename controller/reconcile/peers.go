package reconcile

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/core/lb"
)

// reportPeers writes which nodes have a session with each peer, and why the others have none.
func (l *Loop) reportPeers(ctx context.Context, s *snapshot, d *directory) error {
	speakers := make(map[string]*v1beta1.Speaker, len(s.Speakers))
	for _, speaker := range s.Speakers {
		speakers[speaker.Name] = speaker
	}
	errs := make([]error, len(s.ParsedPeers))
	for i, o := range s.ParsedPeers {
		sessions := countSessions(o.Value, s.Nodes, speakers)
		errs[i] = put(ctx, l, "BGPPeer", o.Object, func(want *v1beta1.BGPPeer) {
			want.Status.ObservedGeneration = want.Generation
			want.Status.Nodes, want.Status.Established = sessions.nodes, sessions.established
			l.set(&want.Status.Conditions, want, v1beta1.ConditionReady, first(valid(o.Value.Err), named(d.missingOf(o.Value)), sessions.verdict()))
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
	// failing nodes, and those whose session lacks something, each with the reason in words.
	failing, lacking []string
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
		if what := lack(p, speakers[node.Name]); what != "" {
			s.lacking = append(s.lacking, node.Name+": "+what)
		}
	}
	return s
}

// lack says what a node's sessions with a peer lack though they are up; empty when they lack nothing.
func lack(p *lb.Peer, speaker *v1beta1.Speaker) string {
	if speaker == nil {
		return ""
	}
	for i := range speaker.Status.BGP {
		if session := &speaker.Status.BGP[i]; session.Peer == p.Name && session.State == v1beta1.BGPEstablished && session.Warning != "" {
			return session.Warning
		}
	}
	return ""
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
func (s *sessions) verdict() verdict {
	count := fmt.Sprintf("%d of %d nodes have a session", s.established, s.nodes)
	switch {
	case s.nodes == 0:
		return verdict{false, "NoNode", "nodeSelectors match no node"}
	case len(s.failing) > 0:
		return verdict{false, "NotEstablished", count + "; " + most(s.failing)}
	case len(s.lacking) > 0:
		return verdict{false, "Incomplete", count + "; " + most(s.lacking)}
	default:
		return verdict{true, "Established", count}
	}
}

// most joins texts, as many as a person would read.
func most(texts []string) string {
	const most = 10
	if len(texts) > most {
		texts = append(texts[:most:most], fmt.Sprintf("and %d more", len(texts)-most))
	}
	return strings.Join(texts, "; ")
}
