package announce

import (
	"cmp"
	"slices"
	"strings"

	"github.com/daymark-lb/daymark/internal/core/lb"
)

// Unanswering is an interface of this node that should answer for addresses of a family, and does not.
type Unanswering struct {
	Interface string
	Family    lb.Family
	// Dormant: its port waits for 802.1X. Otherwise it has no link-local IPv6 address.
	Dormant bool
}

// unanswering are those of all places, each once, in order. A node that announces nothing has none.
func (p *places) unanswering() []Unanswering {
	links, _ := p.linksOf(p.me)
	if p.me >= 0 && p.nodes[p.me].ineligible != Eligible {
		return nil
	}
	var all []Unanswering
	// order does not matter: they are sorted
	for key, here := range p.known {
		if here.uses == 0 {
			continue
		}
		for i := range key.matches.all() {
			if rule := &p.l2[i]; p.me < 0 || rule.nodes[p.me] {
				all = append(all, here.segment.unanswering(links, rule.L2Advertisement, len(here.Interfaces) == 0)...)
			}
		}
	}
	slices.SortFunc(all, func(a, b Unanswering) int {
		return cmp.Or(strings.Compare(a.Interface, b.Interface), cmp.Compare(a.Family, b.Family))
	})
	return slices.Compact(all)
}

// unanswering are those of some links that an advertisement means: that are in the subnets of the segment or that it names, or that it
// selects, if none of the node's interfaces answers there.
func (s *segment) unanswering(links []lb.Link, by *lb.L2Advertisement, none bool) (found []Unanswering) {
	for i := range links {
		link := &links[i]
		meant := slices.ContainsFunc(s.subnets, link.OnSubnet) || slices.Contains(by.Interfaces, link.Name) ||
			none && (len(by.Interfaces) > 0 || !isInternal(link.Name))
		switch {
		case !meant || !by.MatchesInterface(link.Name) || link.NoARP || link.Enslaved:
		case link.Dormant:
			found = append(found, Unanswering{link.Name, s.family, true})
		case link.Up && !link.Answers(s.family) && !slices.Contains(link.Unable, s.family):
			found = append(found, Unanswering{link.Name, s.family, false})
		}
	}
	return found
}
