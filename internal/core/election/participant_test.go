package election

import (
	"maps"
	"reflect"
	"testing"
	"time"
)

func TestLive_ASpeakerThatLeavesMayHoldNothing(t *testing.T) {
	live := Live([]Member{
		{Node: "n1", Incarnation: 1, Heard: true, Known: true, Leaving: true},
		{Node: "n2", Incarnation: 2, Heard: true, Known: true},
		{Node: "n3", Incarnation: 3, Heard: true},
		{Node: "n4", Incarnation: 4},
	})
	if want := map[string]uint64{"n2": 2}; !maps.Equal(live, want) {
		t.Errorf("%v may hold addresses, want %v", live, want)
	}
}

func TestMembership_Known(t *testing.T) {
	type pass struct {
		known     bool
		alive     int
		published bool
	}
	for _, test := range []struct {
		name   string
		passes []pass
		known  bool
	}{
		{"alone, and its object does not say where it is", []pass{{true, 1, false}}, false},
		{"alone, and its object says so", []pass{{true, 1, true}}, true},
		{"alone, and its object once said so", []pass{{true, 1, true}, {true, 1, false}}, true},
		{"it has met another", []pass{{true, 2, false}}, true},
		{"the gossip knows nothing", []pass{{false, 1, true}}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			var m Membership
			var known bool
			for _, p := range test.passes {
				known = m.Known(p.known, p.alive, p.published)
			}
			if known != test.known {
				t.Errorf("known is %v", known)
			}
		})
	}
}

func TestParticipant_ClaimsNothingInAGracePeriod(t *testing.T) {
	p := NewParticipant("n0", 0)
	in := ParticipantInput{Now: epoch, Incarnation: 1, Claims: Claims{}, GraceInput: GraceInput{
		Known: true, LinkUp: true, Expected: []string{"n1"}, Live: map[string]uint64{"n0": 1},
	}}
	list := contests(2, group(1))
	if got := p.Decide(list, in); len(got.Claims) > 0 || got.Wait == 0 || p.Settled() {
		t.Errorf("before n1 is there: %+v, settled: %t", got, p.Settled())
	}
	for range 2 { // New addresses are open for a moment.
		in.Now = in.Now.Add(startupGrace)
		p.Decide(list, in)
	}
	if got := p.Decide(list, in); len(got.Hold) != 2 || !p.Settled() {
		t.Errorf("after the grace period: %+v, settled: %t", got, p.Settled())
	}
	in.Incarnation = 2
	if got := p.Decide(list, in); len(got.Hold) != 0 {
		t.Errorf("a new incarnation holds %v", got.Hold)
	}
}

func TestParticipant_ContestedIsTheSameMapWhileTheAddressesAre(t *testing.T) {
	p := NewParticipant("n0", 0)
	first, again := p.Contested(contests(2, group(1))), p.Contested(contests(2, group(1)))
	if reflect.ValueOf(first).Pointer() != reflect.ValueOf(again).Pointer() {
		t.Error("another map for the same addresses")
	}
	if third := p.Contested(contests(3, group(1))); len(third) != 3 || len(first) != 2 {
		t.Errorf("of three addresses: %v, of two: %v", third, first)
	}
}

func TestSooner(t *testing.T) {
	for _, row := range [][3]time.Duration{{0, 0, 0}, {0, 2, 2}, {2, 0, 2}, {1, 2, 1}, {2, 1, 1}} {
		if got := Sooner(row[0], row[1]); got != row[2] {
			t.Errorf("sooner of %d and %d is %d", row[0], row[1], got)
		}
	}
}
