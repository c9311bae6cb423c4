package layer2

import (
	"time"

	"github.com/daymark-lb/daymark/internal/core/election"
)

// Times of asking whether a node of the cluster answers for an address. Nobody serves the address while we wait for the answer
// of a node that is dead, so the questions follow each other as closely as an answer takes that is late.
const (
	// askNum is how many questions are sent in a row while there is no answer: as many again to a node that has answered, and more
	// for patience.
	askNum = 3
	// askInterval is the wait after each of them, the last one included.
	askInterval = 3 * time.Millisecond
	// patience is how long a row to a node that has answered goes on without an answer, one question each patientInterval once the
	// first are sent. A speaker that others say they have missed does not answer for as long as it asks whether it was replaced
	// (detector.Pause), which takes half a second at most: that alone must not have it replaced.
	patience, patientInterval = 600 * time.Millisecond, 30 * time.Millisecond
	// maxAskDelay is how late step may be called after the last question. If it is later, the process was suspended or had no
	// processor, and an answer may not have been read yet.
	maxAskDelay = 5 * time.Millisecond
	// askAgainInterval is the wait before the second row of questions. It doubles from row to row up to maxAskAgainInterval, and
	// varies by a quarter in both directions.
	askAgainInterval    = 100 * time.Millisecond
	maxAskAgainInterval = time.Second
)

// inquiry is the state of asking a node about an address. It asks again and again for as long as the answer is of interest. It
// is pure, as acd is.
type inquiry struct {
	// answer is what is known now. An answer, or none, is for the last row of questions.
	answer election.Answer
	// sent is how many questions were sent in this row, and answered whether one was answered.
	sent     int
	answered bool
	// began is when the first of them was sent.
	began time.Time
	// wait before the next row, without what it varies by.
	wait time.Duration
	// due is when step has something to do.
	due time.Time
}

// step returns whether to send a question now, and whether the answer has changed. The jitter is in [0, 1).
func (q *inquiry) step(now time.Time, jitter float64) (send, changed bool) {
	if now.Before(q.due) {
		return false, false
	}
	number := askNum
	late := q.sent > 0 && now.Sub(q.due) > maxAskDelay
	if q.answer == election.Answered || late {
		number = 2 * askNum
	}
	if late {
		q.began = q.began.Add(now.Sub(q.due)) // It was not asked in that time, so it is no sign that nothing came.
	}
	q.answered = q.answered && q.sent > 0 // An answer before this row does not count.
	switch {
	case !q.answered && q.sent < number:
		if q.sent == 0 {
			q.began = now
		}
		q.sent++
		q.due = now.Add(askInterval)
		return true, false
	case !q.answered && q.answer == election.Answered && now.Sub(q.began) < patience:
		q.due = now.Add(patientInterval)
		return true, false
	case !q.answered:
		changed = q.answer != election.NoAnswer
		q.answer = election.NoAnswer
	}
	q.sent = 0
	q.wait = min(max(2*q.wait, askAgainInterval), maxAskAgainInterval)
	q.due = now.Add(time.Duration(float64(q.wait) * (0.75 + 0.5*jitter)))
	return false, changed
}

// announced records that the node announces the address. One that did not answer is asked again at once: who only sends and receives
// nothing announces, too.
func (q *inquiry) announced(now time.Time) {
	if q.answer == election.NoAnswer && q.sent == 0 {
		q.answer, q.answered, q.wait, q.due = 0, false, 0, now
	}
}

// heard records that the node answers for the address, and reports whether that is news.
func (q *inquiry) heard() (changed bool) {
	changed = q.answer != election.Answered
	q.answer, q.answered = election.Answered, true
	return changed
}
