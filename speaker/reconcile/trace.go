package reconcile

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/daymark-lb/daymark/internal/core/announce"
	"github.com/daymark-lb/daymark/internal/core/lb"
	"github.com/daymark-lb/daymark/speaker/trace"
)

// tellTracers says what this pass has decided about the addresses that somebody traces, and has their requests heard.
func (l *Loop) tellTracers(seen *snapshot, d *desired) {
	wanted := l.exec.Tracer.Wanted()
	var interfaces []string
	for i := range seen.relevant {
		if len(wanted) > 0 {
			interfaces = append(interfaces, seen.relevant[i].Name)
		}
	}
	l.exec.Layer2.Listen(wanted, interfaces)
	l.exec.Tracer.Tell(l.standings(wanted, seen, d))
}

func (l *Loop) standings(wanted []netip.Addr, seen *snapshot, d *desired) map[netip.Addr]trace.Standing {
	standings := make(map[netip.Addr]trace.Standing, len(wanted))
	if len(wanted) == 0 {
		return standings
	}
	asked := announce.NewExplainer(&seen.world)
	for _, addr := range wanted {
		standings[addr] = l.standing(addr, asked, seen, d)
	}
	return standings
}

func (l *Loop) standing(addr netip.Addr, asked *announce.Explainer, seen *snapshot, d *desired) (s trace.Standing) {
	s.Holds = slices.ContainsFunc(d.layer2, func(a announce.Layer2Address) bool { return a.Addr == addr })
	of := slices.IndexFunc(seen.world.Services, func(s *lb.Service) bool { return slices.Contains(s.Ingress, addr) })
	switch {
	case of < 0 && s.Holds:
		s.Layer2 = "this node holds it"
	case of < 0:
		s.Layer2 = "no Service has it"
	default:
		answers := asked.Answer(seen.world.Services[of], addr, map[string]bool{l.cfg.Node: true})
		s.Layer2 = l.layer2Standing(addr, s.Holds, &answers, seen)
		s.BGP, s.BFD = bgpStanding(addr, &answers, d)
	}
	return s
}

// layer2Standing says that this node holds an address, or who does, or what stands against this node.
func (l *Loop) layer2Standing(addr netip.Addr, holds bool, answers *announce.Answers, seen *snapshot) string {
	against := announce.Eligible
	byLayer2 := false
	for i := range answers.Nodes { // this one alone
		against, byLayer2 = answers.Nodes[i].Layer2, answers.Nodes[i].ByLayer2
	}
	claim, claimed := seen.view.Claims[addr]
	switch {
	case holds:
		return "this node holds it"
	case answers.Message != "":
		return answers.Message
	case !byLayer2:
		return "no L2Advertisement announces it"
	case !seen.world.Members.Known:
		return "the other speakers are not known yet"
	case claimed && claim.Node != l.cfg.Node && seen.live[claim.Node] == claim.Incarnation && claim.Node != "":
		return claim.Node + " holds it"
	case against != announce.Eligible:
		return "this node may not hold it: " + against.String()
	case claimed && claim.Node != "":
		return claim.Node + " held it last, and this node does not answer yet"
	}
	return "no node holds it yet"
}

// bgpStanding says to which routers an address is announced by this node, and which BFD sessions watch those.
func bgpStanding(addr netip.Addr, answers *announce.Answers, d *desired) (texts, watching []string) {
	var carrying []string
	told := map[string]bool{}
	for i := range d.sessions {
		s := &d.sessions[i]
		if at := slices.IndexFunc(s.Paths, func(p announce.Path) bool { return p.Prefix.Contains(addr) }); at >= 0 {
			texts = append(texts, fmt.Sprintf("%s is to be announced to %s", s.Paths[at].Prefix, s.Name))
			carrying, told[s.Peer] = append(carrying, s.Name), true
		}
	}
	for i := range answers.Nodes {
		for _, peer := range answers.Nodes[i].Peers {
			if !told[peer.Peer] && peer.Reason != announce.Eligible {
				texts = append(texts, fmt.Sprintf("not announced to %s: of this node: %s", peer.Peer, peer.Reason))
			}
		}
	}
	for _, session := range d.bfd.Sessions {
		if slices.ContainsFunc(d.bfd.Sharing(session.Name), func(name string) bool { return slices.Contains(carrying, name) }) {
			watching = append(watching, session.Name)
		}
	}
	return texts, watching
}
