package reconcile

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/core/ipam"
	"github.com/daymark-lb/daymark/internal/core/lb"
)

// countPace is how often the counts of a pool are written at most, however fast they change. What is wrong with a pool is
// written at once.
const countPace = time.Second

// reportPools writes how much of each pool is used, and what is wrong with it.
func (l *Loop) reportPools(ctx context.Context, s *snapshot, plan *ipam.Plan) error {
	errs := make([]error, len(s.ParsedPools))
	for i, o := range s.ParsedPools { // both lists are in order of name
		use := plan.Pools[i]
		if saysAllBut(o.Object, use) && (counted(o.Object, use) || !l.mayCount(use.Pool.Name)) {
			continue
		}
		errs[i] = put(ctx, l, "IPAddressPool", o.Object, func(want *v1beta1.IPAddressPool) { l.describe(want, use) })
	}
	return errors.Join(errs...)
}

// describe makes the status of a pool.
func (l *Loop) describe(pool *v1beta1.IPAddressPool, use *ipam.PoolUse) {
	status := &pool.Status
	status.ObservedGeneration = pool.Generation
	status.IPv4, status.IPv6 = count(use.IPv4), count(use.IPv6)
	l.set(&status.Conditions, pool, v1beta1.ConditionReady, poolReady(use))
	l.set(&status.Conditions, pool, v1beta1.ConditionExhausted, poolExhausted(use))
	l.set(&status.Conditions, pool, v1beta1.ConditionOverlap, poolOverlap(use))
}

// counted reports whether a pool's status has the right numbers. There are some in the message on exhaustion too.
func counted(pool *v1beta1.IPAddressPool, use *ipam.PoolUse) bool {
	return equality.Semantic.DeepEqual(pool.Status.IPv4, count(use.IPv4)) && equality.Semantic.DeepEqual(pool.Status.IPv6, count(use.IPv6)) &&
		says(pool, v1beta1.ConditionExhausted, poolExhausted(use), true)
}

// saysAllBut reports whether a pool's status says everything, but for the numbers.
func saysAllBut(pool *v1beta1.IPAddressPool, use *ipam.PoolUse) bool {
	return pool.Status.ObservedGeneration == pool.Generation && says(pool, v1beta1.ConditionReady, poolReady(use), true) &&
		says(pool, v1beta1.ConditionExhausted, poolExhausted(use), false) && says(pool, v1beta1.ConditionOverlap, poolOverlap(use), true)
}

// says reports whether a condition of a pool is a verdict, to the word or but for the words.
func says(pool *v1beta1.IPAddressPool, kind string, v verdict, words bool) bool {
	c := meta.FindStatusCondition(pool.Status.Conditions, kind)
	return c != nil && (c.Status == metav1.ConditionTrue) == v.ok && c.Reason == v.reason && (!words || c.Message == shorten(v.message, maxMessage))
}

// mayCount reports whether it is time to write the counts of a pool, and sees to it that there is a pass when it is.
func (l *Loop) mayCount(pool string) bool {
	now := l.now()
	if next := l.counted[pool].Add(countPace); now.Before(next) {
		l.lookAgain(next.Sub(now))
		return false
	}
	l.counted[pool] = now
	return true
}

func count(from *ipam.Count) *v1beta1.AddressCount {
	if from == nil {
		return nil
	}
	return &v1beta1.AddressCount{Assigned: from.Assigned, Available: from.Available.String()}
}

// poolReady says what is wrong with a pool. One that names addresses of nodes goes on giving the others.
func poolReady(use *ipam.PoolUse) verdict {
	if len(use.Nodes) == 0 {
		return valid(use.Pool.Err)
	}
	const most = 10
	var texts []string
	for i, node := range use.Nodes {
		if i == most {
			texts = append(texts, fmt.Sprintf("and %d more", len(use.Nodes)-most))
			break
		}
		texts = append(texts, fmt.Sprintf("%s is the address of node %s", node.Addr, node.Node))
	}
	return first(valid(use.Pool.Err), verdict{
		false, "NodeAddress", strings.Join(texts, ", ") + ": such an address is never given; exclude it",
	})
}

// poolExhausted says of which family a pool has no address left.
func poolExhausted(use *ipam.PoolUse) verdict {
	if use.Pool.Err != nil || use.Pool.Drain {
		return verdict{false, "AllocationDisabled", "the pool gives no addresses"}
	}
	var texts []string
	for _, family := range []lb.Family{lb.IPv4, lb.IPv6} {
		if c := use.Count(family); c != nil && c.Available.Sign() <= 0 {
			texts = append(texts, fmt.Sprintf("no %s address is left: %s", family, c))
		}
	}
	if len(texts) > 0 {
		return verdict{true, "Exhausted", strings.Join(texts, "; ")}
	}
	return verdict{false, "Available", ""}
}

// poolOverlap names the pools that name the same addresses.
func poolOverlap(use *ipam.PoolUse) verdict {
	var texts []string
	for _, o := range use.Overlaps {
		keeper := "this one is older and has them"
		if !o.Keeps {
			keeper = "that one is older and has them"
		}
		texts = append(texts, fmt.Sprintf("pool %s names %s too; %s", o.Other.Name, o.Range, keeper))
	}
	if len(texts) > 0 {
		return verdict{true, "Overlap", strings.Join(texts, "; ")}
	}
	return verdict{false, "NoOverlap", ""}
}

// reportReservations writes what keeps a reservation from keeping its addresses.
func (l *Loop) reportReservations(ctx context.Context, s *snapshot, plan *ipam.Plan) error {
	errs := make([]error, len(s.parsedReservations))
	for i, o := range s.parsedReservations { // both lists are in order of name
		use := &plan.Reservations[i]
		errs[i] = put(ctx, l, "IPReservation", o.Object, func(want *v1beta1.IPReservation) {
			want.Status.ObservedGeneration = want.Generation
			l.set(&want.Status.Conditions, want, v1beta1.ConditionReady, reservationReady(use))
		})
	}
	return errors.Join(errs...)
}

func reservationReady(use *ipam.ReservationUse) verdict {
	var conflicts []string
	for _, taken := range use.Taken {
		conflicts = append(conflicts, fmt.Sprintf("Service %s has %s and keeps it", taken.Holder, taken.Addr))
	}
	for _, rival := range use.Overlaps {
		conflicts = append(conflicts, fmt.Sprintf("IPReservation %s is older and keeps some of the addresses", rival))
	}
	homeless := verdict{ok: true}
	if use.OutsidePools != (lb.Range{}) {
		homeless = verdict{false, "NoPool", fmt.Sprintf("no pool contains %s", use.OutsidePools)}
	}
	conflict := verdict{ok: true}
	if len(conflicts) > 0 {
		conflict = verdict{false, "Conflict", strings.Join(conflicts, "; ")}
	}
	return first(valid(use.Reservation.Err), conflict, homeless, valid(nil))
}
