package priority

import "time"

const (
	// share of one processor that may be used for ever in real time.
	share = 0.25
	// burst is how much may be used beyond that. One garbage collection of a small cluster's speaker takes less.
	burst = 100 * time.Millisecond
)

// budget decides whether the speaker may run in real time, from the processor time that it has used. It is a leaky bucket: what is
// used fills it, and it leaks at the rate of share.
type budget struct {
	at, used time.Duration
	debt     time.Duration
	overrun  bool
}

// starting is the budget of a process that has used so much and begins: that of one that has just used too much. A start takes more than
// burst, for which nobody waits: in real time it would have all programs of the node wait, in a roll-out on one node after the other.
func starting(used time.Duration) budget { return budget{used: used, debt: burst, overrun: true} }

// update takes the time and the processor time used until then, both since any moment. It reports whether the speaker may run in
// real time now, and if it may not, after what time it may if it uses nothing more.
func (b *budget) update(at, used time.Duration) (may bool, after time.Duration) {
	leaked := time.Duration(float64(at-b.at) * share)
	b.debt = max(0, b.debt+(used-b.used)-leaked)
	b.at, b.used = at, used
	switch {
	case b.debt > burst:
		b.overrun = true
	case b.debt == 0:
		b.overrun = false
	}
	if !b.overrun {
		return true, 0
	}
	return false, time.Duration(float64(b.debt)/share) + time.Millisecond
}

// left is how much processor time can be used from the last update on, at once, until it must be looked at again.
func (b *budget) left() time.Duration { return max(0, burst-b.debt) + time.Millisecond }
