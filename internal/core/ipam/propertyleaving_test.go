package ipam

import (
	"slices"

	"k8s.io/apimachinery/pkg/types"
)

// deleteService deletes a Service, or has it wait for its finalizer.
func (h *history) deleteService(i int) {
	s := edited(h.services[i])
	if !s.Finalizer || !s.Provenance.Finalizer {
		h.services = slices.Delete(h.services, i, i+1)
		return
	}
	h.created++
	s.LoadBalancer, s.Version = false, uint64(h.created)
	h.services[i] = &s
	if h.deleted == nil {
		h.deleted = map[types.UID]bool{}
	}
	h.deleted[s.UID] = true
}

// checkLeaving checks that a Service with the finalizer keeps its addresses from others until both speakers have withdrawn them, or
// did not answer in time.
func (h *history) checkLeaving(world World, plan Plan) {
	for _, s := range world.Services {
		if !world.Classes.Leaving(s) || world.Classes.Ours(s) {
			continue
		}
		since, version := world.Now, s.Version
		for _, left := range world.Memory.Leaving {
			if left.Service.UID == s.UID {
				since, version = left.Since, min(version, left.Service.Version)
			}
		}
		i := slices.IndexFunc(plan.Cleanups, func(c Cleanup) bool { return c.Service == s })
		done := len(world.Memory.Silent)+len(plan.Memory.Silent) > 0 || !h.now.Before(since.Add(WithdrawLimit)) ||
			min(h.withdrawn[0], h.withdrawn[1]) >= version
		if i < 0 || !plan.Cleanups[i].Waits && !done {
			h.t.Fatalf("%s of version %d does not wait for %v", s.Key, s.Version, h.withdrawn)
		}
		for _, a := range plan.Assignments {
			for _, has := range a.Addresses {
				if s.Provenance.PoolOf(has.Addr) != "" && !mayShare(s, a.Service) && !slices.Contains(a.Service.Ingress, has.Addr) && !slices.Contains(holders(world.Memory, has.Addr), a.Service.UID) {
					h.t.Fatalf("%s is given %s, which %s still withdraws", a.Service.Key, has.Addr, s.Key)
				}
			}
		}
	}
}
