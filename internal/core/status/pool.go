package status

import (
	"fmt"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/core/ipam"
	"github.com/daymark-lb/daymark/internal/core/lb"
)

// Pool is the status of an IPAddressPool.
type Pool struct {
	IPv4, IPv6                *v1beta1.AddressCount
	ready, exhausted, overlap Condition
}

// NewPool returns the status of a pool.
func NewPool(use *ipam.PoolUse) Pool {
	return Pool{
		IPv4: count(use.IPv4), IPv6: count(use.IPv6),
		ready: poolReady(use), exhausted: poolExhausted(use), overlap: poolOverlap(use),
	}
}

// Write puts the status into an object.
func (p *Pool) Write(into *v1beta1.IPAddressPool, now time.Time) {
	into.Status.ObservedGeneration = into.Generation
	into.Status.IPv4, into.Status.IPv6 = p.IPv4, p.IPv6
	Write(&into.Status.Conditions, into.Generation, now, p.ready, p.exhausted, p.overlap)
}

// SameCounts reports whether an object has the right numbers. The message about exhaustion has some, too.
func (p *Pool) SameCounts(object *v1beta1.IPAddressPool) bool {
	has := &object.Status
	return equality.Semantic.DeepEqual(has.IPv4, p.IPv4) && equality.Semantic.DeepEqual(has.IPv6, p.IPv6) && p.exhausted.In(has.Conditions, true)
}

// SameButCounts reports whether an object has the right status, except for the numbers.
func (p *Pool) SameButCounts(object *v1beta1.IPAddressPool) bool {
	has := object.Status.Conditions
	return object.Status.ObservedGeneration == object.Generation &&
		p.ready.In(has, true) && p.ready.inStalled(has) && p.exhausted.In(has, false) && p.overlap.In(has, true)
}

func count(from *ipam.Count) *v1beta1.AddressCount {
	if from == nil {
		return nil
	}
	return &v1beta1.AddressCount{Assigned: from.Assigned, Available: from.Available.String()}
}

// poolReady is the condition Ready. A pool that contains addresses which are never given gives the others.
func poolReady(use *ipam.PoolUse) Condition {
	return firstProblem(valid(use.Pool.Err), poolBlocked(use), poolNodes(use), poolLeft(use))
}

// poolLeft names the addresses that a pool leaves out though nothing is wrong with it: most pools that are a whole subnet have some.
func poolLeft(use *ipam.PoolUse) Condition {
	c := valid(nil)
	if len(use.Left) == 0 {
		return c
	}
	text := func(i int) string {
		left := &use.Left[i]
		if left.Cause == ipam.NetworkAddress {
			return fmt.Sprintf("%s, which no host may have in the subnet %s of the nodes", left.Range, left.Name)
		}
		return fmt.Sprintf("%s, which is in spec.externalIPs of a Service", left.Range)
	}
	c.Message = "not given: " + list(len(use.Left), text, "; ")
	return c
}

// poolBlocked names the ranges of a pool that are never given.
func poolBlocked(use *ipam.PoolUse) Condition {
	if len(use.Blocked) == 0 {
		return valid(nil)
	}
	why := ClusterRange
	text := func(i int) string {
		blocked := &use.Blocked[i]
		if blocked.Cause == ipam.SpecialRange {
			why = SpecialRange
			return fmt.Sprintf("%s is a range of %s addresses", blocked.Range, blocked.Name)
		}
		if blocked.Cause == ipam.NodeOwned {
			why = NodeAddress
			return fmt.Sprintf("%s has addresses of node %s", blocked.Range, blocked.Name)
		}
		return fmt.Sprintf("%s belongs to %s", blocked.Range, blocked.Name)
	}
	message := list(len(use.Blocked), text, ", ") + ": such an address is never given, and what is given is kept; exclude the range"
	return notReady(why, message)
}

// poolNodes names the nodes' addresses and default gateways in a pool, and routers.
func poolNodes(use *ipam.PoolUse) Condition {
	if len(use.Nodes) == 0 {
		return valid(nil)
	}
	text := func(i int) string {
		what := "address"
		if peer := use.Nodes[i].Peer; peer != "" {
			return fmt.Sprintf("%s is the router of BGPPeer %s", use.Nodes[i].Addr, peer)
		}
		if use.Nodes[i].Gateway {
			what = "default gateway"
		}
		return fmt.Sprintf("%s is the %s of node %s", use.Nodes[i].Addr, what, use.Nodes[i].Node)
	}
	return notReady(NodeAddress, list(len(use.Nodes), text, ", ")+": such an address is never given; exclude it")
}

// poolExhausted is the condition Exhausted, which names the families without a free address.
func poolExhausted(use *ipam.PoolUse) Condition {
	c := Condition{Type: v1beta1.ConditionExhausted, Reason: Available}
	if use.Pool.Closed() || use.Pool.Drain {
		c.Reason, c.Message = AllocationDisabled, "the pool gives no addresses"
		return c
	}
	var texts []string
	for _, family := range []lb.Family{lb.IPv4, lb.IPv6} {
		if left := use.Count(family); left != nil && left.Available.Sign() <= 0 {
			texts = append(texts, fmt.Sprintf("no %s address is left: %s", family, left))
		}
	}
	if len(texts) > 0 {
		c.True, c.Reason, c.Message = true, Exhausted, strings.Join(texts, "; ")
	}
	return c
}

// poolOverlap is the condition Overlap, which names the pools that contain the same addresses.
func poolOverlap(use *ipam.PoolUse) Condition {
	c := Condition{Type: v1beta1.ConditionOverlap, Reason: NoOverlap}
	var texts []string
	for _, o := range use.Overlaps {
		older := "this one is older and has them"
		if !o.Keeps {
			older = "that one is older and has them"
		}
		texts = append(texts, fmt.Sprintf("pool %s names %s too; %s", o.Other.Name, o.Range, older))
	}
	if len(texts) > 0 {
		c.True, c.Reason, c.Message = true, Overlap, strings.Join(texts, "; ")
	}
	return c
}
