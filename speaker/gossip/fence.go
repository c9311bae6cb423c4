package gossip

import (
	"sync"
	"sync/atomic"
	"time"
)

const (
	// doubt is the most that a wake is doubted without word of another speaker.
	doubt = 500 * time.Millisecond
	// digest is how long the rest of this speaker may take to act on what it has missed.
	digest = 50 * time.Millisecond
	// frozen is the least time without a tick that counts as having been stopped.
	frozen = 250 * time.Millisecond
	// mostOwed bounds what is kept of answers that have not come whole.
	mostOwed = 1000
)

// fence keeps a process that was stopped, and has just woken, from acting on what it knew before: others may have taken
// its place. It is told of ticks and of what answers come. All times are since a common beginning.
type fence struct {
	// limit is the age of the last tick that makes doubtful.
	limit time.Duration
	// ticked is the last tick, until the end of the doubts that a wake has raised; both as time.Duration. 0: none.
	ticked, until atomic.Int64

	mu sync.Mutex
	// woke is the last wake, missed how long we had been stopped; first is the first ping sent after it.
	woke, missed time.Duration
	first        uint64
	// news: something was learned since the wake.
	news bool
	// answers to pings sent after the wake, by speaker and ping.
	answers map[question]*answer
}

type question struct {
	node string
	seq  uint64
}

// answer is what has come in answer to a ping.
type answer struct {
	// merged are the messages of claims that have come, owed are as many as there are; known once the pong has come.
	merged, owed uint64
	known        bool
}

func newFence(beat time.Duration) *fence { return &fence{limit: max(frozen, 4*beat)} }

// doubtful reports whether we were stopped until just now, or have been and have not heard since what we have missed.
func (f *fence) doubtful(now time.Duration) bool {
	ticked := f.ticked.Load()
	return ticked != 0 && now-time.Duration(ticked) > f.limit || int64(now) < f.until.Load()
}

// tick is told of a tick, the time since the last one, the number of the pings that follow, and whether there are others
// to ask. It returns for how long others are to be asked about, 0: there is nothing to ask.
func (f *fence) tick(now, gap time.Duration, seq uint64, others bool) (missed time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if gap > f.limit && others {
		f.woke, f.missed, f.first = now, gap, seq
		f.answers, f.news = map[question]*answer{}, false
		f.until.Store(int64(now + doubt))
	}
	f.ticked.Store(int64(now)) // After until: there is no moment without doubt in between.
	if int64(now) >= f.until.Load() {
		f.answers = nil
		return 0
	}
	return f.missed + now - f.woke
}

// stop ends all doubts: there are no ticks any more.
func (f *fence) stop() {
	f.ticked.Store(0)
	f.until.Store(0)
}

// learn is told that something was learned, from whomever.
func (f *fence) learn(now time.Duration) {
	if int64(now) >= f.until.Load() {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.news = true
}

// merge is told of a message of claims in answer to a ping.
func (f *fence) merge(now time.Duration, node string, seq uint64) {
	f.note(now, question{node, seq}, func(a *answer) { a.merged++ })
}

// pong is told of the end of an answer, and of how many messages it owes.
func (f *fence) pong(now time.Duration, node string, seq, owed uint64) {
	f.note(now, question{node, seq}, func(a *answer) { a.owed, a.known = owed, true })
}

// note takes down a part of an answer; the last one ends the doubts.
func (f *fence) note(now time.Duration, q question, take func(*answer)) {
	if int64(now) >= f.until.Load() {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.answers == nil || q.seq < f.first || len(f.answers) >= mostOwed {
		return
	}
	a := f.answers[q]
	if a == nil {
		a = &answer{}
		f.answers[q] = a
	}
	take(a)
	if !a.known || a.merged < a.owed {
		return
	}
	f.answers = nil
	end := now
	if f.news {
		end += digest
	}
	f.until.Store(min(f.until.Load(), int64(end)))
}
