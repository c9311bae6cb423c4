package layer2

import (
	"testing"
	"time"
)

var (
	stranger = mac{2, 0, 0, 0, 0xbe, 0xef}
	another  = mac{2, 0, 0, 0, 0xbe, 0x01}
)

// moment is one thing that happens to an address, and what must come of it.
type moment struct {
	at time.Duration
	// do returns what it gave, in words; "" for nothing.
	do   func(d *acd, now time.Time) string
	want string
}

func stepping(d *acd, now time.Time) string {
	return map[action]string{doProbe: "probe", doTake: "take", doSettle: "settle"}[d.step(now, 0.5)]
}

func claimedBy(by mac) func(*acd, time.Time) string {
	return func(d *acd, now time.Time) string {
		began, defend := d.claimed(now, by, "near0", 0.5)
		return map[[2]bool]string{
			{true, false}: "conflict", {true, true}: "conflict, defend", {false, true}: "defend",
		}[[2]bool{began, defend}]
	}
}

func probing(d *acd, now time.Time) string {
	if d.probedBy(now, stranger, "near0", 0.5) {
		return "conflict"
	}
	return ""
}

func pardoning(friend mac) func(*acd, time.Time) string {
	return func(d *acd, now time.Time) string {
		if d.pardon(now, func(m mac) bool { return m == friend }) {
			return "pardon"
		}
		return ""
	}
}

func unheard(d *acd, now time.Time) string    { d.unheard(now); return "" }
func restarting(d *acd, now time.Time) string { d.restart(now); return "" }

// round is three probes from a time on, none of them answered yet.
func round(from time.Duration) []moment {
	return []moment{
		{from, stepping, "probe"},
		{from + 49*ms, stepping, ""},
		{from + 50*ms, stepping, "probe"},
		{from + 100*ms, stepping, "probe"},
		{from + 149*ms, stepping, ""},
	}
}

const ms = time.Millisecond

func TestConflictDetection(t *testing.T) {
	claim := claimedBy(stranger)
	for _, test := range []struct {
		name    string
		look    bool
		moments []moment
		holding bool
		// rival at the end.
		rival mac
	}{
		{"an address from another node of the cluster is held at once", false, []moment{{0, stepping, ""}}, true, mac{}},
		{
			"three probes without an answer, and it is held", true,
			append(round(0), moment{150 * ms, stepping, "take"}, moment{time.Hour, stepping, ""}), true,
			mac{},
		},
		{"it is not held before the last probe had its time", true, round(0), false, mac{}},
		{
			"an answer to the first probe leaves it to the foreign host", true,
			[]moment{{0, stepping, "probe"}, {1 * ms, claim, "conflict"}, {50 * ms, stepping, ""}, {7 * time.Second, stepping, ""}},
			false, stranger,
		},
		{
			"an answer to the last probe as well", true,
			append(round(0), moment{149 * ms, claim, "conflict"}, moment{150 * ms, stepping, ""}), false, stranger,
		},
		{
			"a claim before the first probe as well", true,
			[]moment{{0, claim, "conflict"}, {1 * ms, stepping, ""}},
			false, stranger,
		},
		{
			"it is probed again after 5 to 10 s, and taken when the foreign host is gone", true,
			append(append([]moment{{0, stepping, "probe"}, {0, claim, "conflict"}, {7499 * ms, stepping, ""}},
				round(7500*ms)...), moment{7650 * ms, stepping, "take"}), true,
			mac{},
		},
		{
			"it is left to the foreign host for as long as that answers", true,
			append(append([]moment{{0, stepping, "probe"}, {0, claim, "conflict"}}, round(7500*ms)...),
				moment{7649 * ms, claimedBy(another), ""}, moment{7700 * ms, stepping, ""}, moment{15148 * ms, stepping, ""},
				moment{15149 * ms, stepping, "probe"}), false, another,
		},
		{
			"a claim between two rounds does not put the next one off", true,
			[]moment{
				{0, stepping, "probe"},
				{0, claim, "conflict"},
				{7 * time.Second, claim, ""},
				{7500 * ms, stepping, "probe"},
			},
			false, stranger,
		},
		{
			"who probes while we do wants it too", true,
			[]moment{{0, stepping, "probe"}, {10 * ms, probing, "conflict"}, {60 * ms, stepping, ""}},
			false, stranger,
		},
		{"who probes what we hold asks a question", false, []moment{{0, probing, ""}}, true, mac{}},
		{
			"who probes between our rounds asks a question", true,
			[]moment{{0, stepping, "probe"}, {0, claim, "conflict"}, {time.Second, probing, ""}, {7500 * ms, stepping, "probe"}},
			false, stranger,
		},
		{
			"silence proves nothing when the process stood still", true,
			append(round(0), moment{251 * ms, stepping, "probe"}, moment{300 * ms, stepping, ""}, moment{301 * ms, stepping, "take"}),
			true,
			mac{},
		},
		{
			"a machine that is always late takes it in the end", true,
			append(
				round(0),
				moment{time.Second, stepping, "probe"},
				moment{2 * time.Second, stepping, "probe"},
				moment{3 * time.Second, stepping, "probe"},
				moment{4 * time.Second, stepping, "take"},
			), true,
			mac{},
		},
		{
			"without an interface it waits", true,
			[]moment{{0, stepping, "probe"}, {0, unheard, ""}, {999 * ms, stepping, ""}, {time.Second, stepping, "probe"}},
			false,
			mac{},
		},
		{
			"losing the interface does not end a conflict", true,
			[]moment{{0, stepping, "probe"}, {0, claim, "conflict"}, {0, unheard, ""}, {7499 * ms, stepping, ""}},
			false, stranger,
		},
		{
			"an interface that comes is probed in full", true,
			append([]moment{{0, stepping, "probe"}, {50 * ms, stepping, "probe"}, {60 * ms, restarting, ""}},
				append(round(60*ms), moment{210 * ms, stepping, "take"})...), true,
			mac{},
		},
		{
			"an interface that comes changes nothing about a conflict", true,
			[]moment{{0, stepping, "probe"}, {0, claim, "conflict"}, {1 * ms, restarting, ""}, {2 * ms, stepping, ""}},
			false, stranger,
		},
		{
			"what we hold is defended, no more often than every 10 s", false,
			[]moment{
				{0, claim, "conflict, defend"},
				{1 * ms, claim, ""},
				{9999 * ms, claimedBy(another), ""},
				{10 * time.Second, claim, "defend"},
				{19 * time.Second, claim, ""},
				{30 * time.Second, claimedBy(another), "defend"},
			},
			true, another,
		},
		{
			"the conflict is over when the foreign host was silent for a minute", false,
			[]moment{
				{0, claim, "conflict, defend"},
				{30 * time.Second, claim, "defend"},
				{60 * time.Second, stepping, ""},
				{90*time.Second - 1, stepping, ""},
				{90 * time.Second, stepping, "settle"},
				{91 * time.Second, stepping, ""},
			},
			true,
			mac{},
		},
		{
			"a new conflict is defended with the rate of the old one", false,
			[]moment{
				{0, claim, "conflict, defend"},
				{9 * time.Second, pardoning(stranger), "pardon"},
				{9500 * ms, claimedBy(another), "conflict"},
				{10 * time.Second, claimedBy(another), "defend"},
			},
			true, another,
		},
		{
			"a station that turns out to be of the cluster is no rival", false,
			[]moment{{0, claim, "conflict, defend"}, {1 * ms, pardoning(another), ""}, {2 * ms, pardoning(stranger), "pardon"}, {time.Hour, stepping, ""}},
			true,
			mac{},
		},
		{
			"what was left to it is looked at again at once", true,
			append([]moment{{0, stepping, "probe"}, {0, claim, "conflict"}, {1 * ms, pardoning(stranger), "pardon"}},
				append(round(1*ms), moment{151 * ms, stepping, "take"})...), true,
			mac{},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			begin := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
			d := newACD(begin, test.look)
			for i, m := range test.moments {
				if got := m.do(&d, begin.Add(m.at)); got != m.want {
					t.Fatalf("moment %d, after %v: %q, want %q", i, m.at, got, m.want)
				}
			}
			if d.holding != test.holding {
				t.Errorf("holding is %v", d.holding)
			}
			var by mac
			if d.rival != nil {
				by = d.rival.mac
			}
			if by != test.rival {
				t.Errorf("the rival is %v, want %v", by, test.rival)
			}
		})
	}
}

// TestProbingTakesLessThanAFifthOfASecond, whatever the chances, and two who conflict look again at different times.
func TestProbingTakesLessThanAFifthOfASecond(t *testing.T) {
	for _, scatter := range []float64{0, 0.5, 0.999} {
		begin := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
		d := newACD(begin, true)
		now := begin
		for d.step(now, scatter) != doTake {
			now = d.due
		}
		if took := now.Sub(begin); took < 100*ms || took >= 200*ms {
			t.Errorf("with scatter %v it took %v", scatter, took)
		}
		d = newACD(begin, true)
		d.claimed(begin, stranger, "near0", scatter)
		if wait := d.due.Sub(begin); wait < 5*time.Second || wait > 10*time.Second {
			t.Errorf("with scatter %v it is probed again after %v", scatter, wait)
		}
	}
}
