package forecast

import (
	"net/netip"
	"slices"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/core/announce"
	"github.com/daymark-lb/daymark/internal/core/election"
	"github.com/daymark-lb/daymark/internal/core/lb"
)

// holder of an address by layer 2, at once and when the spread has been evened out; empty: none.
type holder struct{ atOnce, later string }

// elect lets the speakers decide who holds what, beginning with what they hold before. First: that is what they report.
func (o *Outcome) elect(first bool) {
	world := o.world
	world.BGPAdvertisements, world.Peers = nil, nil
	contests := announce.Compute(&world).ElectionContests()
	if first {
		o.claims = reportedClaims(o.objects.Speakers)
		o.findUnlisted(contests)
	}
	contests = slices.DeleteFunc(contests, func(c election.Contest) bool { return o.unknown[c.Addr] })
	live := make(map[string]uint64, len(world.Members.Alive))
	for _, node := range world.Members.Alive {
		live[node] = incarnation
	}
	outlook := election.Foresee(contests, live, o.claims)
	if !o.settings.EvenOut {
		outlook.Later = outlook.AtOnce
	}
	o.holders = make(map[netip.Addr]holder, len(contests))
	claims := make(election.Claims, len(contests))
	for i := range contests {
		addr := contests[i].Addr
		o.holders[addr] = holder{outlook.AtOnce[i], outlook.Later[i]}
		if outlook.AtOnce[i] != "" {
			claims.Learn(claim(addr, outlook.AtOnce[i]))
		} else if before, known := o.claims[addr]; known {
			claims.Learn(before)
		}
	}
	o.claims = claims
}

// incarnation of every speaker: none restarts, or it does not matter.
const incarnation = 1

func claim(addr netip.Addr, node string) election.Claim {
	return election.Claim{Addr: addr, Node: node, Incarnation: incarnation, Term: 1, Announced: true}
}

// reportedClaims are those that the Speaker objects name. Who stands in for the holder in its part of a segment, or answers some clients
// of an address that another node holds, has claimed nothing.
func reportedClaims(speakers []*v1beta1.Speaker) election.Claims {
	claims := election.Claims{}
	for _, speaker := range speakers {
		if lb.SpeakerGone(speaker) {
			continue
		}
		for _, held := range speaker.Status.Layer2.Held {
			holds := held.StandsInFor == "" && (held.SharedBy == speaker.Name || held.SharedBy == "" && held.Shares == 0)
			if addr, err := lb.ParseAddr(held.Address); err == nil && holds {
				claims.Learn(claim(addr, speaker.Name))
			}
		}
	}
	return claims
}

// findUnlisted finds the holders that no report names. If there is one node alone whose report has no room for all that it holds, and
// the number fits, the others are its own.
func (o *Outcome) findUnlisted(contests []election.Contest) {
	var unlisted []netip.Addr
	for i := range contests {
		if _, known := o.claims[contests[i].Addr]; !known && len(contests[i].Group.Candidates()) > 0 {
			unlisted = append(unlisted, contests[i].Addr)
		}
	}
	var nodes []string
	missing := 0
	for _, speaker := range o.objects.Speakers {
		layer2 := &speaker.Status.Layer2
		if more := int(layer2.IPv4) + int(layer2.IPv6) - len(layer2.Held); more > 0 && !lb.SpeakerGone(speaker) {
			nodes, missing = append(nodes, speaker.Name), missing+more
		}
	}
	o.unknown = map[netip.Addr]bool{}
	for _, addr := range unlisted {
		switch {
		case len(nodes) == 1 && missing == len(unlisted):
			o.claims.Learn(claim(addr, nodes[0]))
		case len(nodes) > 0:
			o.unknown[addr] = true
		}
	}
}

// withSubnets are links as reported, each with all addresses of its node: no report says which interface has which.
func withSubnets(links map[string][]lb.Link, speakers []*v1beta1.Speaker) map[string][]lb.Link {
	all := make(map[string][]lb.Link, len(links))
	for _, speaker := range speakers {
		addresses := lb.ParseNodeNetwork(speaker).Addresses
		for _, link := range links[speaker.Name] {
			link.Addresses = slices.Concat(link.Addresses, addresses)
			all[speaker.Name] = append(all[speaker.Name], link)
		}
	}
	return all
}
