package reconcile

import (
	"errors"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/core/election"
	"github.com/daymark-lb/daymark/internal/core/handover"
	"github.com/daymark-lb/daymark/internal/core/shares"
	"github.com/daymark-lb/daymark/internal/core/status"
	"github.com/daymark-lb/daymark/speaker/bfd"
	"github.com/daymark-lb/daymark/speaker/bgp"
	"github.com/daymark-lb/daymark/speaker/gossip"
	"github.com/daymark-lb/daymark/speaker/layer2"
)

var addressOfN2 = netip.MustParseAddr("192.0.2.12")

// addNeighbor says that n2 is alive, with an address on the segment of n1, and says this of what it drains.
func (f *fixture) addNeighbor(draining ...netip.Addr) {
	f.addNode()
	n2 := links()
	n2[0].MAC, n2[0].Addresses = "02:00:00:00:00:02", []netip.Prefix{netip.PrefixFrom(addressOfN2, 24)}
	f.gossip.view.Peers["n2"] = gossip.Peer{Incarnation: 1, StateKnown: true, State: gossip.State{
		Known: true, Links: n2, Draining: draining, DrainingTold: true, PassesOn: true,
	}}
}

// claim of the address by n2 in its turn.
func (f *fixture) claim(term uint64) {
	f.gossip.view.Claims.Learn(election.Claim{Addr: vip, Node: "n2", Incarnation: 1, Term: term, Announced: true})
}

// shares has n2 hold the address and share it with n1 by its table of a number, each of which is another.
func (f *fixture) shares(t *testing.T, revision uint64) {
	t.Helper()
	of := make([]byte, shares.Count)
	of[revision] = 1
	table, ok := shares.Make([]string{"n1", "n2"}, of)
	if !ok {
		t.Fatal("there is no such table")
	}
	f.gossip.view.Claims.Learn(election.Claim{Addr: vip, Node: "n2", Incarnation: 1, Term: 1, Announced: true, Shares: table, Revision: revision})
}

func TestLoop_PassesOnOpenConnections(t *testing.T) {
	fromN2 := []handover.Passage{{Addr: vip, Via: addressOfN2, Hops: 1}}
	for _, test := range []struct {
		name string
		run  func(t *testing.T, f *fixture)
	}{
		{"before the others are known it is unknown whether the node may be stopped, and later it is said that connections break", func(t *testing.T, f *fixture) {
			f.gossip.view.Known = false
			wait := f.pass(t)
			if c := f.condition(v1beta1.ConditionSafeToStop); c.Status != metav1.ConditionUnknown || c.Reason != status.NotCountedYet.Name || !strings.Contains(c.Message, "yet") {
				t.Errorf("safe to stop: %+v", c)
			}
			if c := f.condition(v1beta1.ConditionConnectionsBreak); c.Type != "" || wait <= 0 {
				t.Errorf("at once: %+v, and the next pass in %s", c, wait)
			}
			time.Sleep(undecidedLimit)
			f.pass(t)
			if c := f.condition(v1beta1.ConditionConnectionsBreak); c.Status != metav1.ConditionTrue || !strings.Contains(c.Message, "MembershipKnown") {
				t.Errorf("after %s: %+v", undecidedLimit, c)
			}
			if c := f.condition(v1beta1.ConditionSafeToStop); c.Status != metav1.ConditionUnknown || !strings.Contains(c.Message, "does not pass by itself") {
				t.Errorf("after %s, safe to stop: %+v", undecidedLimit, c)
			}
			f.gossip.view.Known = true
			f.addNeighbor()
			f.gossip.view.Peers["n2"] = gossip.Peer{Incarnation: 1, StateKnown: true}
			f.untilSettled(t)
			f.pass(t)
			if c := f.condition(v1beta1.ConditionSafeToStop); c.Status == metav1.ConditionUnknown {
				t.Errorf("once they are known: %+v", c)
			}
		}},
		{"before the others are known the kernel is left as it is", func(t *testing.T, f *fixture) {
			f.gossip.view.Known = false
			f.pass(t)
			if slices.Contains(f.calls, "connections") || f.gossip.sent.State.DrainingTold {
				t.Errorf("calls %v, told %+v", f.calls, f.gossip.sent.State)
			}
		}},
		{"who takes an address over passes on before it answers, until the former one has none", func(t *testing.T, f *fixture) {
			f.takeOver(t)
			if !reflect.DeepEqual(f.connections.plan.Passages, fromN2) {
				t.Errorf("passages %+v", f.connections.plan.Passages)
			}
			if at, answers := slices.Index(f.calls, "connections"), slices.Index(f.calls, "layer2"); at < 0 || at > answers {
				t.Errorf("calls %v", f.calls)
			}
			f.addNeighbor(vip)
			time.Sleep(time.Minute)
			if f.pass(t); !reflect.DeepEqual(f.connections.plan.Passages, fromN2) {
				t.Errorf("n2 has some, and the passages are %+v", f.connections.plan.Passages)
			}
			f.addNeighbor()
			if f.pass(t); len(f.connections.plan.Passages) > 0 {
				t.Errorf("n2 has none, and the passages are %+v", f.connections.plan.Passages)
			}
		}},
		{"of a node that dies nothing is passed on", func(t *testing.T, f *fixture) {
			f.takeOver(t)
			f.gossip.view.Silent = map[string]gossip.Peer{"n2": f.gossip.view.Peers["n2"]}
			f.removeNode()
			wait := f.pass(t)
			if !reflect.DeepEqual(f.connections.plan.Passages, fromN2) || wait <= 0 || wait > handover.CrashDelay {
				t.Errorf("at once: passages %+v, again in %s", f.connections.plan.Passages, wait)
			}
			time.Sleep(handover.CrashDelay)
			if f.pass(t); len(f.connections.plan.Passages) > 0 {
				t.Errorf("passages %+v", f.connections.plan.Passages)
			}
		}},
		{"of a node whose speaker restarts it goes on", func(t *testing.T, f *fixture) {
			f.takeOver(t)
			f.removeNode()
			if f.pass(t); !reflect.DeepEqual(f.connections.plan.Passages, fromN2) {
				t.Errorf("passages %+v", f.connections.plan.Passages)
			}
		}},
		{"of a node that is switched off after its speaker has left nothing is passed on", func(t *testing.T, f *fixture) {
			f.takeOver(t)
			f.removeNode()
			f.connections.silent = []netip.Addr{addressOfN2}
			if f.pass(t); len(f.connections.plan.Passages) > 0 {
				t.Errorf("passages %+v", f.connections.plan.Passages)
			}
		}},
		{"the servers of a shared address pass on to each other after its table has changed", func(t *testing.T, f *fixture) {
			f.addNeighbor()
			f.shares(t, 1)
			f.untilSettled(t)
			time.Sleep(f.draining)
			if f.pass(t); len(f.connections.plan.Passages) > 0 {
				t.Errorf("long after, the passages are %+v", f.connections.plan.Passages)
			}
			f.gossip.view.Suspects = []string{"n2"}
			if f.pass(t); !reflect.DeepEqual(f.connections.plan.Passages, fromN2) {
				t.Errorf("while n2 is suspected, the passages are %+v", f.connections.plan.Passages)
			}
			f.gossip.view.Suspects = nil
			if f.pass(t); len(f.connections.plan.Passages) > 0 {
				t.Errorf("for no reason, and the passages are %+v", f.connections.plan.Passages)
			}
			f.shares(t, 2)
			if f.pass(t); !reflect.DeepEqual(f.connections.plan.Passages, fromN2) {
				t.Errorf("with another table, the passages are %+v", f.connections.plan.Passages)
			}
		}},
		{"a server whose speaker is back passes on as before, though it has not said so yet", func(t *testing.T, f *fixture) {
			f.addNeighbor()
			n3 := links()
			n3[0].MAC, n3[0].Addresses = "02:00:00:00:00:03", []netip.Prefix{netip.MustParsePrefix("192.0.2.13/24")}
			f.gossip.view.Alive = append(f.gossip.view.Alive, "n3")
			f.gossip.view.Peers["n3"] = gossip.Peer{Incarnation: 1, StateKnown: true, State: gossip.State{Known: true, Links: n3, DrainingTold: true, PassesOn: true}}
			table := shares.Divide(shares.Table{}, []string{"n1", "n2", "n3"})
			f.gossip.view.Claims.Learn(election.Claim{Addr: vip, Node: "n3", Incarnation: 1, Term: 1, Announced: true, Shares: table, Revision: 1})
			f.untilSettled(t)
			f.pass(t)
			ring := []handover.Passage{{Addr: vip, Via: addressOfN2, Hops: 2}}
			if !reflect.DeepEqual(f.connections.plan.Passages, ring) {
				t.Fatalf("passages %+v", f.connections.plan.Passages)
			}
			n2 := f.gossip.view.Peers["n2"]
			n2.Incarnation, n2.State.DrainingTold, n2.State.PassesOn, n2.Partial = 2, false, false, true
			f.gossip.view.Peers["n2"] = n2
			if f.pass(t); !reflect.DeepEqual(f.connections.plan.Passages, ring) {
				t.Errorf("while it has not said so, the passages are %+v", f.connections.plan.Passages)
			}
		}},
		{"the former one counts, and says so to the others and in its Speaker", func(t *testing.T, f *fixture) {
			f.addNeighbor()
			f.gossip.view.Peers["n2"] = gossip.Peer{Incarnation: 1, StateKnown: true} // may not hold
			f.untilHeld(t)
			f.addNeighbor()
			f.claim(9)
			f.pass(t)
			if plan := f.connections.plan; len(plan.Counted) != 1 || plan.Counted[0].Addr != vip || !reflect.DeepEqual(plan.Passages, fromN2) {
				t.Errorf("plan %+v", plan)
			}
			if said := f.gossip.sent.State; !said.DrainingTold || !slices.Equal(said.Draining, []netip.Addr{vip}) {
				t.Errorf("says %v", said.Draining)
			}
			if s := f.reporter.newest.Status.Draining; s == nil || s.Addresses != 1 || s.List[0].Connections != nil {
				t.Errorf("before it has counted: %+v", s)
			}
			f.connections.left = map[netip.Addr]int{vip: 3}
			f.pass(t)
			s := f.reporter.newest.Status.Draining
			if s == nil || s.Connections != 3 || *s.List[0].Connections != 3 || time.Until(s.List[0].Until.Time) > f.draining {
				t.Errorf("status %+v", s)
			}
			f.connections.left = map[netip.Addr]int{vip: 0}
			time.Sleep(time.Minute)
			f.pass(t)
			if f.reporter.newest.Status.Draining != nil || len(f.connections.plan.Counted) > 0 {
				t.Errorf("with none left: %+v, %+v", f.reporter.newest.Status.Draining, f.connections.plan)
			}
		}},
		{"a speaker that restarts counts what the one before counted", func(t *testing.T, f *fixture) {
			f.connections.kept.Counted = []handover.Counted{{Addr: vip, For: time.Minute}}
			f.addNeighbor()
			f.claim(1)
			f.untilSettled(t)
			if f.pass(t); len(f.connections.plan.Counted) != 1 || f.connections.plan.Counted[0].Addr != vip {
				t.Errorf("plan %+v", f.connections.plan)
			}
		}},
		{"while the kernel does not say what was counted it is left as it is, and it is not said that there is nothing", func(t *testing.T, f *fixture) {
			f.connections.keptErr = errors.New("interrupted system call")
			f.addNeighbor()
			f.claim(1)
			f.untilSettled(t)
			if wait := f.pass(t); slices.Contains(f.calls, "connections") || f.gossip.sent.State.DrainingTold || wait <= 0 || wait > keptInterval {
				t.Errorf("calls %v, says %+v, again in %s", f.calls, f.gossip.sent.State, wait)
			}
			if c := f.condition(v1beta1.ConditionSafeToStop); c.Reason != status.NotCountedYet.Name {
				t.Errorf("safe to stop: %+v", c)
			}
			f.connections.keptErr, f.connections.kept.Counted = nil, []handover.Counted{{Addr: vip, For: time.Minute}}
			if f.pass(t); !slices.Equal(f.connections.plan.Counted, f.connections.kept.Counted) || !f.gossip.sent.State.DrainingTold {
				t.Errorf("plan %+v, says %+v", f.connections.plan, f.gossip.sent.State)
			}
		}},
		{"where it does not say so, the plan is made without, and what was counted remains unknown", func(t *testing.T, f *fixture) {
			f.connections.keptErr = errors.New("operation not permitted")
			f.addNeighbor()
			f.claim(1)
			f.untilSettled(t)
			time.Sleep(undecidedLimit)
			f.pass(t)
			if !slices.Contains(f.calls, "connections") {
				t.Errorf("calls %v", f.calls)
			}
			for _, f.connections.keptErr = range []error{f.connections.keptErr, nil} { // then it says what this process has set
				f.pass(t)
				c := f.condition(v1beta1.ConditionSafeToStop)
				if f.gossip.sent.State.DrainingTold || c.Status != metav1.ConditionUnknown || !strings.Contains(c.Message, "(operation not permitted)") {
					t.Errorf("with the error %v it says %+v, and safe to stop is %+v", f.connections.keptErr, f.gossip.sent.State, c)
				}
			}
		}},
		{"routers are told nothing until what is the others' is passed on, and they have heard of it", func(t *testing.T, f *fixture) {
			f.draining, f.drainingByBGP = 0, 10*time.Minute
			f.bfd.status = []bfd.Status{{Name: "router", Settled: true}}
			f.gossip.view.Known = false
			if f.pass(t); !f.bgp.desired[0].Hold {
				t.Error("the others are not known, and the session is not held")
			}
			f.gossip.view.Known = true
			f.addNeighbor()
			f.untilSettled(t)
			if !reflect.DeepEqual(f.connections.plan.Passages, fromN2) || !f.bgp.desired[0].Hold {
				t.Errorf("passages %+v, held: %t", f.connections.plan.Passages, f.bgp.desired[0].Hold)
			}
			time.Sleep(time.Until(f.memory.connections.since.Add(handover.RouteDelay - time.Nanosecond)))
			if wait := f.pass(t); !f.bgp.desired[0].Hold || wait != time.Nanosecond {
				t.Errorf("held: %t, and the next pass is in %s", f.bgp.desired[0].Hold, wait)
			}
			time.Sleep(time.Nanosecond)
			if f.pass(t); f.bgp.desired[0].Hold {
				t.Errorf("it is still held, after %s", time.Since(f.started))
			}
		}},
		{"they are told though the others cannot be known", func(t *testing.T, f *fixture) {
			f.drainingByBGP = 10 * time.Minute
			f.bfd.status = []bfd.Status{{Name: "router", Settled: true}}
			f.gossip.off = true
			f.pass(t)
			if f.pass(t); f.bgp.desired[0].Hold {
				t.Error("gossip is off, and the session is held")
			}
			f.gossip.off, f.gossip.view.Known = false, false
			time.Sleep(undecidedLimit)
			if f.pass(t); f.bgp.desired[0].Hold {
				t.Errorf("it is still held, after %s", time.Since(f.started))
			}
		}},
		{"with 0 there is nothing", func(t *testing.T, f *fixture) {
			f.draining = 0
			f.takeOver(t)
			if !reflect.DeepEqual(f.connections.plan, handover.Plan{}) {
				t.Errorf("plan %+v", f.connections.plan)
			}
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			inTime(t, func(t *testing.T, f *fixture) {
				f.draining = 10 * time.Minute
				test.run(t, f)
			})
		})
	}
}

// condition of a type in the newest report.
func (f *fixture) condition(kind string) metav1.Condition {
	if c := meta.FindStatusCondition(f.reporter.newest.conditions, kind); c != nil {
		return *c
	}
	return metav1.Condition{}
}

// untilSettled passes until n1 has met the others.
func (f *fixture) untilSettled(t *testing.T) {
	t.Helper()
	for range 100 {
		if f.pass(t); f.memory.participant.Settled() {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Fatal("n1 does not settle")
}

// takeOver has n2 hold the address and then leave it to n1.
func (f *fixture) takeOver(t *testing.T) {
	t.Helper()
	f.addNeighbor()
	f.claim(1)
	f.untilSettled(t)
	f.pass(t)
	n2 := f.gossip.view.Peers["n2"]
	n2.State.Leaving = true
	f.gossip.view.Peers["n2"] = n2
	f.untilHeld(t)
}

func TestSafeCondition(t *testing.T) {
	until := metav1.NewTime(time.Date(2026, 11, 27, 3, 0, 0, 0, time.UTC))
	left := &v1beta1.SpeakerDraining{Connections: 7, Addresses: 2, List: []v1beta1.DrainingAddress{{Until: until}, {Until: metav1.NewTime(until.Add(-time.Hour))}}}
	for _, test := range []struct {
		name     string
		held     []layer2.Held
		sessions []bgp.Status
		left     *v1beta1.SpeakerDraining
		want     string
		says     string
	}{
		{"it holds an address", []layer2.Held{{Addr: vip}}, nil, nil, "Attracting", "drained"},
		{"it announces a route", nil, []bgp.Status{{}, {IPv6: 1}}, left, "Attracting", "drained"},
		{"connections are left", nil, []bgp.Status{{}}, left, "ConnectionsLeft", "7 connections to 2 addresses that moved away are open here, and are passed on to this node until 2026-11-27T03:00:00Z"},
		{"nothing is left", nil, []bgp.Status{{}}, nil, "NothingLeft", "no connections"},
	} {
		c := safeCondition(attracts(test.held, test.sessions), "", test.left, "", 0)
		if c.Reason != test.want || (c.Status == "True") != (test.want == "NothingLeft") || !strings.Contains(c.Message, test.says) {
			t.Errorf("%s: %+v", test.name, c)
		}
	}
	if c := safeCondition(false, "", left, "those to IPv4 addresses and n2", 0); !strings.Contains(c.Message, "but not by nodes that share no segment with it") {
		t.Errorf("n2 cannot pass on to it: %+v", c)
	}
	if c := safeCondition(false, "", nil, "those to IPv4 addresses and n2", 3); c.Status != metav1.ConditionTrue || !strings.Contains(c.Message, "but for those to 3 addresses that no node can pass on") {
		t.Errorf("no node can pass on to it: %+v", c)
	}
}

// A speaker that has just started takes nothing from the kernel, and is not ready, before it has heard from each that is alive who has
// connections; but it does not wait for ever.
func TestLoop_WaitsForTheStatesOfTheOthers(t *testing.T) {
	for _, test := range []struct{ comes, partial bool }{{true, false}, {false, false}, {true, true}, {false, true}} {
		inTime(t, func(t *testing.T, f *fixture) {
			f.addNeighbor()
			comes, begins := test.comes, gossip.Peer{Incarnation: 1}
			if test.partial {
				begins = f.gossip.view.Peers["n2"]
				begins.Partial = true
			}
			f.gossip.view.Peers["n2"] = begins
			f.pass(t)
			time.Sleep(statesLimit / 2) // Addresses are claimed by then.
			f.pass(t)
			if decided := slices.Contains(f.calls, "connections"); decided || f.Ready() == nil || !strings.Contains(f.Ready().Error(), "the speaker of n2") {
				t.Fatalf("it has decided: %t, and is ready: %v", decided, f.Ready())
			}
			if comes {
				f.addNeighbor()
			} else {
				time.Sleep(statesLimit)
			}
			f.pass(t)
			if decided := slices.Contains(f.calls, "connections"); !decided || f.Ready() != nil {
				t.Errorf("the state comes: %t, it has decided: %t, and is ready: %v", comes, decided, f.Ready())
			}
		})
	}
}
