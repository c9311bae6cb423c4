package unnumbered

import (
	"net/netip"
	"slices"
	"testing"
	"time"
)

// fakeLink runs a schedule on a clock of its own, and records when each message is sent.
type fakeLink struct {
	schedule          schedule
	neighbor          neighbor
	solicits, adverts []float64
	jitter            float64
	failing           bool
	events            map[float64]func(*fakeLink, time.Time)
	solicitedEvery    int
}

// run simulates the first seconds in steps of a tenth of a second.
func (w *fakeLink) run(seconds int) {
	for tenth := range seconds * 10 {
		second := float64(tenth) / 10
		now := at(second)
		if event := w.events[second]; event != nil {
			event(w, now)
		}
		if w.solicitedEvery > 0 && tenth%w.solicitedEvery == 0 {
			w.schedule.solicitationReceived(now, w.jitter)
		}
		if w.schedule.nextDue(w.neighbor).After(now) {
			continue
		}
		if !w.schedule.solicitAt(w.neighbor).After(now) {
			w.solicits = append(w.solicits, second)
			w.schedule.solicitationSent(now, !w.failing, w.jitter)
		}
		if !w.schedule.advertise.After(now) {
			w.adverts = append(w.adverts, second)
			w.schedule.advertisementSent(now, !w.failing, w.jitter)
		}
	}
}

func TestSchedule_SolicitsAndAdvertises(t *testing.T) {
	router := netip.MustParseAddr("fe80::1")
	advertised := func(w *fakeLink, now time.Time) {
		if w.neighbor.observe(router, now) {
			w.schedule.routerFound(now)
		}
	}
	for _, test := range []struct {
		name              string
		wire              fakeLink
		seconds           int
		solicits, adverts []float64
	}{
		{
			"both at once, then solicitations every 4 s and advertisements every 10 s",
			fakeLink{jitter: 0.5},
			21,
			[]float64{0, 4, 8, 12, 16, 20},
			[]float64{0, 10, 20},
		},
		{
			"chance moves them, within bounds",
			fakeLink{jitter: 0},
			17,
			[]float64{0, 3.6, 7.2, 10.8, 14.4},
			[]float64{0, 8, 16},
		},
		{
			"a router that advertises is not solicited, and gets an advertisement as soon as the last advertisement is 3 s ago",
			fakeLink{jitter: 0.5, events: map[float64]func(*fakeLink, time.Time){0.5: advertised, 10.5: advertised, 20.5: advertised}},
			30,
			[]float64{0},
			[]float64{0, 3, 13, 23},
		},
		{
			"one that comes late gets an advertisement at once",
			fakeLink{jitter: 0.5, events: map[float64]func(*fakeLink, time.Time){5: advertised}},
			10,
			[]float64{0, 4},
			[]float64{0, 5},
		},
		{
			"one that falls silent is solicited after 15 s, until it answers",
			fakeLink{jitter: 0.5, events: map[float64]func(*fakeLink, time.Time){1: advertised, 21: advertised}},
			41,
			[]float64{0, 16, 20, 36, 40},
			[]float64{0, 3, 13, 23, 33},
		},
		{
			"a solicitation is answered within half a second",
			fakeLink{jitter: 0.6, events: map[float64]func(*fakeLink, time.Time){5: func(w *fakeLink, now time.Time) { w.schedule.solicitationReceived(now, 0.6) }}},
			9,
			[]float64{0, 4.1, 8.2},
			[]float64{0, 5.3},
		},
		{
			"ten solicitations a second are answered every 3 s",
			fakeLink{jitter: 0.5, solicitedEvery: 1},
			10,
			[]float64{0, 4, 8},
			[]float64{0, 3, 6, 9},
		},
		{
			"what cannot be sent is tried again every second",
			fakeLink{jitter: 0.5, failing: true},
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
