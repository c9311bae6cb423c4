package reconcile

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/daymark-lb/daymark/internal/core/departure"
	"github.com/daymark-lb/daymark/speaker/bgp"
)

// toldToEnd has the node leave, beside the test. It holds nothing by layer 2.
func (f *fixture) toldToEnd(t *testing.T, decision departure.Decision) (left chan struct{}) {
	t.Helper()
	left = make(chan struct{})
	go func() {
		f.Leave(context.WithoutCancel(t.Context()), decision)
		close(left)
	}()
	synctest.Wait()
	return left
}

func TestLoop_NodeThatLeavesIsUnpreferredAndThenWithdrawn(t *testing.T) {
	inTime(t, func(t *testing.T, f *fixture) {
		f.pass(t)
		f.bgp.status = []bgp.Status{{Name: "router", IPv4: 1}}
		left := f.toldToEnd(t, departure.Decision{Leave: true, Why: "it is cordoned"})
		f.pass(t)
		s := f.bgp.desired[0]
		if s.Leaving != "it is cordoned" || len(s.Paths) != 1 || len(s.Paths[0].Attributes.Communities) != 1 || *s.Paths[0].Attributes.LocalPref != 0 {
			t.Fatalf("first it has %+v", s)
		}
		if ready := f.ready(); ready.Status != metav1.ConditionFalse || ready.Reason != "Leaving" || ready.Message != "the node leaves: it is cordoned" {
			t.Errorf("reported as %+v", ready)
		}
		f.bgp.setBehind(true) // The router has not read it yet.
		time.Sleep(2 * unpreferredTime)
		f.pass(t)
		if len(f.bgp.desired[0].Paths) != 1 {
			t.Error("withdrawn before the router knows that others are preferred")
		}
		f.bgp.setBehind(false)
		time.Sleep(unpreferredTime + 2*sentInterval)
		f.pass(t)
		if s := f.bgp.desired[0]; s.Leaving == "" || len(s.Paths) != 0 {
			t.Errorf("then it has %+v", s)
		}
		if closed(left) {
			t.Error("it ends while packets are on their way")
		}
		time.Sleep(drainTime + 2*sentInterval)
		if !closed(left) {
			t.Error("it does not end")
		}
	})
}

// A node that has announced nothing has nothing to wait for, but for the end of the packets under way.
func TestLoop_NodeThatLeavesWithoutRoutesIsQuick(t *testing.T) {
	inTime(t, func(t *testing.T, f *fixture) {
		f.pass(t)
		left := f.toldToEnd(t, departure.Decision{Leave: true, Why: "it is cordoned"})
		f.pass(t)
		if len(f.bgp.desired[0].Paths) != 0 {
			t.Errorf("it has %+v", f.bgp.desired[0])
		}
		time.Sleep(drainTime + 2*sentInterval)
		if !closed(left) {
			t.Error("it does not end")
		}
	})
}

func TestLoop_NodeThatLeavesGivesUpOnARouterThatDoesNotRead(t *testing.T) {
	inTime(t, func(t *testing.T, f *fixture) {
		f.pass(t)
		f.bgp.status = []bgp.Status{{Name: "router", IPv4: 1, Behind: true}}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began := time.Now()
		f.Leave(ctx, departure.Decision{Leave: true, Why: "it is cordoned"})
		if took := time.Since(began); took > time.Second+2*sentInterval {
			t.Errorf("it took %v", took)
		}
	})
}

// Where all speakers leave there is no other path to prefer and nobody to hand over to, and the routers are still told.
func TestLoop_SpeakerThatLeavesForGoodWithdrawsAtOnce(t *testing.T) {
	inTime(t, func(t *testing.T, f *fixture) {
		f.untilHeld(t)
		f.addNode()
		f.bgp.status = []bgp.Status{{Name: "router", IPv4: 1}}
		f.bgp.setBehind(true)
		left := f.toldToEnd(t, departure.Decision{Leave: true, ForGood: true, Why: "Daymark is uninstalled"})
		f.pass(t)
		if s := f.bgp.desired[0]; s.Leaving != "Daymark is uninstalled" || len(s.Paths) != 0 {
			t.Errorf("it has %+v", s)
		}
		if !f.gossip.sent.State.Leaving {
			t.Error("the others may hand over to it")
		}
		time.Sleep(2 * sentInterval)
		if closed(left) {
			t.Error("it ends before the routers know")
		}
		f.bgp.setBehind(false)
		time.Sleep(2 * sentInterval)
		if !closed(left) {
			t.Error("it waits for somebody to take its address over")
		}
	})
}

func TestLoop_RestartKeepsTheRoutes(t *testing.T) {
	inTime(t, func(t *testing.T, f *fixture) {
		f.pass(t)
		f.bgp.status = []bgp.Status{{Name: "router", IPv4: 1}}
		left := f.toldToEnd(t, departure.Decision{Why: "its Pod is deleted"})
		f.pass(t)
		synctest.Wait()
		if s := f.bgp.desired[0]; s.Leaving != "" || len(s.Paths) != 1 || len(s.Paths[0].Attributes.Communities) != 0 {
			t.Errorf("it has %+v", s)
		}
		if ready := f.ready(); ready.Reason == "Leaving" || !closed(left) {
			t.Errorf("reported as %+v, free %t", ready, closed(left))
		}
	})
}

// A pass later than the one that made the plan sees the stage as well.
func TestLoop_HealthChecksFailWhileItLeaves(t *testing.T) {
	f := newFixture(t)
	for _, stage := range []departure.Stage{departure.Announcing, departure.Unpreferred, departure.Withdrawn} {
		seen, err := f.look(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		seen.world.Reading = 1
		paths := f.compute(seen, stage).plan.HealthPaths
		if health, _ := paths.Of(seen.world.Services[0].Key); health.LocalEndpoints != 1 || health.NodeHealthy != (stage == departure.Announcing) {
			t.Errorf("at stage %d: %+v", stage, paths)
		}
	}
}
