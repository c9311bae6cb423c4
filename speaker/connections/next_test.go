package connections

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/vishvananda/netlink"

	"github.com/daymark-lb/daymark/internal/core/handover"
	"github.com/daymark-lb/daymark/internal/netnstest"
)

// A node that is switched off does not answer, and does again when it is back, though the plan does not name it meanwhile.
func TestRelay_UnreachableNodes(t *testing.T) {
	r := newRig(t, 3, modeNFTables, false)
	n, off := r.nodes[0], []netip.Addr{nodeAddr(1), nodeAddr6(1)}
	r.start(0)
	plan := pass(1, 1)
	plan.Passages = slices.Insert(plan.Passages, 1, handover.Passage{Addr: vip4.Next(), Via: nodeAddr(2), Hops: 1})
	r.set(0, plan)
	await := func(what string, want []netip.Addr) {
		t.Helper()
		netnstest.Eventually(t, what, func() error {
			if got := n.relay.Unreachable(); !slices.Equal(got, want) {
				return fmt.Errorf("%v do not answer", got)
			}
			return nil
		})
	}
	netnstest.Eventually(t, "they have been asked", func() error {
		if len(n.relay.answering()) < 3 {
			return errors.New("not yet")
		}
		return nil
	})
	if got := n.relay.Unreachable(); len(got) > 0 {
		t.Fatalf("%v do not answer though they do", got)
	}

	begin := time.Now()
	sh(t, r.fabric, "ip link set p2 down")
	await("the node that is off is noticed", off)
	t.Logf("that took %v", time.Since(begin))
	<-n.relay.Changes()
	r.set(0, pass(2, 1))
	sh(t, r.fabric, "ip link set p2 up")
	await("the node is back", nil)
}

// A node that is silent in the gossip is asked at once, whether packets go on to it or not.
func TestRelay_SilentNodesAreAsked(t *testing.T) {
	r := newRig(t, 3, modeNFTables, false)
	n := r.nodes[0]
	r.start(0)
	await := func(what string, want []netip.Addr) (took time.Duration) {
		t.Helper()
		began := time.Now()
		netnstest.Eventually(t, what, func() error {
			if got := n.relay.Answered(); !slices.Equal(got, want) {
				return fmt.Errorf("%v have answered", got)
			}
			return nil
		})
		return time.Since(began)
	}
	plan := pass(1, 2)
	r.set(0, plan)
	netnstest.Eventually(t, "the next ones have been asked", func() error {
		if len(n.relay.answering()) < 2 {
			return errors.New("not yet")
		}
		return nil
	})
	if got := n.relay.Answered(); len(got) > 0 {
		t.Errorf("none is silent, and %v have answered", got)
	}
	plan.Asked = []netip.Addr{nodeAddr(1), nodeAddr(2), nodeAddr6(2)}
	r.set(0, plan)
	if took := await("they answer", plan.Asked); took >= handover.CrashDelay {
		t.Errorf("that took %s", took)
	}
	sh(t, r.fabric, "ip link set p3 down")
	await("one is off", plan.Asked[:1])
	plan.Asked = nil
	r.set(0, plan)
	await("none is silent any more", nil)
}

// answering are the next nodes that have answered lately.
func (r *Relay) answering() (addrs []netip.Addr) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for addr, n := range r.asked {
		if !n.asked.IsZero() && n.silent.IsZero() {
			addrs = append(addrs, addr)
		}
	}
	return addrs
}

func TestNextNode_States(t *testing.T) {
	begin := time.Now()
	type step struct {
		after       time.Duration
		state       int
		ask         bool
		unreachable bool
	}
	for name, steps := range map[string][]step{
		"one that answers is asked again when the answer is old": {
			{0, netlink.NUD_REACHABLE, true, false}, {askAgain - 1, netlink.NUD_REACHABLE, false, false}, {askAgain, netlink.NUD_REACHABLE, true, false},
		},
		"one that was heard is asked":                  {{0, netlink.NUD_STALE, true, false}, {1, netlink.NUD_DELAY, true, false}},
		"one that nothing is known of is asked":        {{0, netlink.NUD_NONE, true, false}, {patience, netlink.NUD_INCOMPLETE, false, true}},
		"one that is asked has some time":              {{0, netlink.NUD_PROBE, false, false}, {patience - 1, netlink.NUD_PROBE, false, false}},
		"one that does not answer in time is not":      {{0, netlink.NUD_PROBE, false, false}, {patience, netlink.NUD_PROBE, false, true}},
		"one that the kernel has given up is not":      {{0, netlink.NUD_PROBE, false, false}, {1, netlink.NUD_FAILED, true, true}},
		"the next question does not make it answer":    {{0, netlink.NUD_FAILED, true, true}, {1, netlink.NUD_INCOMPLETE, false, true}},
		"what it says by itself does not either":       {{0, netlink.NUD_FAILED, true, true}, {1, netlink.NUD_STALE, true, true}},
		"its answer does":                              {{0, netlink.NUD_FAILED, true, true}, {1, netlink.NUD_REACHABLE, false, false}},
		"one that says something has all the time new": {{0, netlink.NUD_PROBE, false, false}, {1, netlink.NUD_STALE, true, false}, {patience, netlink.NUD_PROBE, false, false}},
		"one that cannot be asked is taken for there":  {{0, netlink.NUD_PERMANENT, false, false}, {time.Hour, netlink.NUD_NOARP, false, false}},
	} {
		t.Run(name, func(t *testing.T) {
			n := &nextNode{}
			for i, s := range steps {
				now := begin.Add(s.after)
				ask := n.see(s.state, now)
				if ask != s.ask || n.unreachable != s.unreachable {
					t.Errorf("step %d: asked %v, unreachable %v", i, ask, n.unreachable)
				}
				if ask {
					n.asked = now
				}
			}
		})
	}
}
