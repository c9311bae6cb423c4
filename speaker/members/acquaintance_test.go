package members

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
		told  int
		meets bool
		known bool
	}
	const nothing = -1
	for _, test := range []struct {
		name  string
		steps []step
	}{
		{"told nothing, it never knows", []step{{0, nothing, false, false}, {time.Hour, nothing, false, false}}},
		{"one that is met makes it known at once, whatever was told", []step{{0, nothing, true, true}}},
		{"told of none, it is alone after a second", []step{
			{0, 0, false, false}, {999 * time.Millisecond, nothing, false, false}, {time.Second, nothing, false, true},
		}},
		{"told again of none, the second is not begun anew", []step{
			{0, 0, false, false}, {900 * time.Millisecond, 0, false, false}, {time.Second, nothing, false, true},
		}},
		{"told of one within the second, it is not alone", []step{
			{0, 0, false, false},
			{500 * time.Millisecond, 1, false, false},
			{5 * time.Second, nothing, false, false},
		}},
		{"told of none after all, the second begins", []step{
			{0, 1, false, false},
			{3 * time.Second, 0, false, false},
			{3900 * time.Millisecond, nothing, false, false},
			{4 * time.Second, nothing, false, true},
		}},
		{"it reaches none of those it was told of for ten seconds", []step{
			{0, 2, false, false}, {9999 * time.Millisecond, nothing, false, false}, {10 * time.Second, nothing, false, true},
		}},
		{"others that are added do not put off the end of the ten seconds", []step{
			{0, 1, false, false}, {9 * time.Second, 5, false, false}, {10 * time.Second, nothing, false, true},
		}},
		{"the ten seconds begin with the first word, not with the program", []step{
			{0, nothing, false, false},
			{time.Minute, 1, false, false},
			{69 * time.Second, nothing, false, false},
			{70 * time.Second, nothing, false, true},
		}},
		{"a verdict that was due is not undone by news", []step{
			{0, 0, false, false}, {2 * time.Second, 3, false, true},
		}},
		{"once known it stays known, though all others are lost", []step{
			{0, 1, true, true}, {time.Second, nothing, false, true}, {2 * time.Second, 7, false, true},
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			begin := time.Unix(1e9, 0)
			var a acquaintance
			for i, s := range test.steps {
				if s.told != nothing {
					a.expect(begin.Add(s.at), s.told)
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
	absent := []unreached{{"b", at, "nothing answers"}, {"c", netip.MustParseAddrPort("[2001:db8::3]:7946"), ""}}
	told := time.Unix(1e9, 0)
	for _, test := range []struct {
		name   string
		a      acquaintance
		absent []unreached
		want   string
	}{
		{"before any word", acquaintance{}, nil, "it is not known yet which other speakers there are"},
		{"alone, and not yet sure of it", acquaintance{told: told}, nil, "waiting for word of other speakers"},
		{"all is well", acquaintance{told: told, known: true, met: true}, nil, ""},
		{
			"met nobody yet",
			acquaintance{told: told},
			absent,
			"has met none of the other speakers yet: b at 10.0.0.2:7946 (nothing answers), c at [2001:db8::3]:7946",
		},
		{
			"cut off",
			acquaintance{told: told, known: true},
			absent,
			"takes itself to be alone, because no other speaker can be reached: " +
				"b at 10.0.0.2:7946 (nothing answers), c at [2001:db8::3]:7946; " +
				"TCP and UDP port 7946 must pass between the nodes both ways",
		},
		{
			"one of several is away",
			acquaintance{told: told, known: true, met: true},
			absent[:1],
			"cannot reach b at 10.0.0.2:7946 (nothing answers); TCP and UDP port 7946 must pass between the nodes both ways",
		},
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
		absent[i] = unreached{"node", netip.MustParseAddrPort("10.0.0.2:7946"), "nothing answers"}
	}
	a := acquaintance{told: time.Unix(1e9, 0)}
	if got := a.why(absent); !strings.HasSuffix(got, "and 95 more") || len(got) > 400 {
		t.Errorf("%d bytes: %s", len(got), got)
	}
}
