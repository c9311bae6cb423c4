package announce

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"

	"github.com/daymark-lb/daymark/internal/core/lb"
)

// OverriddenAttributes says in words, by the name of the BGPAdvertisement, which of its attributes are not used because an
// older advertisement sets another value for the same prefix and the same peer.
func (e *Explainer) OverriddenAttributes(services []*lb.Service) map[string]string {
	r := e.rules
	if len(r.bgp) < 2 {
		return nil
	}
	texts := map[string]string{}
	for _, matches := range slices.Sorted(maps.Keys(r.sharedPrefixes(services))) {
		indexes := slices.Collect(matches.all())
		for i, younger := range indexes {
			for _, older := range indexes[:i] {
				text := overriddenBy(&r.bgp[older], &r.bgp[younger])
				if name := r.bgp[younger].Name; text != "" && texts[name] == "" {
					texts[name] = text
				}
			}
		}
	}
	return texts
}

// sharedPrefixes are the sets of advertisements that announce the same prefix.
func (r *rules) sharedPrefixes(services []*lb.Service) map[advertisementSet]bool {
	prefixes := map[netip.Prefix]advertisementSet{}
	for _, s := range services {
		for _, addr := range s.Ingress {
			for i := range r.bgpMatches(r.address(s, addr)).all() {
				if prefix, err := addr.Prefix(r.bgp[i].Length(lb.FamilyOf(addr))); err == nil {
					prefixes[prefix] = prefixes[prefix].with(i)
				}
			}
		}
	}
	sets := map[advertisementSet]bool{}
	for _, advertisements := range prefixes {
		sets[advertisements] = true
	}
	return sets
}

// overriddenBy says which attribute of the younger of two advertisements the older one overrides; "" if none, or if no
// router hears of both from one node.
func overriddenBy(older, younger *bgpRule) string {
	if !older.overlaps(younger) {
		return ""
	}
	switch {
	case differ(older.LocalPref, younger.LocalPref):
		return overriddenText("localPref", *younger.LocalPref, older.Name, *older.LocalPref)
	case differ(older.MED, younger.MED):
		return overriddenText("med", *younger.MED, older.Name, *older.MED)
	case older.Prepend != 0 && younger.Prepend != 0 && older.Prepend != younger.Prepend:
		return overriddenText("asPathPrepend", younger.Prepend, older.Name, older.Prepend)
	case older.WeightBy != "" && younger.WeightBy != "" && older.WeightBy != younger.WeightBy:
		return overriddenText("weightBy", younger.WeightBy, older.Name, older.WeightBy)
	}
	mine, is := younger.LinkBandwidth()
	if value, other := older.LinkBandwidth(); is && other && value != mine {
		return overriddenText("community", mine, older.Name, value)
	}
	return ""
}

// overlaps reports whether two advertisements have a node and a peer in common.
func (b *bgpRule) overlaps(other *bgpRule) bool {
	peers := len(b.Peers) == 0 || len(other.Peers) == 0 || slices.ContainsFunc(b.Peers, other.MatchesPeer)
	for node := range b.nodes {
		if peers && b.nodes[node] && other.nodes[node] {
			return true
		}
	}
	return false
}

func differ(a, b *uint32) bool { return a != nil && b != nil && *a != *b }

func overriddenText(attribute string, mine any, older string, value any) string {
	return fmt.Sprintf("%s %v is not used for prefixes that BGPAdvertisement %s announces too: that one is older, and says %v", attribute, mine, older, value)
}
