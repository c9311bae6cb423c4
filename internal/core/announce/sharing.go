package announce

import (
	"net/netip"
	"slices"

	"github.com/daymark-lb/daymark/internal/core/lb"
)

// localSharers are the Services with externalTrafficPolicy Local of each address that several of them share. A node that attracts
// the traffic of one gets that of all, and drops what it has no endpoints for.
type localSharers map[netip.Addr][]*lb.Service

func (r *rules) localSharers() localSharers { return r.sharers(true) }

// sharers are the Services with one policy of each address that several of them share.
func (r *rules) sharers(local bool) (sharers map[netip.Addr][]*lb.Service) {
	for _, s := range r.world.Services {
		if s.Local != local || s.SharingKey == "" {
			continue
		}
		for _, addr := range s.Ingress {
			if sharers == nil {
				sharers = map[netip.Addr][]*lb.Service{}
			}
			sharers[addr] = append(sharers[addr], s)
		}
	}
	return sharers
}

// mayServe reports whether a node, by its index, may announce an address for all that share it: it has endpoints of all, or no
// node has. A Service without any endpoints does not count.
func (r *rules) mayServe(sharers localSharers, addr netip.Addr, index int) bool {
	all := sharers[addr]
	if len(all) < 2 {
		return true
	}
	family := lb.FamilyOf(addr)
	var endpoints []lb.Endpoints
	for _, s := range all {
		if e := r.world.Endpoints[s.Key]; e.AnyServing(family) {
			endpoints = append(endpoints, e)
		}
	}
	if len(endpoints) == 0 {
		return true
	}
	serves := func(name string) bool {
		return !slices.ContainsFunc(endpoints, func(e lb.Endpoints) bool { return !e.ServingOnNode(name, family) })
	}
	return serves(r.nodes[index].Name) || !slices.ContainsFunc(r.nodes, func(n node) bool { return n.ineligible == Eligible && serves(n.Name) })
}
