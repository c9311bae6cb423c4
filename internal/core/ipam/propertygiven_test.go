package ipam

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"

	"github.com/daymark-lb/daymark/internal/core/lb"
)

func (h *history) checkNoAddressIsGivenTwice(plan Plan) {
	holders := map[netip.Addr][]*lb.Service{}
	for _, a := range plan.Assignments {
		for _, has := range a.Addresses {
			for _, other := range holders[has.Addr] {
				if !mayShare(a.Service, other) {
					h.t.Fatalf("%s is given to %s and %s\n%s", has.Addr, a.Service.Key, other.Key, describe(plan))
				}
			}
			holders[has.Addr] = append(holders[has.Addr], a.Service)
		}
	}
}

// checkShown checks what people see at any moment, even between two writes: an address that appears in a status is in no
// other status whose Service may not share it.
func (h *history) checkShown(s, before *lb.Service) {
	for _, addr := range s.Ingress {
		for _, other := range h.services {
			if other != s && !slices.Contains(before.Ingress, addr) && slices.Contains(other.Ingress, addr) && !mayShare(s, other) {
				h.t.Fatalf("%s is written into the status of %s while that of %s shows it", addr, s.Key, other.Key)
			}
		}
	}
}

// checkGivenIsAllowed checks the addresses that a Service did not have before.
func (h *history) checkGivenIsAllowed(world World, plan Plan) {
	for _, a := range plan.Assignments {
		for _, release := range a.Released {
			if causes[release.Cause].released == "" {
				h.t.Fatalf("%s releases %s without a text: %s", a.Service.Key, release.Addr, release.Cause)
			}
		}
		families := map[lb.Family]int{}
		for _, has := range a.Addresses {
			s := a.Service
			families[lb.FamilyOf(has.Addr)]++
			if !s.Wants(lb.FamilyOf(has.Addr)) {
				h.t.Fatalf("%s does not want %s", s.Key, has.Addr)
			}
			if slices.Contains(s.Ingress, has.Addr) {
				continue
			}
			pool, reservation := has.Pool, h.reservationOf(has.Addr)
			switch {
			case s.RequestError != nil, pool.Closed(), pool.Drain, !pool.Contains(has.Addr), world.Pools.Containing(has.Addr) != pool,
				!pool.ServesNamespace(s.Key.Namespace, nil), pool.AvoidBuggyIPs && mayBeBroadcast(has.Addr) && reservation == nil,
				!pool.AutoAssign && len(s.RequestedPools)+len(s.Requested) == 0 && reservation == nil,
				reservation != nil && !reservation.For(s),
				h.usedByNode(has.Addr),
				len(s.RequestedPools) > 0 && !slices.Contains(s.RequestedPools, pool.Name):
				h.t.Fatalf("%s is given %s of pool %+v, reserved by %+v\n%s", s.Key, has.Addr, pool, reservation, describe(plan))
			}
			for _, other := range h.services {
				if other.Key != s.Key && slices.Contains(other.Ingress, has.Addr) && !mayShare(s, other) {
					h.t.Fatalf("%s is given %s, which %s still shows\n%s", s.Key, has.Addr, other.Key, describe(plan))
				}
				if other.Key != s.Key && slices.Contains(other.ExternalIPs, has.Addr) && !has.Joined && pool.MaxPerNamespace == 0 {
					h.t.Fatalf("%s is given %s, which is in externalIPs of %s\n%s", s.Key, has.Addr, other.Key, describe(plan))
				}
			}
			if rest, ok := plan.Memory.Freed[has.Addr]; ok && rest.Service != s.Key {
				h.t.Fatalf("%s is given %s, which rests", s.Key, has.Addr)
			}
		}
		if len(a.Service.Requested) == 0 && a.Service.RequestError == nil && !a.replacing && (families[lb.IPv4] > 1 || families[lb.IPv6] > 1) {
			h.t.Fatalf("%s has too many addresses\n%s", a.Service.Key, describe(plan))
		}
	}
}

// usedByNode reports whether an address is a node's own, or that of its gateway or router.
func (h *history) usedByNode(addr netip.Addr) bool {
	return len(h.nodes) > 0 && (slices.Contains(h.nodes[0].Addresses, addr) || h.networks[0].Addresses[0].Addr() == addr ||
		h.networks[0].Gateways[0] == addr || h.routers[0].Addr == addr)
}

func (h *history) reservationOf(addr netip.Addr) *lb.Reservation {
	var found *lb.Reservation
	for _, r := range h.reservations {
		if lb.Containing(r.Ranges, addr) >= 0 && (found == nil || r.Created.Before(found.Created) || r.Created.Equal(found.Created) && r.Name < found.Name) {
			found = r
		}
	}
	return found
}

// checkNobodyWaitsForAFreeAddress tries every address for the Services that request nothing certain and got nothing.
func (h *history) checkNobodyWaitsForAFreeAddress(world World, plan Plan) {
	used := map[netip.Addr]bool{}
	for _, s := range h.services {
		for _, addr := range slices.Concat(s.Ingress, s.ExternalIPs) {
			used[addr] = true
		}
		for _, has := range s.Provenance.Allocations {
			used[has.Addr] = used[has.Addr] || s.Finalizer
		}
	}
	for _, a := range plan.Assignments {
		for _, has := range a.Addresses {
			used[has.Addr] = true
		}
	}
	for _, a := range plan.Assignments {
		s := a.Service
		if len(a.Addresses) > 0 || len(s.Requested) > 0 || s.RequestError != nil || s.Policy == lb.RequireDualStack {
			continue
		}
		for _, pool := range h.pools {
			if pool.Closed() || pool.Drain || !pool.AutoAssign || pool.MaxPerNamespace > 0 || !pool.ServesNamespace(s.Key.Namespace, nil) ||
				len(s.RequestedPools) > 0 && !slices.Contains(s.RequestedPools, pool.Name) {
				continue
			}
			for _, r := range pool.Ranges {
				for addr := r.From; r.Contains(addr); addr = addr.Next() {
					free := s.Wants(lb.FamilyOf(addr)) && !used[addr] && pool.Contains(addr) && world.Pools.Containing(addr) == pool && h.reservationOf(addr) == nil
					node := h.usedByNode(addr)
					if _, rests := plan.Memory.Freed[addr]; free && !rests && !node && !(pool.AvoidBuggyIPs && mayBeBroadcast(addr)) {
						h.t.Fatalf("%s waits though %s is free\n%s", s.Key, addr, describe(plan))
					}
				}
			}
		}
	}
}

func describe(plan Plan) string {
	var text string
	for i := range plan.Assignments {
		a := &plan.Assignments[i]
		o := a.Outcome()
		text += fmt.Sprintf("%s: %v %s %s (showed %v, released %v)\n", a.Service.Key, o.Assigned, o.Reason.Name, o.Message, a.Service.Ingress, a.Released)
	}
	for _, addr := range slices.SortedFunc(maps.Keys(plan.Memory.Freed), netip.Addr.Compare) {
		text += fmt.Sprintf("%s rests\n", addr)
	}
	return text
}
