package unnumbered

import (
	"net/netip"
	"testing"
	"time"
)

// epoch is the time 0 of these tests.
var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func at(seconds float64) time.Time { return epoch.Add(scale(time.Second, seconds)) }

func TestNeighbor_FirstRouterIsSticky(t *testing.T) {
	type advertisement struct {
		at   float64
		from string
		want string
	}
	for _, test := range []struct {
		name  string
		steps []advertisement
	}{
		{"the first that advertises is it", []advertisement{{0, "fe80::1", "fe80::1"}}},
		{"it stays while it advertises", []advertisement{
			{0, "fe80::1", "fe80::1"}, {1, "fe80::2", "fe80::1"}, {10, "fe80::1", "fe80::1"}, {39.9, "fe80::2", "fe80::1"},
		}},
		{"another one is taken when it is silent", []advertisement{
			{0, "fe80::1", "fe80::1"}, {20, "fe80::2", "fe80::1"}, {30, "fe80::2", "fe80::2"},
		}},
		{"the one that was taken stays in its turn", []advertisement{
			{0, "fe80::1", "fe80::1"},
			{30, "fe80::2", "fe80::2"},
			{31, "fe80::1", "fe80::2"},
			{59, "fe80::1", "fe80::2"},
			{60, "fe80::1", "fe80::1"},
		}},
		{"silence alone ends nothing", []advertisement{
			{0, "fe80::1", "fe80::1"}, {86400, "fe80::1", "fe80::1"}, {86401, "fe80::2", "fe80::1"},
		}},
		{"advertisements of another one do not count for the silent one", []advertisement{
			{0, "fe80::1", "fe80::1"}, {29, "fe80::2", "fe80::1"}, {29.5, "fe80::3", "fe80::1"}, {30, "fe80::3", "fe80::3"},
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			var n neighbor
			for _, step := range test.steps {
				before := n.addr
				changed := n.observe(netip.MustParseAddr(step.from), at(step.at))
				if n.addr.String() != step.want || changed != (n.addr != before) {
					t.Fatalf("at %v s, after %s: the neighbor is %v (changed: %v), want %s", step.at, step.from, n.addr, changed, step.want)
				}
			}
		})
	}
}

func TestNeighbor_WhenItIsSolicited(t *testing.T) {
	var n neighbor
	if from := n.solicitFrom(); from.After(at(-1e9)) {
		t.Errorf("unknown: solicited from %v on, want always", from)
	}
	n.observe(netip.MustParseAddr("fe80::1"), at(100))
	if from := n.solicitFrom(); from != at(115) {
		t.Errorf("seen at 100 s: solicited from %v on, want 115 s", from.Sub(epoch))
	}
	// Between the first solicitation and the time when another router may replace it, a router that works is solicited
	// often enough to be heard even if messages are lost.
	if solicitations := (routerTimeout - resolicitTimeout) / (solicitInterval + minAdvertiseDelay); solicitations < 2 {
		t.Errorf("a silent router is solicited %d times before it is replaced", solicitations)
	}
}
