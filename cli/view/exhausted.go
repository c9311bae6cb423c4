package view

import (
	"slices"

	"k8s.io/apimachinery/pkg/api/meta"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/core/ipam"
	"github.com/daymark-lb/daymark/internal/core/lb"
)

// poolConditions are the conditions of a pool. That it has no address left is as it should be while no Service waits for one: a pool of one
// address is made to be full.
func (c *Cluster) poolConditions(pool *v1beta1.IPAddressPool) []ConditionLine {
	lines := c.conditionLines("IPAddressPool", pool.Status.Conditions)
	for i := range lines {
		if l := &lines[i]; l.Type == v1beta1.ConditionExhausted && l.Wrong && !c.awaited(pool.Name) {
			l.Wrong, l.Remedy = false, ""
		}
	}
	return lines
}

// awaited reports whether Services wait for an address of a pool that has none left. Where the controller's reasons cannot be computed, since
// not all is seen, each Service that waits may be one.
func (c *Cluster) awaited(pool string) bool {
	waits := func(s *lb.Service) bool {
		return meta.IsStatusConditionFalse(c.services[s.Key].Status.Conditions, v1beta1.ConditionAddressAssigned)
	}
	if !slices.ContainsFunc(c.ours(false), waits) {
		return false
	}
	return len(c.Unseen) > 0 || slices.ContainsFunc(c.Addresses().Pools, func(use *ipam.PoolUse) bool {
		return use.Pool.Name == pool && (use.IPv4 != nil && use.IPv4.Waiting > 0 || use.IPv6 != nil && use.IPv6.Waiting > 0)
	})
}
