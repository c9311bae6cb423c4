package layer2

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/daymark-lb/daymark/api/v1beta1"
)

var (
	foreign  = mac{2, 0, 0, 0, 0xbe, 0xef}
	foreign2 = mac{2, 0, 0, 0, 0xbe, 0x01}
)

// event is one thing that happens to an address, and the result it must have.
type event struct {
	at time.Duration
	// do returns the result in words; "" for none.
	do   func(d *acd, now time.Time) string
	want string
}

func step(d *acd, now time.Time) string {
	return map[action]string{doProbe: "probe", doHold: "hold", doEndConflict: "end conflict", doLook: "look"}[d.step(now, 0.5)]
}

func usedBy(by mac) func(*acd, time.Time) string {
	return func(d *acd, now time.Time) string {
		began, defend := d.addressInUse(now, user{mac: by, interfaceName: "near0"}, 0.5)
		return map[[2]bool]string{
			{true, false}: "conflict", {true, true}: "conflict, defend", {false, true}: "defend",
		}[[2]bool{began, defend}]
	}
}

// goingOn takes over what another node has announced a moment ago.
func goingOn(d *acd, now time.Time) string {
	d.goOnProving(now)
	return ""
}

// withheld makes an address one that the node before had not announced.
func withheld(d *acd, _ time.Time) string {
	d.late = true
	return ""
}

// disputed makes an address one that the node before had left to a host.
func disputed(d *acd, now time.Time) string {
	d.late, d.waitsUntil = true, now.Add(freeAfter)
	return ""
}

// usedByNode is a use by another node of the cluster, which conflictDetector does not hand on while the address is held.
func usedByNode(d *acd, _ time.Time) string {
	if d.yields(user{mac: foreign, owner: owner{node: "n2"}}) {
		return "yields"
	}
	return ""
}

func probing(d *acd, now time.Time) string {
	if d.probedBy(now, user{mac: foreign, interfaceName: "near0"}, 0.5) {
		return "conflict"
	}
	return ""
}

func clearing(clusterMAC mac) func(*acd, time.Time) string {
	return func(d *acd, now time.Time) string {
		if d.clearConflict(now, func(m mac) bool { return m == clusterMAC }) {
			return "clear"
		}
		return ""
	}
}

func probeFails(d *acd, now time.Time) string { d.probeFailed(now); return "" }
func restarting(d *acd, now time.Time) string { d.restart(now); return "" }

// warned and detecting are changes of conflictDetection.
func warned(d *acd, _ time.Time) string    { d.detection = v1beta1.ConflictWarn; return "" }
func detecting(d *acd, _ time.Time) string { d.detection = v1beta1.ConflictProbe; return "" }

// round returns three probes from a time on that are not answered yet.
func round(from time.Duration) []event {
	return []event{
		{from, step, "probe"},
		{from + 49*ms, step, ""},
		{from + 50*ms, step, "probe"},
		{from + 100*ms, step, "probe"},
		{from + 149*ms, step, ""},
	}
}

// silence returns so many rounds of probes from a time on that are not answered, and what follows.
func silence(from time.Duration, rounds int, then string) (events []event) {
	for i := range rounds {
		events = append(events, round(from)...)
		last := event{from + 150*ms, step, ""}
		if i == rounds-1 {
			last.want = then
		}
		events = append(events, last)
		from += 3900 * ms
	}
	return events
}

// lateSilence is silence of a host that another node has found, in rounds that wait for late answers.
func lateSilence(from time.Duration, rounds int) []event {
	events := []event{{from, disputed, ""}}
	for range rounds {
		for range probeNum {
			events = append(events, event{from, step, "probe"})
			from += lateProbeInterval
		}
		events = append(events, event{from, step, ""})
		from += conflictProbeInterval * 3 / 4
	}
	return events
}

// usedByNode2 is a use by another node of the cluster of an address that is not held.
func usedByNode2(d *acd, now time.Time) string {
	if began, _ := d.addressInUse(now, user{mac: foreign, owner: owner{node: "n2"}}, 0.5); began {
		return "conflict"
	}
	return ""
}

const ms = time.Millisecond

func TestACD_ProbesHoldsAndDefends(t *testing.T) {
	use := usedBy(foreign)
	for _, test := range []struct {
		name    string
		look    bool
		events  []event
		holding bool
		// conflict is the conflicting host at the end; zero: there is none.
		conflict mac
	}{
		{"an address from another node of the cluster is held at once", false, []event{{0, step, ""}}, true, mac{}},
		{
			"three probes without an answer, and it is held", true,
			append(round(0), event{150 * ms, step, "hold"}, event{time.Hour, step, ""}, event{2 * time.Hour, step, ""}), true,
			mac{},
		},
		{"it is not held before the last probe had its time", true, round(0), false, mac{}},
		{
			"an answer to the first probe leaves it to the foreign host", true,
			[]event{{0, step, "probe"}, {1 * ms, use, "conflict"}, {50 * ms, step, ""}, {7 * time.Second, step, ""}},
			false, foreign,
		},
		{
			"an answer to the last probe as well", true,
			append(round(0), event{149 * ms, use, "conflict"}, event{150 * ms, step, ""}), false, foreign,
		},
		{
			"a use before the first probe as well", true,
			[]event{{0, use, "conflict"}, {1 * ms, step, ""}},
			false, foreign,
		},
		{
			"it is probed again after 5 to 10 s, and taken when the foreign host was silent for 30 s", true,
			append([]event{{0, step, "probe"}, {0, use, "conflict"}, {7499 * ms, step, ""}}, silence(7500*ms, 7, "hold")...), true,
			mac{},
		},
		{
			"a host that sleeps for 20 s keeps it, and is waited for longer the next time", true,
			append(append([]event{{0, step, "probe"}, {0, use, "conflict"}}, silence(7500*ms, 3, "")...),
				append([]event{{20 * time.Second, use, ""}}, silence(19200*ms, 7+2*3, "hold")...)...), true,
			mac{},
		},
		{
			"so does one that says something by itself now and then", true,
			append(append([]event{{0, step, "probe"}, {0, use, "conflict"}}, silence(7500*ms, 6, "")...),
				event{30 * time.Second, use, ""}, event{30899 * ms, step, ""}, event{30900 * ms, step, "probe"}), false,
			foreign,
		},
		{
			"another node of the cluster is not waited for", true,
			append([]event{{0, step, "probe"}, {0, usedByNode2, ""}, {time.Second, usedByNode2, "conflict"}},
				append(round(1500*ms), event{1650 * ms, step, "hold"})...), true,
			mac{},
		},
		{
			"it is left to the foreign host for as long as that answers", true,
			append(append([]event{{0, step, "probe"}, {0, use, "conflict"}}, round(7500*ms)...),
				event{7649 * ms, usedBy(foreign2), ""}, event{7700 * ms, step, ""}, event{15148 * ms, step, ""},
				event{15149 * ms, step, "probe"}), false, foreign2,
		},
		{
			"a use between two rounds does not put the next one off", true,
			[]event{
				{0, step, "probe"},
				{0, use, "conflict"},
				{7 * time.Second, use, ""},
				{7500 * ms, step, "probe"},
			},
			false, foreign,
		},
		{
			"who probes while we do wants it too", true,
			[]event{{0, step, "probe"}, {10 * ms, probing, "conflict"}, {60 * ms, step, ""}},
			false, foreign,
		},
		{
			"and gives way as we do, so it is not waited for", true,
			append([]event{{0, step, "probe"}, {10 * ms, probing, "conflict"}}, append(round(7510*ms), event{7660 * ms, step, "hold"})...),
			true,
			mac{},
		},
		{"who probes what we hold makes a request", false, []event{{0, probing, ""}}, true, mac{}},
		{
			"who probes between our rounds makes a request", true,
			[]event{{0, step, "probe"}, {0, use, "conflict"}, {time.Second, probing, ""}, {7500 * ms, step, "probe"}},
			false, foreign,
		},
		{
			"silence proves nothing when the process stood still", true,
			append(round(0), event{251 * ms, step, "probe"}, event{300 * ms, step, ""}, event{301 * ms, step, "hold"}),
			true,
			mac{},
		},
		{
			"a machine that is always late takes it in the end", true,
			append(
				round(0),
				event{time.Second, step, "probe"},
				event{2 * time.Second, step, "probe"},
				event{3 * time.Second, step, "probe"},
				event{4 * time.Second, step, "hold"},
			), true,
			mac{},
		},
		{
			"without an interface it waits", true,
			[]event{{0, step, "probe"}, {0, probeFails, ""}, {999 * ms, step, ""}, {time.Second, step, "probe"}},
			false,
			mac{},
		},
		{
			"losing the interface does not end a conflict", true,
			[]event{{0, step, "probe"}, {0, use, "conflict"}, {0, probeFails, ""}, {7499 * ms, step, ""}},
			false, foreign,
		},
		{
			"an interface that comes is probed in full", true,
			append([]event{{0, step, "probe"}, {50 * ms, step, "probe"}, {60 * ms, restarting, ""}},
				append(round(60*ms), event{210 * ms, step, "hold"})...), true,
			mac{},
		},
		{
			"an interface that comes changes nothing about a conflict", true,
			[]event{{0, step, "probe"}, {0, use, "conflict"}, {1 * ms, restarting, ""}, {2 * ms, step, ""}},
			false, foreign,
		},
		{
			"what we hold is defended, no more often than every 10 s", false,
			[]event{
				{0, use, "conflict, defend"},
				{1 * ms, use, ""},
				{9999 * ms, usedBy(foreign2), ""},
				{10 * time.Second, use, "defend"},
				{19 * time.Second, use, ""},
				{30 * time.Second, usedBy(foreign2), "defend"},
			},
			true, foreign2,
		},
		{
			"the conflict is over when the foreign host was silent for a minute", false,
			[]event{
				{0, use, "conflict, defend"},
				{30 * time.Second, use, "defend"},
				{19 * time.Second, step, ""},
				{60 * time.Second, step, "look"},
				{61 * time.Second, step, ""},
				{90*time.Second - 1, step, "look"},
				{90 * time.Second, step, "end conflict"},
				{91 * time.Second, step, ""},
			},
			true,
			mac{},
		},
		{
			"a host that answers a look is still there", false,
			[]event{{0, use, "conflict, defend"}, {20 * time.Second, step, "look"}, {20001 * ms, use, "defend"}, {70 * time.Second, step, "look"}, {71 * time.Second, step, ""}},
			true, foreign,
		},
		{
			"what was found free is looked for twice more until it is proven", true,
			append(round(0), event{150 * ms, step, "hold"}, event{1149 * ms, step, ""}, event{1150 * ms, step, "look"}, event{2150 * ms, step, "look"},
				event{3149 * ms, step, ""}, event{3150 * ms, step, ""}, event{time.Hour, step, ""}), true,
			mac{},
		},
		{
			"until then an answer that comes late has it", true,
			append(round(0), event{150 * ms, step, "hold"}, event{1150 * ms, step, "look"}, event{3149 * ms, use, "conflict"}, event{4 * time.Second, step, ""},
				event{10649 * ms, step, "probe"}), false, foreign,
		},
		{
			"and is waited for when it is probed again", true,
			append(round(0), event{150 * ms, step, "hold"}, event{500 * ms, use, "conflict"}, event{8000 * ms, step, "probe"}, event{8999 * ms, step, ""},
				event{9000 * ms, step, "probe"}, event{10 * time.Second, step, "probe"}, event{10999 * ms, use, ""}, event{18499 * ms, step, "probe"},
				event{19499 * ms, step, "probe"}, event{20499 * ms, step, "probe"}, event{21498 * ms, step, ""}, event{21499 * ms, step, ""}), false,
			foreign,
		},
		{
			"who comes after a node that did not announce it waits for late answers at once", true,
			[]event{{0, withheld, ""}, {0, step, "probe"}, {time.Second, step, "probe"}, {2 * time.Second, step, "probe"}, {2999 * ms, step, ""}, {3 * time.Second, step, "hold"}},
			true,
			mac{},
		},
		{
			"who comes after a node that found its host waits for that", true,
			append(lateSilence(0, 4), event{27 * time.Second, step, "probe"}, event{29 * time.Second, use, "conflict"}), false, foreign,
		},
		{
			"but not for ever", true,
			append(lateSilence(0, 4), event{27 * time.Second, step, "probe"}, event{28 * time.Second, step, "probe"}, event{29 * time.Second, step, "probe"},
				event{30 * time.Second, step, "hold"}), true,
			mac{},
		},
		{
			"nor where conflicts are warnings", true,
			[]event{
				{0, disputed, ""},
				{0, step, "probe"},
				{time.Second, step, "probe"},
				{2 * time.Second, step, "probe"},
				{2500 * ms, warned, ""},
				{3 * time.Second, step, "hold"},
			},
			true,
			mac{},
		},
		{
			"who takes it over meanwhile looks at once and three times", false,
			[]event{{0, goingOn, ""}, {0, step, "look"}, {time.Second, step, "look"}, {2 * time.Second, step, "look"}, {2999 * ms, use, "conflict"}},
			false, foreign,
		},
		{
			"and defends it afterwards", false,
			[]event{{0, goingOn, ""}, {0, step, "look"}, {3 * time.Second, step, ""}, {3001 * ms, use, "conflict, defend"}},
			true, foreign,
		},
		{
			"another node that uses it does not", true,
			append(round(0), event{150 * ms, step, "hold"}, event{200 * ms, usedByNode, ""}), true,
			mac{},
		},
		{
			"once it is proven it is defended", true,
			append(round(0), event{150 * ms, step, "hold"}, event{3150 * ms, step, ""}, event{3151 * ms, use, "conflict, defend"}), true,
			foreign,
		},
		{
			"what was warned of meanwhile is proven after the conflict", true,
			append(round(0), event{150 * ms, step, "hold"}, event{200 * ms, warned, ""}, event{300 * ms, use, "conflict, defend"},
				event{21 * time.Second, step, "look"}, event{time.Hour, step, "end conflict"}, event{2 * time.Hour, step, ""},
				event{2 * time.Hour, detecting, ""}, event{2*time.Hour + ms, use, "conflict, defend"}), true,
			foreign,
		},
		{
			"a new conflict is defended with the rate of the old one", false,
			[]event{
				{0, use, "conflict, defend"},
				{9 * time.Second, clearing(foreign), "clear"},
				{9500 * ms, usedBy(foreign2), "conflict"},
				{10 * time.Second, usedBy(foreign2), "defend"},
			},
			true, foreign2,
		},
		{
			"a host that turns out to belong to the cluster is no conflict", false,
			[]event{{0, use, "conflict, defend"}, {1 * ms, clearing(foreign2), ""}, {2 * ms, clearing(foreign), "clear"}, {time.Hour, step, ""}},
			true,
			mac{},
		},
		{
			"what was left to it is looked at again at once", true,
			append([]event{{0, step, "probe"}, {0, use, "conflict"}, {1 * ms, clearing(foreign), "clear"}},
				append(round(1*ms), event{151 * ms, step, "hold"})...), true,
			mac{},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			begin := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
			d := newACD(begin, test.look, "")
			for i, m := range test.events {
				if got := m.do(&d, begin.Add(m.at)); got != m.want {
					t.Fatalf("event %d, after %v: %q, want %q", i, m.at, got, m.want)
				}
			}
			if d.holding != test.holding {
				t.Errorf("holding is %v", d.holding)
			}
			var by mac
			if d.conflict != nil {
				by = d.conflict.mac
			}
			if by != test.conflict {
				t.Errorf("the conflicting host is %v, want %v", by, test.conflict)
			}
		})
	}
}

// A host that answers every third probe is most likely found by one of a round, and missed by a whole one now and then.
func TestACD_HostThatAnswersSometimesKeepsItsAddress(t *testing.T) {
	const hosts = 200
	random, taken := rand.New(rand.NewPCG(1, 2)), 0
	for range hosts {
		now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
		d := newACD(now, true, "")
		d.addressInUse(now, user{mac: foreign}, 0.5)
		for end := now.Add(time.Hour); now.Before(end) && !d.holding; now = d.due {
			if d.step(now, random.Float64()) == doProbe && random.IntN(3) == 0 {
				d.addressInUse(now.Add(ms), user{mac: foreign}, random.Float64())
			}
		}
		if d.holding {
			taken++
		}
	}
	if taken > hosts/100 {
		t.Errorf("within an hour %d of %d lost it", taken, hosts)
	}
}

// TestACD_ProbesForLessThan200ms with any jitter, and two hosts that conflict probe again at different times.
func TestACD_ProbesForLessThan200ms(t *testing.T) {
	for _, jitter := range []float64{0, 0.5, 0.999} {
		begin := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
		d := newACD(begin, true, "")
		now := begin
		for d.step(now, jitter) != doHold {
			now = d.due
		}
		if took := now.Sub(begin); took < 100*ms || took >= 200*ms {
			t.Errorf("with jitter %v it took %v", jitter, took)
		}
		d = newACD(begin, true, "")
		d.addressInUse(begin, user{mac: foreign, interfaceName: "near0"}, jitter)
		if wait := d.due.Sub(begin); wait < 5*time.Second || wait > 10*time.Second {
			t.Errorf("with jitter %v it is probed again after %v", jitter, wait)
		}
	}
}
