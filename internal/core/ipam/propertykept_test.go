package ipam

import (
	"net/netip"
	"slices"

	"k8s.io/apimachinery/pkg/types"

	"github.com/daymark-lb/daymark/internal/core/lb"
)

// checkNothingOfOthersIsTaken checks that what Daymark did not give stays until it has something in its place, that addresses of
// pools that are gone stay for the grace time, and that only what Daymark gave is cleaned.
func (h *history) checkNothingOfOthersIsTaken(world World, plan Plan) {
	for _, c := range plan.Cleanups {
		for _, addr := range c.Addresses {
			if world.Classes.Ours(c.Service) || c.Service.Provenance.Class != "daymark.io/daymark" || c.Service.Provenance.PoolOf(addr) == "" {
				h.t.Fatalf("%s of %s is cleaned and was not given", addr, c.Service.Key)
			}
		}
	}
	for _, a := range plan.Assignments {
		s := a.Service
		has := map[lb.Family]bool{}
		for _, address := range a.Addresses {
			has[lb.FamilyOf(address.Addr)] = true
		}
		for _, addr := range s.Ingress {
			kept := slices.ContainsFunc(a.Addresses, func(has Address) bool { return has.Addr == addr }) || slices.Contains(a.Foreign, addr)
			gave := poolThatGave(world, s, addr)
			foreign := gave == "" && !slices.Contains(holders(world.Memory, addr), s.UID)
			inPlace := has[lb.FamilyOf(addr)] || !s.Wants(lb.FamilyOf(addr)) && len(a.Addresses) > 0
			if foreign && !kept && !inPlace {
				h.t.Fatalf("%s lost %s, which Daymark did not give, and has nothing in its place\n%s", s.Key, addr, describe(plan))
			}
			since := s.Provenance.MissingSince
			for i := range world.Memory.Assignments {
				if before := &world.Memory.Assignments[i]; since.IsZero() && before.Service.UID == s.UID {
					since = before.MissingSince // which was not written
				}
			}
			waits := world.Pools.Missing(gave) && (since.IsZero() || h.now.Before(since.Add(h.grace))) && h.grace > 0
			if waits && !kept && !inPlace && s.Wants(lb.FamilyOf(addr)) && !h.shown(addr, s) {
				h.t.Fatalf("%s lost %s of a pool that is gone for less than the grace time\n%s", s.Key, addr, describe(plan))
			}
		}
	}
}

// checkStickiness checks that Services keep their addresses. It is written in another way than the code.
func (h *history) checkStickiness(world World, plan Plan) {
	for _, a := range plan.Assignments {
		s := a.Service
		if len(s.Requested) > 0 || len(s.RequestedPools) > 0 || s.SharingKey != "" {
			continue // these may move for other causes, which the tables of tests look at
		}
		seen := map[lb.Family]bool{}
		for _, addr := range heldFirst(world.Memory, s) {
			family := lb.FamilyOf(addr)
			gave := poolThatGave(world, s, addr)
			if world.Pools.Missing(gave) && h.grace > 0 && s.Wants(family) {
				seen[family] = true // checkNothingOfOthersIsTaken looks at it
				continue
			}
			from := world.Pools.SourceOf(gave, addr)
			if from == nil || seen[family] || !s.Wants(family) {
				continue
			}
			if h.shown(addr, s) && !onlyHolder(world.Memory, s, addr) {
				seen[family] = true // it may be the one to go, or not
				continue
			}
			if gave != "" && gave != from.Name && !from.ServesNamespace(s.Key.Namespace, nil) {
				continue
			}
			seen[family] = true
			if !slices.ContainsFunc(a.Addresses, func(has Address) bool { return has.Addr == addr }) {
				h.t.Fatalf("%s had %s from pool %s and lost it\n%s", s.Key, addr, from.Name, describe(plan))
			}
		}
	}
}

// poolThatGave returns the pool that gave an address to a Service by its provenance, unless that is another installation's.
func poolThatGave(world World, s *lb.Service, addr netip.Addr) string {
	if !world.Classes.Gave(s) {
		return ""
	}
	return s.Provenance.PoolOf(addr)
}

// heldFirst returns the addresses in a status, those first that the Service held in the pass before.
func heldFirst(memory Memory, s *lb.Service) []netip.Addr {
	list := slices.Clone(s.Ingress)
	slices.SortStableFunc(list, func(a, b netip.Addr) int {
		switch x, y := slices.Contains(holders(memory, a), s.UID), slices.Contains(holders(memory, b), s.UID); {
		case x == y:
			return 0
		case x:
			return -1
		}
		return 1
	})
	return list
}

// onlyHolder reports whether a Service, and no other, held an address in the pass before.
func onlyHolder(memory Memory, s *lb.Service, addr netip.Addr) bool {
	return slices.Equal(holders(memory, addr), []types.UID{s.UID})
}

func holders(memory Memory, addr netip.Addr) []types.UID {
	var list []types.UID
	for i := range memory.Assignments {
		for _, has := range memory.Assignments[i].Addresses {
			if has.Addr == addr {
				list = append(list, memory.Assignments[i].Service.UID)
			}
		}
	}
	return list
}

// shown reports whether another Service's status shows an address too, so that one of them must give it up.
func (h *history) shown(addr netip.Addr, s *lb.Service) bool {
	return slices.ContainsFunc(h.services, func(other *lb.Service) bool { return other != s && slices.Contains(other.Ingress, addr) })
}

// checkWhoCameFirst checks that a Service joins only one that shares with its namespace, and that the one that came first stays.
func (h *history) checkWhoCameFirst(world World, plan Plan) {
	first := map[netip.Addr]*lb.Service{}
	for _, a := range plan.Assignments {
		for _, has := range a.Addresses {
			if !has.Joined {
				first[has.Addr] = a.Service
			}
		}
	}
	for _, a := range plan.Assignments {
		for _, has := range a.Addresses {
			owner := first[has.Addr]
			if owner == nil || has.Joined && !slices.Contains(a.Service.Ingress, has.Addr) && !owner.SharesWith(a.Service.Key.Namespace) {
				h.t.Fatalf("%s joins %s\n%s", a.Service.Key, has.Addr, describe(plan))
			}
		}
	}
	for i := range world.Memory.Assignments {
		before := &world.Memory.Assignments[i]
		for _, had := range before.Addresses {
			owner := first[had.Addr]
			if had.Joined || owner == nil || owner.UID == before.Service.UID {
				continue
			}
			now := slices.IndexFunc(plan.Assignments, func(a Assignment) bool { return a.Service.UID == before.Service.UID })
			if now >= 0 && slices.ContainsFunc(plan.Assignments[now].Released, func(r Release) bool { return r.Addr == had.Addr && r.Cause == Taken }) {
				h.t.Fatalf("%s had %s first and moves for %s\n%s", before.Service.Key, had.Addr, owner.Key, describe(plan))
			}
		}
	}
}
