package handover

import (
	"time"

	"github.com/daymark-lb/daymark/internal/core/election"
)

// CrashDelay is how long a node must be silent until it counts as crashed. A speaker that comes back may seem silent for a moment, and
// clients send again meanwhile.
const CrashDelay = time.Second

// Crashes remembers since when nodes are silent. The zero value is ready for use, by one goroutine.
type Crashes struct {
	since map[string]time.Time
}

// Next takes in the nodes that are silent in the gossip without having said that they leave, and do not answer on the segment either, and
// returns those that count as crashed, and when more may; 0: when another is silent.
func (c *Crashes) Next(now time.Time, silent []string) (crashed map[string]bool, wait time.Duration) {
	since := make(map[string]time.Time, len(silent))
	crashed = map[string]bool{}
	for _, node := range silent {
		at, known := c.since[node]
		if !known {
			at = now
		}
		since[node] = at
		if left := CrashDelay - now.Sub(at); left > 0 {
			wait = election.Sooner(wait, left)
		} else {
			crashed[node] = true
		}
	}
	c.since = since
	return crashed, wait
}
