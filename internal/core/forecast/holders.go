package forecast

import (
	"net/netip"
	"slices"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/core/announce"
	"github.com/daymark-lb/daymark/internal/core/election"
	"github.com/daymark-lb/daymark/internal/core/lb"
	"github.com/daymark-lb/daymark/internal/core/shares"
)

// holder of an address by layer 2, at once and when the spread has been evened out; empty: none. Tables are those of the clients of a
// shared address.
type holder struct {
	atOnce, later     string
	table, laterTable shares.Table
}

func (h holder) at(later bool) string {
	if later {
		return h.later
	}
	return h.atOnce
}

// answering is how many shares of the clients each node answers.
func (h holder) answering(later bool) map[string]int {
	table := h.table
	if later {
		table = h.laterTable
	}
	nodes := map[string]int{}
	for _, node := range table.Servers() {
		nodes[node] = table.Of(node).Len()
	}
	if node := h.at(later); node != "" && !table.Shared() {
		nodes[node] = shares.Count
	}
	return nodes
}

// elect lets the speakers decide who holds what, beginning with what they hold before. First: that is what they report. If some are cut
// off, it is decided once more as if these took nothing over.
func (o *Outcome) elect(first bool) {
	world := o.world
	world.BGPAdvertisements, world.Peers = nil, nil
	contests := announce.Compute(&world).ElectionContests()
	if first {
		o.claims, o.guessed = reportedClaims(o.objects.Speakers)
		o.cuts = reportedCuts(&o.world, o.objects.Speakers)
		o.findUnlisted(contests)
		o.others.claims = o.claims
	}
	contests = slices.DeleteFunc(contests, func(c election.Contest) bool { return o.unknown[c.Addr] })
	o.held = o.decide(contests, world.Members.Alive, o.settings.EvenOut)
	if len(o.cuts.off) > 0 {
		o.others = o.others.without(o.cuts.off, contests, world.Members.Alive, o.settings.EvenOut)
	}
}

// held is who holds what, and by which claims.
type held struct {
	claims  election.Claims
	holders map[netip.Addr]holder
}

// decide is who holds some contests when all nodes that are alive have decided.
func (h held) decide(contests []election.Contest, alive []string, evenOut bool) held {
	live := make(map[string]uint64, len(alive))
	for _, node := range alive {
		live[node] = incarnation
	}
	outlook := election.Foresee(contests, live, h.claims)
	if !evenOut {
		outlook.Later = outlook.AtOnce
	}
	next := held{make(election.Claims, len(contests)), make(map[netip.Addr]holder, len(contests))}
	for i := range contests {
		addr := contests[i].Addr
		next.holders[addr] = holder{outlook.AtOnce[i], outlook.Later[i], outlook.Tables[i], outlook.LaterTables[i]}
		if outlook.AtOnce[i] != "" {
			next.claims.Learn(claim(addr, outlook.AtOnce[i], outlook.Tables[i]))
		} else if before, known := h.claims[addr]; known {
			before.Announced, before.Shares = false, shares.Table{} // This lapses while nobody may answer.
			next.claims.Learn(before)
		}
	}
	return next
}

// incarnation of every speaker: none restarts, or it does not matter.
const incarnation = 1

func claim(addr netip.Addr, node string, table shares.Table) election.Claim {
	return election.Claim{Addr: addr, Node: node, Incarnation: incarnation, Term: 1, Announced: true, Shares: table}
}

// reportedClaims are those that the Speaker objects name. Who stands in for the holder in its part of a segment, or answers some clients
// of an address that another node holds, has claimed nothing.
func reportedClaims(speakers []*v1beta1.Speaker) (claims election.Claims, guessed map[netip.Addr]bool) {
	claims = election.Claims{}
	tables, guessed := reportedTables(speakers)
	for _, speaker := range speakers {
		if lb.SpeakerGone(speaker) {
			continue
		}
		for _, held := range speaker.Status.Layer2.Held {
			holds := held.StandsInFor == "" && (held.SharedBy == speaker.Name || held.SharedBy == "" && held.Shares == 0)
			if addr, err := lb.ParseAddr(held.Address); err == nil && holds {
				claims.Learn(claim(addr, speaker.Name, tables[addr]))
			}
		}
	}
	return claims, guessed
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
			o.claims.Learn(claim(addr, nodes[0], shares.Table{}))
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
