package detector

import "time"

// idleTickInterval is the time between ticks when there are no heartbeats: Pause needs ticks all the same.
const idleTickInterval = 50 * time.Millisecond

// Timing is how often a peer is pinged, and how soon it counts as silent.
type Timing struct {
	// HeartbeatInterval is the time between two signs of life at rest; 0: there are no heartbeats.
	HeartbeatInterval time.Duration
	// RetryInterval is how long an answer may take before the peer is pinged again. 0: HeartbeatInterval.
	RetryInterval time.Duration
	// HeartbeatMultiplier is how many pings in a row without an answer make a peer silent.
	HeartbeatMultiplier int
	// ConfirmTime is how long memberlist may take at most to find out that a peer is dead; 0: for ever.
	ConfirmTime time.Duration
}

// TickInterval is the time between two signs of life at rest, or what stands for it without heartbeats.
func (t Timing) TickInterval() time.Duration {
	if t.HeartbeatInterval > 0 {
		return t.HeartbeatInterval
	}
	return idleTickInterval
}

// ProbeTime is how long a peer that has missed a heartbeat is asked before it is silent; 0: there are no heartbeats.
func (t Timing) ProbeTime() time.Duration {
	if t.HeartbeatInterval == 0 {
		return 0
	}
	return t.retryInterval() * time.Duration(t.HeartbeatMultiplier)
}

// FenceTime is how long a process may be stopped before it must ask whether it was replaced: no observer comes to its verdict
// sooner than ProbeTime; memberlist, which is alone without heartbeats, is slower.
func (t Timing) FenceTime() time.Duration {
	if t.HeartbeatInterval == 0 {
		return 4 * idleTickInterval
	}
	return t.ProbeTime() - t.retryInterval()
}

// DetectionTime is how long a peer may be silent at most; 0: there are no heartbeats (compare RFC 5880, section 6.8.4).
func (t Timing) DetectionTime() time.Duration {
	if t.HeartbeatInterval == 0 {
		return 0
	}
	return t.HeartbeatInterval + t.turnDelay() + t.ProbeTime()
}

func (t Timing) retryInterval() time.Duration {
	if t.RetryInterval > 0 {
		return t.RetryInterval
	}
	return t.HeartbeatInterval
}

// turnDelay is how much longer than the interval one of two waits that observe each other: the other one asks, and it hears
// that.
func (t Timing) turnDelay() time.Duration { return t.HeartbeatInterval / 10 }
