package simulation

import (
	"math/rand/v2"
	"time"
)

// maxFailure is how long a failure lasts, but for one in ten.
const maxFailure, maxLongFailure = 20 * time.Second, 5 * time.Minute

// fail lets something fail.
func (w *world) fail() {
	d := w.within(maxFailure)
	if w.chance(0.1) {
		d = w.within(maxLongFailure)
	}
	s := pick(w, w.slots)
	switch w.random.IntN(10) {
	case 0:
		w.outage(refuses, d)
	case 1:
		w.outage(swallows, d)
	case 2:
		w.note("%s is parted from the API server for %s", s.name, d)
		s.link.fail(swallows, d)
	case 3:
		w.note("%s gets no answer from the API server for %s", s.name, d)
		s.link.fail(deaf, d)
	case 4:
		w.note("the watches of %s end", s.name)
		s.link.cutWatches()
	case 5:
		w.note("%s is killed", s.name)
		w.onProcess(s, (*process).kill)
	case 6:
		w.note("%s is told to end", s.name)
		w.onProcess(s, func(p *process) { p.cancel() })
	default:
		m, n := pick(w, []moment{before, afterwards}), 1+w.random.IntN(6)
		w.note("%s is to crash in %d writes", s.name, n)
		w.onProcess(s, func(p *process) { p.crashAt(m, n) })
	}
}

// rollOut tells one program after the other to end, as a new version does. What it draws at random is its own, so that seeds without it stay
// what they were.
func (w *world) rollOut(r *rand.Rand) {
	w.note("all programs are replaced")
	for _, s := range w.slots {
		w.onProcess(s, func(p *process) { p.cancel() })
		time.Sleep(time.Duration(r.Int64N(int64(maxFailure))))
	}
}

// outage is one of the API server.
func (w *world) outage(f failure, d time.Duration) {
	w.note("the API server is away for %s", d)
	for _, s := range w.slots {
		s.link.fail(f, d)
	}
}

func (w *world) onProcess(s *slot, do func(*process)) {
	if p := s.process(); p != nil {
		do(p)
	}
}

// mend ends all failures.
func (w *world) mend() {
	w.note("all is mended")
	for _, s := range w.slots {
		s.link.mend()
		w.onProcess(s, func(p *process) { p.crashAt(never, 0) })
	}
}
