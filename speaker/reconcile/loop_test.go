package reconcile

import (
	"context"
	"errors"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/bubble"
	"github.com/daymark-lb/daymark/internal/core/announce"
	"github.com/daymark-lb/daymark/internal/core/bfdsession"
	"github.com/daymark-lb/daymark/internal/core/departure"
	"github.com/daymark-lb/daymark/internal/core/election"
	"github.com/daymark-lb/daymark/internal/loop"
	"github.com/daymark-lb/daymark/internal/progress"
	"github.com/daymark-lb/daymark/speaker/bfd"
	"github.com/daymark-lb/daymark/speaker/bgp"
	"github.com/daymark-lb/daymark/speaker/gossip"
	"github.com/daymark-lb/daymark/speaker/layer2"
)

// executors in the order in which a pass calls them.
var executors = []string{"gossip", "view", "connections", "layer2", "broadcast", "unnumbered", "bgp", "bfd", "health"}

// inTime runs a test with a clock that is set forward.
func inTime(t *testing.T, test func(t *testing.T, f *fixture)) {
	t.Helper()
	bubble.Test(t, func(t *testing.T) { test(t, newFixture(t)) })
}

// untilHeld passes until n1 answers for the address.
func (f *fixture) untilHeld(t *testing.T) {
	t.Helper()
	for range 10 {
		if f.pass(t); len(f.layer2.desired) > 0 {
			return
		}
		time.Sleep(500 * time.Millisecond)
	}
	t.Fatal("n1 does not hold the address")
}

func TestLoop_Pass(t *testing.T) {
	for _, test := range []struct {
		name string
		run  func(t *testing.T, f *fixture)
	}{
		{"the gossip is told the others before it is asked, and layer 2 answers before claims are broadcast", func(t *testing.T, f *fixture) {
			f.untilHeld(t)
			if !slices.Equal(f.calls, executors) {
				t.Errorf("calls %v, want %v", f.calls, executors)
			}
			if len(f.gossip.sent.Claims) != 1 || f.layer2.desired[0].Addr != vip {
				t.Errorf("in the pass that claims %v, layer 2 answers for %v", f.gossip.sent.Claims, f.layer2.desired)
			}
		}},
		{"every executor gets its part", func(t *testing.T, f *fixture) {
			f.addNode()
			f.untilHeld(t)
			if len(f.bgp.desired) != 1 || len(f.bfd.desired) != 1 || len(f.layer2.macs) != 1 || len(f.gossip.sent.Wanted) != 1 {
				t.Errorf("BGP %v, BFD %v, MACs %v, wanted %v", f.bgp.desired, f.bfd.desired, f.layer2.macs, f.gossip.sent.Wanted)
			}
			if _, self := f.gossip.desired.Expected["n1"]; self || len(f.gossip.desired.Expected) != 1 || len(f.gossip.desired.Addresses) != 1 {
				t.Errorf("the gossip expects %+v", f.gossip.desired)
			}
		}},
		{"a claim says that the address was announced once layer 2 answers for it", func(t *testing.T, f *fixture) {
			f.untilHeld(t)
			for _, announced := range []bool{false, true} {
				if claim := f.gossip.view.Claims[vip]; claim.Announced != announced || f.layer2.desired[0].Probe == announced {
					t.Errorf("announced %t: claim %+v, layer 2 has %+v", announced, claim, f.layer2.desired)
				}
				f.layer2.held = []layer2.Held{{Addr: vip}}
				f.pass(t)
				f.pass(t)
			}
		}},
		{"a claim says that the address is not announced any more when it is left to another host", func(t *testing.T, f *fixture) {
			f.untilHeld(t)
			f.layer2.held = []layer2.Held{{Addr: vip}}
			f.pass(t)
			f.layer2.held, f.layer2.inUse = nil, []layer2.Conflict{{Addr: vip, Node: "n2"}}
			f.pass(t)
			if claim := f.gossip.view.Claims[vip]; !claim.Announced {
				t.Fatalf("a node of the cluster has not taken it: %+v", claim)
			}
			f.layer2.inUse[0].Node = ""
			f.pass(t)
			f.pass(t)
			if claim := f.gossip.view.Claims[vip]; claim.Announced || !f.layer2.desired[0].Probe {
				t.Errorf("claim %+v, layer 2 has %+v", claim, f.layer2.desired)
			}
		}},
		{"an address that was taken over from a speaker is announced once more after that has returned", func(t *testing.T, f *fixture) {
			f.addNode()
			f.gossip.view.Claims.Learn(election.Claim{Addr: vip, Node: "n2", Incarnation: 1, Term: 1, Announced: true})
			f.pass(t)
			f.removeNode()
			f.untilHeld(t)
			f.addNode()
			wait := f.pass(t)
			if slices.Contains(f.calls, "announce") || wait <= 0 || wait > 100*time.Millisecond {
				t.Errorf("at once: calls %v, next pass after %v", f.calls, wait)
			}
			time.Sleep(wait)
			f.pass(t)
			if i := slices.Index(f.calls, "announce"); i < 0 || f.calls[i-1] != "layer2" || !slices.Equal(f.layer2.announced, []netip.Addr{vip}) {
				t.Errorf("after the exchange of claims: calls %v, announced %v", f.calls, f.layer2.announced)
			}
		}},
		{"an address that was not contested is not announced once more", func(t *testing.T, f *fixture) {
			f.addNode()
			f.untilHeld(t)
			time.Sleep(time.Minute)
			f.pass(t)
			f.removeNode()
			f.pass(t)
			f.addNode()
			for wait := f.pass(t); wait > 0 && wait < time.Second; wait = f.pass(t) {
				time.Sleep(wait)
			}
			if len(f.layer2.announced) > 0 {
				t.Errorf("announced %v", f.layer2.announced)
			}
		}},
		{"a session is held until its BFD session is settled, or cannot be", func(t *testing.T, f *fixture) {
			for _, step := range []struct {
				status []bfd.Status
				hold   bool
			}{
				{nil, true},
				{[]bfd.Status{{Name: "router"}}, true},
				{[]bfd.Status{{Name: "router", Settled: true}}, false},
				{[]bfd.Status{{Name: "router", Problem: "another process has the port"}}, false},
			} {
				f.bfd.status = step.status
				f.pass(t)
				if f.bgp.desired[0].Hold != step.hold {
					t.Errorf("with %+v the session is held: %t", step.status, f.bgp.desired[0].Hold)
				}
			}
		}},
		{"routes wait after a failure of BFD until it has been up for holdDown", func(t *testing.T, f *fixture) {
			f.holdDown = time.Minute
			up := bfd.Status{Name: "router", State: bfdsession.Up, Since: time.Now(), Settled: true}
			router := bgp.Status{Name: "router", State: v1beta1.BGPEstablished, Since: time.Now()}
			expect := func(announced bool) {
				t.Helper()
				f.bfd.status, f.bgp.status = []bfd.Status{up}, []bgp.Status{router}
				if f.pass(t); len(f.bgp.desired[0].Paths) > 0 != announced {
					t.Errorf("with %+v the paths are %v", up, f.bgp.desired[0].Paths)
				}
			}
			f.pass(t)
			expect(true)
			up.Failed, up.State, up.LastDownAt = true, bfdsession.Down, time.Now()
			expect(true) // BGP was just established, or it had ended already.
			router.State, router.Since = v1beta1.BGPActive, time.Now()
			expect(true)
			time.Sleep(f.holdDown)
			router.State, router.Since = v1beta1.BGPEstablished, time.Now()
			expect(true)
			time.Sleep(f.holdDown)
			up.LastDownAt = time.Now()
			expect(false) // It has failed, and BGP does not know yet.
			router.State, router.Since, router.BFDEnded = v1beta1.BGPActive, time.Now(), time.Now()
			expect(false)
			time.Sleep(2 * f.holdDown)
			expect(false)
			up.State, up.Since = bfdsession.Up, time.Now()
			expect(false)
			time.Sleep(f.holdDown - time.Second)
			expect(false)
			time.Sleep(time.Second)
			expect(true)
			up.State, up.LastDownAt = bfdsession.Down, time.Now()
			router.State, router.Since, router.BFDEnded = v1beta1.BGPEstablished, time.Now(), time.Now()
			expect(false) // BGP is back, and BFD is not.
			time.Sleep(f.holdDown)
			expect(true)
			time.Sleep(f.holdDown)
			up.LastDownAt, up.Peer = time.Now(), netip.MustParseAddr("192.0.2.9")
			expect(true) // The failure is of the router that there was before.
			time.Sleep(f.holdDown)
			up.LastDownAt, up.Peer, up.Device = time.Now(), netip.MustParseAddr("192.0.2.1"), "blue"
			expect(true) // It is of one in a VRF.
			time.Sleep(f.holdDown)
			up.LastDownAt, up.Device = time.Now(), ""
			expect(false)
		}},
		{"a failure of BFD closes the sessions with the router", func(t *testing.T, f *fixture) {
			f.pass(t)
			f.BFDDown("router", "detection time expired")
			f.BFDDown("another", "detection time expired")
			if !slices.Equal(f.bgp.closed, []string{"router"}) {
				t.Errorf("closed are %v", f.bgp.closed)
			}
		}},
		{"BFD that comes up has the sessions with the router tried", func(t *testing.T, f *fixture) {
			f.pass(t)
			f.BFDUp("router")
			f.BFDUp("another")
			if !slices.Equal(f.bgp.hurried, []string{"router"}) {
				t.Errorf("tried are %v", f.bgp.hurried)
			}
		}},
	} {
		t.Run(test.name, func(t *testing.T) { inTime(t, test.run) })
	}
}

func TestLoop_OneFailingProtocolDoesNotStopTheOthers(t *testing.T) {
	for _, name := range []string{"gossip", "layer2", "unnumbered", "bgp", "bfd", "health"} {
		t.Run(name, func(t *testing.T) {
			inTime(t, func(t *testing.T, f *fixture) {
				f.untilHeld(t)
				f.failing[name] = true
				wait := f.pass(t)
				if !slices.Equal(f.calls, executors) {
					t.Errorf("calls %v, want %v", f.calls, executors)
				}
				if name == "gossip" {
					return // It is logged: layer 2 goes on with the members that are known.
				}
				if ready := f.ready(); ready.Status != metav1.ConditionFalse || ready.Message != name+" fails" {
					t.Errorf("reported as %+v", ready)
				}
				if wait <= 0 || wait > retryInterval {
					t.Errorf("the next pass is after %v", wait)
				}
				delete(f.failing, name)
				f.pass(t)
				if ready := f.ready(); ready.Status != metav1.ConditionTrue {
					t.Errorf("afterwards reported as %+v", ready)
				}
			})
		})
	}
}

func TestLoop_AnErrorWhileLookingChangesNothing(t *testing.T) {
	for _, test := range []struct {
		name string
		fail func(f *fixture)
	}{
		{"a cache cannot be read", func(f *fixture) { f.unread = errors.New("not synced") }},
		{"the network interfaces are not known yet", func(f *fixture) { f.linksUnknown = true }},
	} {
		t.Run(test.name, func(t *testing.T) {
			inTime(t, func(t *testing.T, f *fixture) {
				f.untilHeld(t)
				f.calls, f.reporter.newest = nil, nil
				test.fail(f)
				if _, err := f.Reconcile(t.Context(), loop.Wake{}); err == nil {
					t.Error("the pass has no error")
				}
				if len(f.calls) > 0 || f.reporter.newest != nil {
					t.Errorf("calls %v, reported %v", f.calls, f.reporter.newest)
				}
			})
		})
	}
}

func TestLoop_LeavingHandsOverAndThenIsFree(t *testing.T) {
	inTime(t, func(t *testing.T, f *fixture) {
		f.Leave(t.Context(), departure.Decision{}) // Before the first pass nothing is held.
		f.untilHeld(t)
		f.addNode()
		left := make(chan struct{})
		go func() {
			f.Leave(context.WithoutCancel(t.Context()), departure.Decision{})
			close(left)
		}()
		synctest.Wait()
		select {
		case <-f.leave:
		default:
			t.Error("the loop is not woken")
		}
		f.pass(t)
		synctest.Wait()
		if len(f.layer2.desired) != 1 || !f.gossip.sent.State.Leaving || closed(left) {
			t.Fatalf("before another has taken over: answers for %v, tells %+v, free: %t", f.layer2.desired, f.gossip.sent.State, closed(left))
		}
		held := f.gossip.view.Claims[vip]
		f.gossip.view.Claims.Learn(election.Claim{Addr: vip, Node: "n2", Incarnation: 1, Term: held.Term + 1})
		f.pass(t)
		synctest.Wait()
		if len(f.layer2.desired) != 0 || !closed(left) {
			t.Errorf("after: answers for %v, free: %t", f.layer2.desired, closed(left))
		}
	})
}

func closed(channel <-chan struct{}) bool {
	select {
	case <-channel:
		return true
	default:
		return false
	}
}

// The address of a router without one in its BGPPeer is known once it has been heard.
func TestEstablished_HadRouterThatIsNotYetKnown(t *testing.T) {
	before := establishedBefore(&v1beta1.Speaker{Status: v1beta1.SpeakerStatus{BGP: []v1beta1.BGPSession{
		{Peer: "cable", Address: "fe80::1%eth1", State: v1beta1.BGPEstablished}, {Peer: "other", State: v1beta1.BGPActive},
	}}})
	for peer, want := range map[string]bool{"cable": true, "other": false} {
		if got := before.had(&announce.Session{Name: peer, Peer: peer}); got != want {
			t.Errorf("%s: %t", peer, got)
		}
	}
}

func TestLoop_Ready(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(f *fixture)
		// why it is not ready after a pass; empty: it is. after is how long until it is, if nothing changes.
		why   string
		after time.Duration
	}{
		{"it has met all others", (*fixture).addNode, "", 0},
		{"an expected speaker is missing", func(*fixture) {}, "waiting for speakers that should be there", time.Second},
		{"the membership is not known", func(f *fixture) {
			f.addNode()
			f.gossip.view.Known, f.gossip.view.Why = false, "no key"
		}, "the other speakers have not been met: no key", membershipTimeout},
		{"gossip is off", func(f *fixture) { f.gossip.view.Known, f.gossip.off = false, true }, "", 0},
		{"a session has not been started", func(f *fixture) {
			f.addNode()
			f.bgp.status = nil
		}, "BGP session router has not been started", sessionsTimeout},
		{"a router does not answer", func(f *fixture) {
			f.addNode()
			f.bgp.status[0].State, f.bgp.status[0].LastError = "Connect", "no answer"
		}, "BGP session router is not established: no answer", sessionsTimeout},
		{"a router reads slowly", func(f *fixture) {
			f.addNode()
			f.bgp.status[0].Behind = true
		}, "the router of BGP session router has not been sent all routes", sessionsTimeout},
		{"a router that was away before does not answer", func(f *fixture) {
			f.addNode()
			f.bgp.status[0].State, f.reported.Status.BGP[0].State = "Connect", v1beta1.BGPActive
		}, "", 0},
		{"a router that there was no session with does not answer", func(f *fixture) {
			f.addNode()
			f.bgp.status[0].State, f.reported.Status.BGP[0].Address = "Connect", "192.0.2.2"
		}, "", 0},
		{"a router does not answer the first speaker of a node", func(f *fixture) {
			f.addNode()
			f.bgp.status[0].State, f.reported = "Connect", nil
		}, "", 0},
		{"a router does not want the session", func(f *fixture) {
			f.addNode()
			f.bgp.status[0].State, f.bgp.status[0].Rejected = "Idle", true
		}, "", 0},
		{"a session cannot be started", func(f *fixture) {
			f.addNode()
			f.bgp.status, f.noPassword = nil, true
		}, "", 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			inTime(t, func(t *testing.T, f *fixture) {
				if f.Ready() == nil {
					t.Error("ready before the first pass")
				}
				f.bgp.status = []bgp.Status{{Name: "router", State: v1beta1.BGPEstablished}}
				f.reported = &v1beta1.Speaker{Status: v1beta1.SpeakerStatus{BGP: []v1beta1.BGPSession{
					{Peer: "router", Address: "192.0.2.1", State: v1beta1.BGPEstablished},
				}}}
				test.change(f)
				wait := f.pass(t)
				if f.reported != nil { // What this process writes is nothing that was before.
					f.reported.Status.BGP = nil
				}
				if err := f.Ready(); (err == nil) != (test.why == "") || err != nil && err.Error() != test.why {
					t.Errorf("not ready: %v, want %q", err, test.why)
				}
				if test.after == 0 {
					return
				}
				if wait <= 0 || wait > unreadyInterval {
					t.Errorf("the next pass is after %v", wait)
				}
				time.Sleep(test.after - time.Millisecond)
				if f.pass(t); f.Ready() == nil {
					t.Error("ready too soon")
				}
				time.Sleep(time.Millisecond)
				if f.pass(t); f.Ready() != nil {
					t.Errorf("not ready after %v: %v", test.after, f.Ready())
				}
				f.unread = errors.New("not synced")
				if _, _ = f.Reconcile(t.Context(), loop.Wake{}); f.Ready() != nil {
					t.Error("no more ready after a pass that failed")
				}
			})
		})
	}
	t.Run("the cluster cannot be looked at", func(t *testing.T) {
		inTime(t, func(t *testing.T, f *fixture) {
			f.unread = errors.New("not synced")
			if _, _ = f.Reconcile(t.Context(), loop.Wake{}); f.Ready() == nil || !strings.Contains(f.Ready().Error(), "not synced") {
				t.Errorf("not ready: %v", f.Ready())
			}
		})
	})
}

func TestLook_Members(t *testing.T) {
	l := newFixture(t)
	l.leaving.Store(true)
	s := &snapshot{world: announce.World{Node: "n1"}, view: gossip.View{
		Known: true, Alive: []string{"n1", "n2", "n3", "n4"}, Peers: map[string]gossip.Peer{
			"n1": {Incarnation: 1},
			"n2": {Incarnation: 2, StateKnown: true, State: gossip.State{Known: true}},
			"n3": {StateKnown: true, State: gossip.State{Known: true, Leaving: true}},
			"n4": {StateKnown: true},
		},
	}}
	l.lookAtMembers(s, links())
	if alive := s.world.Members.Alive; !slices.Equal(alive, []string{"n2"}) || len(s.world.Links["n1"]) != 1 {
		t.Errorf("%v may hold addresses, the links known are %v", alive, s.world.Links)
	}
	l.leaving.Store(false)
	l.lookAtMembers(s, links())
	if want := map[string]uint64{"n1": 1, "n2": 2}; !maps.Equal(s.live, want) {
		t.Errorf("%v may hold addresses, want %v", s.live, want)
	}
}

// Of two speakers that cannot know of each other yet, neither must think itself alone.
func TestLook_ASpeakerThatTheOthersCannotKnowOfIsNotAlone(t *testing.T) {
	f := newFixture(t)
	look := func() bool {
		t.Helper()
		s, err := f.look(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return s.world.Members.Known
	}
	published := f.read
	f.read = func(ctx context.Context) (*snapshot, error) {
		s, err := published(ctx)
		s.published = nil
		return s, err
	}
	if look() {
		t.Error("known before the object says where the speaker gossips")
	}
	f.read = published
	if !look() {
		t.Error("not known though the object says where the speaker gossips")
	}
}

func TestLoop_AliveUnlessAPassOrLayer2IsStuck(t *testing.T) {
	inTime(t, func(t *testing.T, f *fixture) {
		if err := f.Alive(); err != nil {
			t.Errorf("before the first pass: %v", err)
		}
		f.layer2.stuck = errors.New("layer 2 is stuck")
		if err := f.Alive(); !errors.Is(err, f.layer2.stuck) {
			t.Errorf("layer 2 is stuck, and it says %v", err)
		}
		f.layer2.stuck = nil
		release := make(chan struct{})
		read := f.read
		f.read = func(ctx context.Context) (*snapshot, error) { <-release; return read(ctx) }
		go func() { _, _ = f.Reconcile(t.Context(), loop.Wake{}) }()
		time.Sleep(progress.StuckAfter + time.Second)
		if err := f.Alive(); err == nil {
			t.Error("a pass that blocks is not noticed")
		}
		close(release)
		synctest.Wait()
		if err := f.Alive(); err != nil {
			t.Errorf("after the pass: %v", err)
		}
	})
}
