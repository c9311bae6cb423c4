package gossip

import (
	"errors"
	"fmt"
	"time"
)

// Fast is the name of the default preset.
const Fast = "fast"

// Check says what makes a Timing unusable; nil: nothing.
func (t Timing) Check() error {
	const least = 5 * time.Millisecond
	switch {
	case t.HeartbeatInterval != 0 && (t.HeartbeatInterval < least || t.HeartbeatMultiplier < 2):
		return fmt.Errorf("heartbeats must be at least %v apart, and at least 2 must be missed, not %v and %d", least, t.HeartbeatInterval, t.HeartbeatMultiplier)
	case t.ProbeInterval < least || t.ProbeTimeout <= 0 || t.ProbeTimeout > t.ProbeInterval:
		return fmt.Errorf("gossip probes must be at least %v apart, and their timeout not longer than that, not %v and %v", least, t.ProbeInterval, t.ProbeTimeout)
	case t.SuspicionMult < 1:
		return errors.New("a suspect needs at least one probe interval to protest")
	default:
		return nil
	}
}
