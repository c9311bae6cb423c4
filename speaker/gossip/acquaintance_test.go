package gossip

import (
	"net/netip"
	"strings"
	"testing"
	"time"
)

// TestAcquaintance tells stories; each step happens at a time since the beginning.
func TestAcquaintance(t *testing.T) {
	type step struct {
		at time.Duration
		// told of so many others; -1: not told anything.
		told int
		// gone are those it was told of that are gone.
		gone  int
		meets bool
		known bool
	}
	const nothing = -1
	for _, test := range []struct {
		name  string
		steps []step
	}{
		{"told nothing, it never knows", []step{{0, nothing, 0, false, false}, {time.Hour, nothing, 0, false, false}}},
		{"one that is met makes it known at once, whatever was told", []step{{0, nothing, 0, true, true}}},
		{"told of none, it is alone after a second", []step{
			{0, 0, 0, false, false}, {999 * time.Millisecond, nothing, 0, false, false}, {time.Second, nothing, 0, false, true},
		}},
		{"told again of none, the second is not begun anew", []step{
			{0, 0, 0, false, false}, {900 * time.Millisecond, 0, 0, false, false}, {time.Second, nothing, 0, false, true},
		}},
		{"told of one within the second, it is not alone", []step{
			{0, 0, 0, false, false},
			{500 * time.Millisecond, 1, 0, false, false},
			{5 * time.Second, nothing, 0, false, false},
		}},
		{"told of none after all, the second begins", []step{
			{0, 1, 0, false, false},
			{3 * time.Second, 0, 0, false, false},
			{3900 * time.Millisecond, nothing, 0, false, false},
			{4 * time.Second, nothing, 0, false, true},
		}},
		{"those that do not answer are waited for, however long", []step{
			{0, 2, 0, false, false}, {time.Hour, nothing, 0, false, false},
		}},
		{"those that are gone are waited for a while", []step{
			{0, 0, 2, false, false}, {4999 * time.Millisecond, nothing, 0, false, false}, {5 * time.Second, nothing, 0, false, true},
		}},
		{"one that is not gone is waited for beside one that is", []step{
			{0, 1, 1, false, false}, {time.Hour, nothing, 0, false, false},
		}},
		{"one that is gone and comes again is waited for again", []step{
			{0, 0, 1, false, false}, {3 * time.Second, 1, 0, false, false}, {time.Hour, nothing, 0, false, false},
		}},
		{"a verdict that was due is not undone by news", []step{
			{0, 0, 0, false, false}, {2 * time.Second, 3, 0, false, true},
		}},
		{"once known it stays known, though all others are lost", []step{
			{0, 1, 0, true, true}, {time.Second, nothing, 0, false, true}, {2 * time.Second, 7, 0, false, true},
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			begin := time.Unix(1e9, 0)
			var a acquaintance
			for i, s := range test.steps {
				if s.told != nothing {
					a.expect(begin.Add(s.at), s.told, s.gone)
				}
				if a.observe(begin.Add(s.at), s.meets); a.known != s.known {
					t.Fatalf("step %d, at %v: known is %v, want %v", i, s.at, a.known, s.known)
				}
			}
		})
	}
}

func TestWhySaysWhatToDo(t *testing.T) {
	at := netip.MustParseAddrPort("10.0.0.2:7946")
	absent := []unreached{
		{"b", at, attempt{words: "nothing answers"}},
		{"c", netip.MustParseAddrPort("[2001:db8::3]:7946"), attempt{}},
	}
	refused := []unreached{{"b", at, attempt{"the connection is refused", true}}}
	silent := []unreached{{node: "b"}}
	for _, test := range []struct {
		name   string
		a      acquaintance
		absent []unreached
		want   string
	}{
		{"before any word", acquaintance{}, nil, "it is not known yet which other speakers there are"},
		{"alone, and not yet sure of it", acquaintance{told: true}, nil, "waiting for word of other speakers"},
		{"all is well", acquaintance{told: true, known: true}, nil, ""},
		{
			"met nobody yet",
			acquaintance{told: true},
			absent,
			"has met none of the other speakers yet, and holds nothing until it has: " +
				"b at 10.0.0.2:7946 (nothing answers), c at [2001:db8::3]:7946; " +
				"TCP and UDP port 7946 must pass between the nodes both ways",
		},
		{
			"one of several is away",
			acquaintance{told: true, known: true},
			absent[:1],
			"does not see b at 10.0.0.2:7946 (nothing answers); TCP and UDP port 7946 must pass between the nodes both ways",
		},
		{"no firewall is to blame", acquaintance{told: true, known: true}, refused, "does not see b at 10.0.0.2:7946 (the connection is refused)"},
		{"one that says nothing", acquaintance{told: true}, silent, "has met none of the other speakers yet, and holds nothing until it has: b (it has not said where it listens)"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := test.a.why(test.absent); got != test.want {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
		})
	}
}

func TestWhyStaysShort(t *testing.T) {
	absent := make([]unreached, 100)
	for i := range absent {
		absent[i] = unreached{"node", netip.MustParseAddrPort("10.0.0.2:7946"), attempt{words: "nothing answers"}}
	}
	a := acquaintance{told: true}
	if got := a.why(absent); !strings.Contains(got, "and 95 more") || len(got) > 400 {
		t.Errorf("%d bytes: %s", len(got), got)
	}
}
