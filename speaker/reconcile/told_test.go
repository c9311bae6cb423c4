package reconcile

import (
	"net/netip"
	"slices"
	"testing"
	"time"
)

func TestTold_ShortensItsListNowAndThen(t *testing.T) {
	a, b, c := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2"), netip.MustParseAddr("192.0.2.3")
	now, list := time.Now(), told{}
	for _, step := range []struct {
		name       string
		after      time.Duration
		left, want []netip.Addr
		wait       time.Duration
	}{
		{"two are told at once", 0, []netip.Addr{a, b}, []netip.Addr{a, b}, 0},
		{"the first that ends, too", time.Second, []netip.Addr{b}, []netip.Addr{b}, 0},
		{"the next does not", time.Second, nil, []netip.Addr{b}, shortenInterval - time.Second},
		{"a new one is told meanwhile", time.Second, []netip.Addr{c}, []netip.Addr{b, c}, shortenInterval - 2*time.Second},
		{"one that is back changes nothing", time.Second, []netip.Addr{b, c}, []netip.Addr{b, c}, 0},
		{"when the time is up all that ended are left out", shortenInterval - 3*time.Second, nil, nil, 0},
		{"and it begins anew", time.Second, []netip.Addr{a}, []netip.Addr{a}, 0},
		{"with the next that ends", time.Second, nil, []netip.Addr{a}, shortenInterval - 2*time.Second},
	} {
		now = now.Add(step.after)
		if got, wait := list.next(now, step.left); !slices.Equal(got, step.want) || wait != step.wait {
			t.Errorf("%s: tells %v, again in %s", step.name, got, wait)
		}
	}
}

func TestLoop_TellsLaterThatNothingIsLeft(t *testing.T) {
	inTime(t, func(t *testing.T, f *fixture) {
		f.draining = 10 * time.Minute
		f.addNeighbor()
		f.untilSettled(t)
		f.memory.connections.told = told{[]netip.Addr{vip}, time.Now()}
		if wait := f.pass(t); !slices.Equal(f.gossip.sent.State.Draining, []netip.Addr{vip}) || wait <= 0 || wait > shortenInterval {
			t.Errorf("at once it tells %v, again in %s", f.gossip.sent.State.Draining, wait)
		}
		time.Sleep(shortenInterval)
		if f.pass(t); len(f.gossip.sent.State.Draining) > 0 {
			t.Errorf("later it tells %v", f.gossip.sent.State.Draining)
		}
	})
}
