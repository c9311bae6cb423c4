package lab_test

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/daymark-lb/daymark/e2e/lab"
)

// A sample every 20 ms: '1' and '2' are hosts that answered, 'B' both, '.' nobody.
func observations(story string) (lab.Observations, time.Time) {
	began := time.Now()
	var samples []lab.Sample
	for i, c := range story {
		s := lab.Sample{At: began.Add(time.Duration(i) * 20 * time.Millisecond)}
		s.Holders = map[rune][]string{'1': {"n1"}, '2': {"n2"}, 'B': {"n1", "n2"}}[c]
		samples = append(samples, s)
	}
	return lab.Observations{vip: samples}, began
}

func TestObservations_TellWhenAnAddressHasSettled(t *testing.T) {
	const ms = time.Millisecond
	for _, c := range []struct {
		name, story string
		from        int // the sample that is the moment
		settled     time.Duration
		says        string // when it has not settled
	}{
		{"at once", "111111", 0, 0, ""},
		{"after two answered", "11BB1111", 2, 40 * ms, ""},
		{"what was before the moment does not count", "BB22221111", 6, 0, ""},
		{"after it moved", "11112222", 0, 80 * ms, ""},
		{"a question that nobody answered does not count", "11.1.11", 0, 0, ""},
		{"one that moves and comes back settles when it is back", "1112111", 0, 80 * ms, ""},
		{"two answer at the end", "11111B", 0, 0, `"[n1 n2]"`},
		{"nobody answers", "......", 0, 0, `""`},
		{"nobody was asked yet", "", 0, 0, `""`},
		{"not for long enough", "BBBBB11", 0, 0, "n1 alone for 20ms only"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, began := observations(c.story)
			after, err := s.Settled(began.Add(time.Duration(c.from)*20*ms), 40*ms)
			if c.says != "" {
				if err == nil || !strings.Contains(err.Error(), c.says) {
					t.Fatalf("it says %v, want %s", err, c.says)
				}
				return
			}
			if err != nil || after != c.settled {
				t.Errorf("settled after %s, %v; want %s", after, err, c.settled)
			}
		})
	}
}

func TestObservations_TellHowLongNobodyOrTwoAnswered(t *testing.T) {
	const ms = time.Millisecond
	for _, c := range []struct {
		story          string
		unheld, shared time.Duration
		holders        string
	}{
		{"1111", 0, 0, "n1"},
		{"1..22", 40 * ms, 0, "n1 n2"},
		{"1.1...2", 60 * ms, 0, "n1 n2"},
		{"11BBB2", 0, 60 * ms, "n1 n1+n2 n2"},
		{"1...", 40 * ms, 0, "n1"},
	} {
		s, began := observations(c.story)
		if s.Unheld(began) != c.unheld || s.Shared(began) != c.shared {
			t.Errorf("%s: unheld %s, shared %s; want %s, %s", c.story, s.Unheld(began), s.Shared(began), c.unheld, c.shared)
		}
		if got := strings.Join(s.Holders(vip, began), " "); got != c.holders {
			t.Errorf("%s: held by %s, want %s", c.story, got, c.holders)
		}
	}
}

func TestObservations_TellWhetherAnAddressWasMoving(t *testing.T) {
	const ms = time.Millisecond
	for _, c := range []struct {
		story    string
		from, to time.Duration
		moving   bool
	}{
		{"11111111", 0, 160 * ms, false},
		{"1111.111", 0, 160 * ms, false},
		{"11112222", 75 * ms, 78 * ms, true},
		{"1111..2222", 82 * ms, 84 * ms, true},
		{"111111112222", 10 * ms, 20 * ms, false},
		{"BBBBBBBB", 75 * ms, 78 * ms, true},
	} {
		s, began := observations(c.story)
		if got := s.Moving(began.Add(c.from), began.Add(c.to)); got != c.moving {
			t.Errorf("%s from %s to %s: moving %v, want %v", c.story, c.from, c.to, got, c.moving)
		}
	}
}

func TestWatcher_SeesAnAddressMove(t *testing.T) {
	cluster := lab.Shared(t)
	other := netip.MustParseAddr("2001:db8::200")
	hold(t, cluster, "n1")
	cluster.ForeignHost().Take(other)
	watcher := cluster.Client().Watch(vip, other)
	seen := func(holders ...string) {
		t.Helper()
		lab.Eventually(t, 5*time.Second, "it is seen at "+strings.Join(holders, " "), func() error {
			if got := watcher.Seen().Holders(vip, time.Time{}); !slices.Equal(got, holders) {
				return strangeError(got)
			}
			return nil
		})
	}
	seen("n1")
	hold(t, cluster, "n2")
	seen("n1", "n1+n2")
	report := watcher.Stop()
	if got := report.Holders(other, time.Time{}); !slices.Equal(got, []string{"foreign"}) {
		t.Errorf("%s is answered for by %v, want the foreign host", other, got)
	}
	if _, err := report.Settled(time.Time{}, 0); err == nil {
		t.Error("it has settled with two holders")
	}
}

type strangeError []string

func (e strangeError) Error() string { return "it is seen at " + strings.Join(e, ", ") }
