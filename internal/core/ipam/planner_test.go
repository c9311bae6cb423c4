package ipam

import (
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"pgregory.net/rapid"

	"github.com/daymark-lb/daymark/internal/core/lb"
)

// checkPlanner checks that a Planner, which has made the plans before, makes the plan of Compute.
func (h *history) checkPlanner(world World, plan Plan) {
	world.Services = slices.Clone(world.Services) // which the history changes
	if h.flag("another order") {
		world.Services = rapid.Permutation(world.Services).Draw(h.t, "services")
	}
	got := h.planner.Compute(world)
	for i := range got.Assignments {
		if a := &got.Assignments[i]; world.Services[a.Index] != a.Service {
			h.t.Fatalf("%s is not the Service at its index", a.Service.Key)
		}
	}
	if places, all := got.Decided(); !all {
		for i := range got.Assignments {
			if a := &got.Assignments[i]; !slices.Contains(places, i) && !a.sameAs(h.before[a.Service.UID]) {
				h.t.Fatalf("%s has another assignment and was not decided on", a.Service.Key)
			}
		}
	}
	h.before = map[types.UID]Assignment{}
	for _, a := range got.Assignments {
		if h.before[a.Service.UID] = a; got.PlaceOf(a.Service) < 0 {
			h.t.Fatalf("%s has no place", a.Service.Key)
		}
	}
	if diff := differs(plan, got); diff != "" {
		h.t.Fatalf("the Planner makes another plan: %s\n%s\n%s", diff, describe(plan), describe(got))
	}
}

// sameAs reports whether two assignments are the same but for where their Services are listed.
func (a *Assignment) sameAs(other Assignment) bool {
	now := *a
	now.Index, other.Index, now.still, other.still = 0, 0, false, false
	return reflect.DeepEqual(now, other)
}

// differs says in which part two plans differ, but for what is for a Planner alone and where Services are listed.
func differs(a, b Plan) string {
	for _, plan := range []*Plan{&a, &b} {
		plan.Assignments = slices.Clone(plan.Assignments)
		for i := range plan.Assignments {
			plan.Assignments[i].still, plan.Assignments[i].Index = false, 0
		}
		plan.Memory.Assignments = nil // which are the same
	}
	x, y := reflect.ValueOf(a), reflect.ValueOf(b)
	for i := range x.NumField() {
		if x.Type().Field(i).IsExported() && !reflect.DeepEqual(x.Field(i).Interface(), y.Field(i).Interface()) {
			return fmt.Sprintf("%s: %+v and %+v", x.Type().Field(i).Name, x.Field(i), y.Field(i))
		}
	}
	return ""
}

// TestPlanner_MakesThePlanOfCompute makes random histories of a cluster in which most Services hold what they show, as in most passes,
// and in which others have to do with their addresses. The histories of TestCompute_KeepsPromisesInRandomHistories are less quiet.
func TestPlanner_MakesThePlanOfCompute(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h := &history{t: t, now: time.Unix(1_000_000, 0)}
		limited := benchmarkPool("p1", "192.0.2.0/28")
		limited.MaxPerNamespace, limited.ReuseDelay = 5, 3*time.Second
		h.pools = []*lb.Pool{limited, benchmarkPool("p2", "2001:db8::/120"), benchmarkPool("p3", "192.0.2.16/28")}
		for range rapid.IntRange(3, 12).Draw(t, "before") {
			h.addQuiet()
		}
		for range 3 {
			h.passQuietly()
		}
		for range rapid.IntRange(1, 10).Draw(t, "steps") {
			for range rapid.IntRange(0, 2).Draw(t, "edits") {
				h.editQuietly()
			}
			h.passQuietly()
		}
	})
}

// addQuiet adds a Service that asks for nothing special.
func (h *history) addQuiet() {
	s := h.newService()
	s.Requested, s.RequestedPools, s.ExternalIPs, s.LoadBalancer, s.SharingKey, s.Families = nil, nil, nil, true, "", s.Families[:1]
	s.Policy = lb.SingleStack
	h.services = append(h.services, s)
}

// editQuietly makes one random change that has to do with an address that a Service holds.
func (h *history) editQuietly() {
	h.now = h.now.Add(time.Second)
	i := h.pick(len(h.services))
	s := edited(h.services[i])
	theirs := h.services[h.pick(len(h.services))]
	switch rapid.IntRange(0, 10).Draw(h.t, "quiet edit") {
	case 0:
		h.addQuiet()
		return
	case 1: // one that may share what another holds
		h.addQuiet()
		h.services[len(h.services)-1].SharingKey = "key"
		h.services[len(h.services)-1].Ports = []lb.Port{{Protocol: "TCP", Number: uint16(h.pick(len(h.services)))}}
		return
	case 2:
		h.services = slices.Delete(slices.Clone(h.services), i, i+1)
		if len(h.services) == 0 {
			h.addQuiet()
		}
		return
	case 3: // what another holds appears in the status
		s.Ingress = slices.Concat(s.Ingress, theirs.Ingress)
	case 4: // in that of a Service that is not ours
		s.Class, s.Ingress = "example.com/other", theirs.Ingress
	case 5:
		s.ExternalIPs = theirs.Ingress
	case 6:
		s.Requested = theirs.Ingress[:min(1, len(theirs.Ingress))]
	case 7:
		s.SharingKey = rapid.SampledFrom([]string{"", "key"}).Draw(h.t, "key")
		s.Ports = []lb.Port{{Protocol: "TCP", Number: uint16(h.pick(5))}}
	case 8:
		s.Ingress = nil
	case 9:
		h.reservations = h.reservations[:0:0]
		for _, addr := range theirs.Ingress {
			h.reservations = append(h.reservations, &lb.Reservation{Name: "r", Created: h.now, Ranges: []lb.Range{{From: addr, To: addr}}, Service: s.Key})
		}
		return
	default: // it is as it was
		s.ExternalIPs, s.Requested, s.SharingKey, s.Class = nil, nil, "", ""
	}
	h.services[i] = &s
}

// passQuietly makes a pass and a Planner's, compares them, and writes most of the plan.
func (h *history) passQuietly() {
	world := World{
		Now: h.now, Classes: lb.Classes{Name: "daymark.io/daymark", Classless: true}, Services: h.services, Pools: lb.NewPools(h.pools),
		Reservations: h.reservations, Memory: h.memory, PoolGrace: h.grace, Withdrawals: []Withdrawal{{"n1", 1}},
	}
	plan := Compute(world)
	h.checkPlanner(world, plan)
	h.memory = plan.Memory
	h.services = slices.Clone(h.services)
	for i, s := range h.services {
		place := plan.PlaceOf(s)
		if place < 0 || h.flag("it is not written") {
			continue
		}
		written := edited(s)
		show(&written, &plan.Assignments[place])
		if !reflect.DeepEqual(&written, s) { // what has all it should have is not written
			h.services[i] = &written
		}
	}
}

// A Planner whose Services hold what they show decides on the one that comes alone.
func TestPlanner_DecidesOnFewServices(t *testing.T) {
	pools := hundredPools(100)
	services := fleet(5000, lb.IPv4)
	planner := &Planner{}
	for range 2 {
		settle(planner.Compute(worldOf(slices.Clone(services), pools...)))
		for i, s := range services {
			written := edited(s)
			services[i] = &written
		}
	}
	planner.Compute(worldOf(slices.Clone(services), pools...))
	services = append(services, fleet(5001, lb.IPv4)[5000])
	plan := planner.Compute(worldOf(services, pools...))
	places, all := plan.Decided()
	if all || len(places) != 1 || plan.Assignments[places[0]].Service.Key != services[5000].Key || len(plan.Assignments[places[0]].Addresses) != 1 {
		t.Fatalf("it decides on others than the Service that came: all %t, %d", all, len(places))
	}
}
