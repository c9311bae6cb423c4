package unnumbered

import (
	"net/netip"
	"slices"
	"testing"
	"time"
)

// wire plays a port against a clock of its own, and notes when what is sent.
type wire struct {
	rhythm            rhythm
	neighbor          neighbor
	solicits, adverts []float64
	scatter           float64
	cannot            bool
	events            map[float64]func(*wire, time.Time)
	askedEvery        int
}

// run plays the first seconds in steps of a tenth.
func (w *wire) run(seconds int) {
	for tenth := range seconds * 10 {
		second := float64(tenth) / 10
		now := at(second)
		if event := w.events[second]; event != nil {
			event(w, now)
		}
		if w.askedEvery > 0 && tenth%w.askedEvery == 0 {
			w.rhythm.asked(now, w.scatter)
		}
		if w.rhythm.next(w.neighbor).After(now) {
			continue
		}
		if !w.rhythm.solicitAt(w.neighbor).After(now) {
			w.solicits = append(w.solicits, second)
			w.rhythm.solicited(now, !w.cannot, w.scatter)
		}
		if !w.rhythm.advertise.After(now) {
			w.adverts = append(w.adverts, second)
			w.rhythm.advertisedAt(now, !w.cannot, w.scatter)
		}
	}
}

func TestRhythm(t *testing.T) {
	router := netip.MustParseAddr("fe80::1")
	hear := func(w *wire, now time.Time) {
		if w.neighbor.hear(router, now) {
			w.rhythm.met(now)
		}
	}
	for _, test := range []struct {
		name              string
		wire              wire
		seconds           int
		solicits, adverts []float64
	}{
		{
			"both at once, then questions every 4 s and advertisements every 10 s",
			wire{scatter: 0.5},
			21,
			[]float64{0, 4, 8, 12, 16, 20},
			[]float64{0, 10, 20},
		},
		{
			"chance moves them, within bounds",
			wire{scatter: 0},
			17,
			[]float64{0, 3.6, 7.2, 10.8, 14.4},
			[]float64{0, 8, 16},
		},
		{
			"a router that is heard is not asked, and hears of us as soon as the last advertisement is 3 s ago",
			wire{scatter: 0.5, events: map[float64]func(*wire, time.Time){0.5: hear, 10.5: hear, 20.5: hear}},
			30,
			[]float64{0},
			[]float64{0, 3, 13, 23},
		},
		{
			"one that comes late hears of us at once",
			wire{scatter: 0.5, events: map[float64]func(*wire, time.Time){5: hear}},
			10,
			[]float64{0, 4},
			[]float64{0, 5},
		},
		{
			"one that falls silent is asked after 15 s, until it answers",
			wire{scatter: 0.5, events: map[float64]func(*wire, time.Time){1: hear, 21: hear}},
			41,
			[]float64{0, 16, 20, 36, 40},
			[]float64{0, 3, 13, 23, 33},
		},
		{
			"whoever asks is answered within half a second",
			wire{scatter: 0.6, events: map[float64]func(*wire, time.Time){5: func(w *wire, now time.Time) { w.rhythm.asked(now, 0.6) }}},
			9,
			[]float64{0, 4.1, 8.2},
			[]float64{0, 5.3},
		},
		{
			"and whoever asks ten times a second every 3 s",
			wire{scatter: 0.5, askedEvery: 1},
			10,
			[]float64{0, 4, 8},
			[]float64{0, 3, 6, 9},
		},
		{
			"what cannot be sent is tried again every second",
			wire{scatter: 0.5, cannot: true},
			4,
			[]float64{0, 1, 2, 3},
			[]float64{0, 1, 2, 3},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := test.wire
			w.run(test.seconds)
			if !slices.Equal(w.solicits, test.solicits) {
				t.Errorf("solicited at %v, want %v", w.solicits, test.solicits)
			}
			if !slices.Equal(w.adverts, test.adverts) {
				t.Errorf("advertised at %v, want %v", w.adverts, test.adverts)
			}
		})
	}
}
