package announce

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/daymark-lb/daymark/internal/core/lb"
)

// A BGPPeer with maximumPrefixes is sent no more than that many prefixes of each family by one node, so that its router's limit ends no
// session. The prefixes of the oldest Services are sent: a new Service takes the place of none, every node and every process
// decides alike, and what was announced stays so when the limit is reached.

// nearlyFull is the share of maximumPrefixes, in percent, from which on a session warns.
const nearlyFull = 80

// aged is a prefix with when the oldest Service was created that needs it.
type aged struct {
	prefix  netip.Prefix
	created time.Time
}

// beyondMaximum are the prefixes that a node must not send to a peer, given all of its paths for it and the routes that they
// come from; nil when it may send all.
func (r *rules) beyondMaximum(peer *lb.Peer, paths []Path, routes []route) map[netip.Prefix]bool {
	if peer.MaximumPrefixes == 0 || len(paths) <= peer.MaximumPrefixes {
		return nil
	}
	created := r.ages(routes, r.advertisementsFor(peer))
	var beyond map[netip.Prefix]bool
	for _, family := range []lb.Family{lb.IPv4, lb.IPv6} {
		var all []aged
		for i := range paths {
			if prefix := paths[i].Prefix; lb.FamilyOf(prefix.Addr()) == family {
				all = append(all, aged{prefix, created[prefix]})
			}
		}
		if len(all) <= peer.MaximumPrefixes {
			continue
		}
		slices.SortFunc(all, compareAged)
		if beyond == nil {
			beyond = map[netip.Prefix]bool{}
		}
		for _, a := range all[peer.MaximumPrefixes:] {
			beyond[a.prefix] = true
		}
	}
	return beyond
}

// compareAged orders prefixes by age, the oldest first; those that came in the same second by prefix.
func compareAged(a, b aged) int {
	if c := a.created.Compare(b.created); c != 0 {
		return c
	}
	return a.prefix.Compare(b.prefix)
}

// ages are when the oldest Service of each prefix was created, as far as some advertisements announce it.
func (r *rules) ages(routes []route, meant advertisementSet) map[netip.Prefix]time.Time {
	ages := make(map[netip.Prefix]time.Time, len(routes))
	for _, route := range routes {
		for _, prefix := range r.prefixesOf(route, meant) {
			if before, known := ages[prefix]; !known || route.service.Created.Before(before) {
				ages[prefix] = route.service.Created
			}
		}
	}
	return ages
}

// prefixesOf are the prefixes of a route by those of its advertisements that are meant for a peer.
func (r *rules) prefixesOf(route route, meant advertisementSet) (prefixes []netip.Prefix) {
	for i := range route.matches.all() {
		if !meant.has(i) {
			continue
		}
		if prefix, err := route.addr.Prefix(r.bgp[i].Length(lb.FamilyOf(route.addr))); err == nil {
			prefixes = append(prefixes, prefix)
		}
	}
	return prefixes
}

// without returns the paths whose prefixes are not in a set; the same list when the set is empty.
func without(paths []Path, beyond map[netip.Prefix]bool) []Path {
	if len(beyond) == 0 {
		return paths
	}
	kept := make([]Path, 0, len(paths)-len(beyond))
	for i := range paths {
		if !beyond[paths[i].Prefix] {
			kept = append(kept, paths[i])
		}
	}
	return kept
}

// maximumWarnings say for each family of a session how its paths stand to maximumPrefixes, given those that are beyond it.
func maximumWarnings(peer *lb.Peer, families []lb.Family, paths []Path, beyond map[netip.Prefix]bool) (texts []string) {
	limit := peer.MaximumPrefixes
	if limit == 0 {
		return nil
	}
	for _, family := range families {
		all, held := 0, 0
		for i := range paths {
			if lb.FamilyOf(paths[i].Prefix.Addr()) != family {
				continue
			}
			all++
			if beyond[paths[i].Prefix] {
				held++
			}
		}
		switch {
		case held > 0:
			texts = append(texts, fmt.Sprintf("maximumPrefixes is %d, and there are %d %s prefixes: %d of the youngest Services are held back",
				limit, all, family, held))
		case all*100 >= limit*nearlyFull:
			texts = append(texts, fmt.Sprintf("%d %% or more of maximumPrefixes, %d, are in use by %s prefixes", nearlyFull, limit, family))
		}
	}
	return texts
}

// anyMaximum reports whether the prefix of an address decides whether it is announced: then addresses that are alike otherwise
// differ.
func (e *Explainer) anyMaximum() bool {
	return slices.ContainsFunc(e.rules.peers, func(p *lb.Peer) bool { return p.MaximumPrefixes > 0 })
}

// beyondMaximum reports whether a node holds back all prefixes of an address from a peer because of its maximumPrefixes.
func (e *Explainer) beyondMaximum(a address, key addressKey, peer *lb.Peer, node int) bool {
	r, at := e.rules, nodePeer{node, peer.Name}
	beyond, known := e.beyond[at]
	meant := r.advertisementsFor(peer)
	if !known {
		routes := r.routes(node)
		beyond = r.beyondMaximum(peer, r.paths(routes, meant, map[variant]*Attributes{}), routes)
		e.beyond[at] = beyond
	}
	if len(beyond) == 0 {
		return false
	}
	prefixes := r.prefixesOf(route{addr: a.addr, matches: r.bgpSelecting(key.bgp, node)}, meant)
	return !slices.ContainsFunc(prefixes, func(prefix netip.Prefix) bool { return !beyond[prefix] })
}
