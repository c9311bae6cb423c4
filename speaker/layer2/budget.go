package layer2

import "time"

const (
	// DefaultAnnouncementRate is how many frames a second announce addresses on one interface. Switches that inspect ARP can
	// be told to admit up to 2,048 a second on a port, and the usual policers of a switch's processor admit over a thousand
	// for all ports together. What goes beyond is dropped, or the port is shut down.
	DefaultAnnouncementRate = 1000
	// burstTime is how long a budget that nothing has used saves up.
	burstTime = 100 * time.Millisecond
	// paceInterval is the shortest wait for more budget: one wake-up serves several frames.
	paceInterval = 10 * time.Millisecond
)

// budget is a token bucket for frames: so many a second, and after a pause those of burstTime at once.
type budget struct {
	rate, burst, tokens float64
	// filled is when tokens was computed.
	filled time.Time
}

func newBudget(rate int, now time.Time) budget {
	burst := max(1, float64(rate)*burstTime.Seconds())
	return budget{rate: float64(rate), burst: burst, tokens: burst, filled: now}
}

// take takes the budget for one frame, and reports whether there was any.
func (b *budget) take(now time.Time) bool {
	b.tokens = min(b.burst, b.tokens+b.rate*now.Sub(b.filled).Seconds())
	b.filled = now
	if b.tokens < 1 {
		return false
	}
	b.tokens--
	return true
}

// full reports whether nothing has been taken, or it has been saved up again.
func (b *budget) full(now time.Time) bool {
	return b.tokens+b.rate*now.Sub(b.filled).Seconds() >= b.burst
}

// giveBack returns the budget for a frame that was not sent.
func (b *budget) giveBack() { b.tokens = min(b.burst, b.tokens+1) }

// wait is how long to wait for more after take has found none.
func (b *budget) wait() time.Duration {
	return max(paceInterval, time.Duration((1-b.tokens)/b.rate*float64(time.Second)))
}
