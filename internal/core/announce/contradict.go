package announce

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"

	"github.com/daymark-lb/daymark/internal/core/lb"
)

// Contradictions says in words, by the name of the BGPAdvertisement, which single-valued attributes are not used because
// an older advertisement sets another value for the same prefix and the same peer.
func (e *Explainer) Contradictions(services []*lb.Service) map[string]string {
	r := e.rules
	if len(r.bgp) < 2 {
		return nil
	}
	found := map[string]string{}
	for _, together := range slices.Sorted(maps.Keys(r.together(services))) {
		places := slices.Collect(together.all())
		for i, younger := range places {
			for _, older := range places[:i] {
				text := contradiction(&r.bgp[older], &r.bgp[younger])
				if name := r.bgp[younger].Name; text != "" && found[name] == "" {
					found[name] = text
				}
			}
		}
	}
	return found
}

// together are the sets of advertisements that announce a prefix in common.
func (r *rules) together(services []*lb.Service) map[set]bool {
	prefixes := map[netip.Prefix]set{}
	for _, s := range services {
		for _, addr := range s.Ingress {
			for place := range r.bgpMatches(r.address(s, addr)).all() {
				if prefix, err := addr.Prefix(r.bgp[place].Length(lb.FamilyOf(addr))); err == nil {
					prefixes[prefix] = prefixes[prefix].with(place)
				}
			}
		}
	}
	sets := map[set]bool{}
	for _, advertisements := range prefixes {
		sets[advertisements] = true
	}
	return sets
}

// contradiction says which attributes of the younger of two advertisements the older one overrules; "" when none, or when
// no router hears of both from one node.
func contradiction(older, younger *bgpRule) string {
	if !older.shares(younger) {
		return ""
	}
	switch {
	case differ(older.LocalPref, younger.LocalPref):
		return overruled("localPref", *younger.LocalPref, older.Name, *older.LocalPref)
	case differ(older.MED, younger.MED):
		return overruled("med", *younger.MED, older.Name, *older.MED)
	case older.Prepend != 0 && younger.Prepend != 0 && older.Prepend != younger.Prepend:
		return overruled("asPathPrepend", younger.Prepend, older.Name, older.Prepend)
	default:
		return ""
	}
}

// shares reports whether two advertisements have a node and a peer in common.
func (b *bgpRule) shares(other *bgpRule) bool {
	peers := len(b.Peers) == 0 || len(other.Peers) == 0 || slices.ContainsFunc(b.Peers, other.MatchesPeer)
	for place := range b.selected {
		if peers && b.selected[place] && other.selected[place] {
			return true
		}
	}
	return false
}

func differ(a, b *uint32) bool { return a != nil && b != nil && *a != *b }

func overruled(attribute string, mine any, older string, value any) string {
	return fmt.Sprintf("%s %v is not used for prefixes that BGPAdvertisement %s announces too: that one is older, and says %v", attribute, mine, older, value)
}
