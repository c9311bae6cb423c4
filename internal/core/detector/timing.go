package detector

import "time"

// idleTickInterval is the time between ticks when there are no heartbeats: Pause needs ticks all the same.
const idleTickInterval = 50 * time.Millisecond

// Timing is how often a peer is pinged, and how soon it counts as silent.
type Timing struct {
	// HeartbeatInterval is the time between two pings of an observer; 0: there are no heartbeats.
	HeartbeatInterval time.Duration
	// HeartbeatMultiplier is how many intervals without a sign of life make a peer silent.
	HeartbeatMultiplier int
}

// TickInterval is the time between two calls of Detector.Tick.
func (t Timing) TickInterval() time.Duration {
	if t.HeartbeatInterval > 0 {
		return t.HeartbeatInterval
	}
	return idleTickInterval
}

// DetectionTime is how long a peer may be silent; 0: there are no heartbeats (compare RFC 5880, section 6.8.4).
func (t Timing) DetectionTime() time.Duration {
	return t.HeartbeatInterval * time.Duration(t.HeartbeatMultiplier)
}
