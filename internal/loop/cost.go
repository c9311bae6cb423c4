package loop

import (
	"sync/atomic"
	"time"
)

// Cost is the average duration of a pass. The zero value is ready for use.
type Cost struct{ average atomic.Int64 }

// Observe adds the duration of a pass to the average. Passes must not overlap. A pass that took many times as long as usual
// counts little: it was the first, or had to wait for a processor.
func (c *Cost) Observe(d time.Duration) {
	before := c.get()
	c.average.Store(int64(before + (min(d, 4*before+time.Millisecond)-before)/8))
}

// Long reports whether a pass takes so long that whatever else this process has to do would be late on the same processor.
func (c *Cost) Long() bool { return c.get() > time.Millisecond }

// Interval is the time between two passes of ordinary wakes in a storm of them: a change may be seen so late, here and in other programs that see
// the same.
func (c *Cost) Interval() time.Duration { return min(defaultCostFactor*c.get(), MaxInterval) }

// getter returns the function that gets the average; nil: it is not known.
func (c *Cost) getter() func() time.Duration {
	if c == nil {
		return nil
	}
	return c.get
}

func (c *Cost) get() time.Duration { return time.Duration(c.average.Load()) }
