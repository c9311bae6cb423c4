package election

import (
	"net/netip"
	"slices"
	"time"
)

// In a quiet cluster one decision is like the one before, and costs a look at each address. So it is kept and made once more as it
// stands, for as long as what it was made from stays the same, nothing is remembered that ends by the passing of time, and it is not
// yet time to decide again.

// kept is the last decision, and what it was made from.
type kept struct {
	contests       []Contest
	claimsVersion  uint64
	answered, left []netip.Addr
	// until is when it must be made anew; zero: never, by the passing of time alone.
	until    time.Time
	decision Decision
	// repeatable: it may be made once more. It was made twice, so that what is remembered follows from the same.
	repeatable bool
}

// repeat is the last decision, if it would be made again; false: it has to be worked out.
func (e *Elector) repeat(contests []Contest, input *Input) (Decision, bool) {
	k := &e.kept
	if !k.repeatable || !input.isQuiet() || !k.madeFrom(contests, input) || !k.until.IsZero() && !input.Now.Before(k.until) {
		return Decision{}, false
	}
	e.rest(input.Now)
	decision := k.decision
	if !k.until.IsZero() {
		decision.Wait = max(k.until.Sub(input.Now), time.Millisecond)
	}
	return decision, true
}

// rest gives the memory back that only rounds use, and that of what ended long ago: there may be no round for days.
func (e *Elector) rest(now time.Time) {
	e.forgetDisputes(now)
	e.forgetTakenBack(now)
	if e.holders == nil {
		return
	}
	e.spareAnswers = map[netip.Addr]bool{}
	e.holders, e.announced, e.groups, e.loads, e.valid, e.unheld = nil, nil, nil, nil, nil, nil
}

// keep keeps a decision, and finds out whether it may be made once more. sameNodes: the live nodes are those of the decision before.
func (e *Elector) keep(contests []Contest, input *Input, decision *Decision, sameNodes bool) {
	quiet := input.isQuiet() && decision.isQuiet()
	again := quiet && sameNodes && e.kept.decision.isQuiet() && e.kept.madeFrom(contests, input)
	e.kept = kept{
		contests: contests, claimsVersion: input.ClaimsVersion, answered: input.Answered, left: input.Left,
		decision: *decision, repeatable: again && e.isIdle(),
	}
	if decision.Wait > 0 {
		e.kept.until = input.Now.Add(decision.Wait)
	}
}

// madeFrom reports whether the decision was made from the same contests, claims and answers.
func (k *kept) madeFrom(contests []Contest, input *Input) bool {
	return input.ClaimsVersion != 0 && k.claimsVersion == input.ClaimsVersion && slices.Equal(k.left, input.Left) &&
		sameContests(k.contests, contests) && slices.Equal(k.answered, input.Answered)
}

func sameContests(a, b []Contest) bool {
	return len(a) == len(b) && (len(a) == 0 || &a[0] == &b[0] || slices.Equal(a, b))
}

// isQuiet reports whether nothing goes on between nodes, and on the segments.
func (in *Input) isQuiet() bool {
	return !in.Settling && len(in.Silent)+len(in.Doubtful)+len(in.Answers)+len(in.Rivals) == 0
}

// isQuiet reports whether a decision is about nothing but what goes on.
func (d *Decision) isQuiet() bool {
	return len(d.Claims)+len(d.Ask)+len(d.Silent)+len(d.Defend)+len(d.StandIns)+len(d.Heard)+len(d.Search)+len(d.Announce) == 0
}

// isIdle reports whether nothing is remembered that becomes something else by the passing of time, without a wake.
func (e *Elector) isIdle() bool {
	unfinished := len(e.remembered) + len(e.awaiting) + len(e.asked) + len(e.taken) + len(e.deferred) + len(e.corrected) + len(e.interrupted) + len(e.vacant) + len(e.trials.trials) + len(e.moved) +
		len(e.lost) + len(e.replaced) + len(e.fresh) + len(e.met) + len(e.due) +
		len(e.standIns.standIns) + len(e.pauses) + len(e.apart) + len(e.verdicts) + len(e.former) + len(e.mute)
	if unfinished > 0 {
		return false
	}
	for _, state := range e.served {
		if state.settled == (basis{}) {
			return false
		}
	}
	return true
}
