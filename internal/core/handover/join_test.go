package handover

import (
	"testing"
	"time"
)

// Routers hear of another division when all nodes have begun to pass on, unless they do already.
func TestMemory_AnotherDivisionWaitsAfterQuiet(t *testing.T) {
	both := []string{"n1", "n2"}
	for _, test := range []struct {
		name         string
		holders      []string
		links        []string
		quiet        time.Duration
		revision     uint64
		turned, calm bool
	}{
		{"after a long time", both, nil, draining, 2, true, false},
		{"while they pass on already", both, nil, draining - 1, 2, false, false},
		{"nothing", both, nil, draining, 1, false, true},
		{"nothing, while they pass on already", both, nil, draining - 1, 1, false, false},
		{"nothing, and another node alone attracts", []string{"n2"}, nil, draining, 1, false, true},
		{"nothing, and this one alone does", []string{"n1"}, nil, draining, 1, false, false},
		{"where this one alone attracts", []string{"n1"}, nil, draining, 2, false, false},
		{"nothing, and another node holds it by layer 2", []string{"n2"}, []string{"eth0"}, draining, 1, false, false},
	} {
		m := &Memory{}
		in := Input{
			Now: start, Node: "n1", Dead: func(string) bool { return false },
			Addresses: []Address{{Addr: moved, Holders: test.holders, Links: test.links, Draining: draining, Revision: 1}},
		}
		m.Next(in)
		in.Now, in.Addresses[0].Revision = start.Add(test.quiet), test.revision
		d := m.Next(in)
		until, turned := d.Turned[moved]
		if turned != test.turned || turned && until != in.Now.Add(RouteDelay) || d.Calm != test.calm {
			t.Errorf("%s: turned %t until %s, calm %t", test.name, turned, until, d.Calm)
		}
		in.Now = in.Now.Add(RouteDelay)
		if d = m.Next(in); len(d.Turned) > 0 {
			t.Errorf("%s: later: %v", test.name, d.Turned)
		}
	}
}

func TestHoldRoutes_UntilTheOthersHaveHeardThatItPassesOn(t *testing.T) {
	giveUp := start.Add(time.Minute)
	for _, test := range []struct {
		name     string
		at       time.Duration
		passesOn time.Time
		wait     time.Duration
	}{
		{"it does not pass on", 0, time.Time{}, time.Minute},
		{"it has begun to", time.Second, start.Add(time.Second), RouteDelay},
		{"the others are just about to hear", time.Second + RouteDelay - 1, start.Add(time.Second), 1},
		{"they have heard", time.Second + RouteDelay, start.Add(time.Second), 0},
		{"it begins when it has waited for long", time.Minute - 1, start.Add(time.Minute - 1), 1},
		{"it has waited for too long", time.Minute, time.Time{}, 0},
	} {
		hold, wait := HoldRoutes(start.Add(test.at), test.passesOn, giveUp)
		if wait != test.wait || hold != (test.wait > 0) {
			t.Errorf("%s: held %t, for %s, want %s", test.name, hold, wait, test.wait)
		}
	}
}
