package gossip

import (
	"errors"
	"fmt"
	"time"

	"github.com/daymark-lb/daymark/internal/core/detector"
)

// Fast is the name of the default preset.
const Fast = "fast"

// Timing says how fast gossip and failure detection are. A preset sets all of it. All speakers of a cluster should have the
// same one, because the slowest observer of a node decides when the node counts as silent.
type Timing struct {
	// ProbeInterval and ProbeTimeout are memberlist's: on average a node is probed once per interval by some other, and is
	// probed indirectly when it does not answer within the timeout.
	ProbeInterval, ProbeTimeout time.Duration
	// SuspicionMult and SuspicionMaxTimeoutMult are memberlist's: a suspected node has SuspicionMult probe intervals (times
	// the logarithm of the size of the cluster) to refute when others confirm the suspicion, and SuspicionMaxTimeoutMult
	// times that when none do.
	SuspicionMult, SuspicionMaxTimeoutMult int
	// GossipInterval is the time a broadcast takes per hop, PushPullInterval the time between two push/pull exchanges with
	// a random peer, or questions whether one is needed, TCPTimeout how long a connection may take.
	GossipInterval, PushPullInterval, TCPTimeout time.Duration
	// HeartbeatInterval is the time between two signs of life of a pair; 0 turns heartbeats off, so that only memberlist's
	// probes detect a dead speaker.
	HeartbeatInterval time.Duration
	// RetryInterval is how long an answer to a ping may take before the next ping, HeartbeatMultiplier how many pings in a
	// row without an answer make a speaker silent.
	RetryInterval       time.Duration
	HeartbeatMultiplier int
}

// Preset returns a Timing by name, with heartbeats or without, and whether there is one of that name:
//   - "fast", the default, for nodes on one segment: a dead speaker is detected in about 85 ms, 125 ms at most, by heartbeats
//     every 50 ms and 6 pings 11 ms apart, and by memberlist in about 2 s; without heartbeats in about 1 s.
//   - "lan": memberlist's own values for a LAN with heartbeats every 200 ms and 6 pings 100 ms apart: about 800 ms, for busy
//     or far hosts.
//   - "wan": memberlist's own values for the internet with heartbeats every second and 5 pings 800 ms apart: about 5 s.
func Preset(name string, heartbeats bool) (Timing, bool) {
	t, known := preset(name)
	if !heartbeats {
		t.HeartbeatInterval = 0
		if name == Fast {
			t.ProbeInterval, t.SuspicionMult, t.GossipInterval = 200*time.Millisecond, 3, 50*time.Millisecond
		}
	}
	return t, known
}

// preset returns the Timing of a preset with heartbeats.
func preset(name string) (Timing, bool) {
	switch name {
	case Fast:
		// An answer on a LAN takes well under 1 ms, and 100 ms tolerate a busy node. The rest of ProbeInterval is for
		// indirect probes and one over TCP. A suspected node has 2 intervals to refute; the values for LANs, 4 and 6, would
		// mean 2 and 12 s. Each probe wakes threads, so behind heartbeats there are no more than two a second. Gossip may not be
		// as slow: who leaves waits until it has told so, leaveTimeout at most, which must be several intervals. Push/pull
		// exchanges bring back nodes that gossip alone would miss, such as one that returns with another address while the
		// old one still counts as alive. TCPTimeout is 2 s because an attempt to reach a node that is gone must end soon.
		return Timing{
			ProbeInterval: 500 * time.Millisecond, ProbeTimeout: 100 * time.Millisecond,
			SuspicionMult: 2, SuspicionMaxTimeoutMult: 2,
			GossipInterval: 200 * time.Millisecond, PushPullInterval: 5 * time.Second, TCPTimeout: 2 * time.Second,
			HeartbeatInterval: 50 * time.Millisecond, RetryInterval: 11 * time.Millisecond, HeartbeatMultiplier: 6,
		}, true
	case "lan":
		return Timing{
			ProbeInterval: time.Second, ProbeTimeout: 500 * time.Millisecond,
			SuspicionMult: 4, SuspicionMaxTimeoutMult: 6,
			GossipInterval: 200 * time.Millisecond, PushPullInterval: 10 * time.Second, TCPTimeout: 10 * time.Second,
			HeartbeatInterval: 200 * time.Millisecond, RetryInterval: 100 * time.Millisecond, HeartbeatMultiplier: 6,
		}, true
	case "wan":
		return Timing{
			ProbeInterval: 5 * time.Second, ProbeTimeout: 3 * time.Second,
			SuspicionMult: 6, SuspicionMaxTimeoutMult: 6,
			GossipInterval: 500 * time.Millisecond, PushPullInterval: 60 * time.Second, TCPTimeout: 30 * time.Second,
			HeartbeatInterval: time.Second, RetryInterval: 800 * time.Millisecond, HeartbeatMultiplier: 5,
		}, true
	default:
		return Timing{}, false
	}
}

// Check returns what makes a Timing unusable.
func (t Timing) Check() error {
	const minInterval, minRetryInterval = 5 * time.Millisecond, 2 * time.Millisecond
	switch {
	case t.HeartbeatInterval != 0 && (t.HeartbeatInterval < minInterval || t.HeartbeatMultiplier < 2):
		return fmt.Errorf("heartbeats must be at least %v apart, and at least 2 must be missed, not %v and %d", minInterval, t.HeartbeatInterval, t.HeartbeatMultiplier)
	case t.HeartbeatInterval != 0 && (t.RetryInterval < minRetryInterval || t.RetryInterval > t.HeartbeatInterval):
		return fmt.Errorf("an answer to a heartbeat must have at least %v and at most the interval of %v, not %v", minRetryInterval, t.HeartbeatInterval, t.RetryInterval)
	case t.ProbeInterval < minInterval || t.ProbeTimeout <= 0 || t.ProbeTimeout > t.ProbeInterval:
		return fmt.Errorf("gossip probes must be at least %v apart, and their timeout not longer than that, not %v and %v", minInterval, t.ProbeInterval, t.ProbeTimeout)
	case t.SuspicionMult < 1:
		return errors.New("a suspected node needs at least one probe interval to refute the suspicion")
	default:
		return nil
	}
}

// detection is the part of the timing that the failure detector needs.
func (t Timing) detection() detector.Timing {
	return detector.Timing{
		HeartbeatInterval: t.HeartbeatInterval, RetryInterval: t.RetryInterval, HeartbeatMultiplier: t.HeartbeatMultiplier,
		ConfirmTime: t.confirmTime(),
	}
}

// confirmTime is how long memberlist may take at most: probes are at most 8 intervals apart, and a suspicion lasts SuspicionMult
// intervals times the logarithm of the nodes, here 500. One that a second node may shorten, which takes a SuspicionMult of 3,
// lasts SuspicionMaxTimeoutMult times as long at first; 25 intervals are enough as long as there are others to do that.
func (t Timing) confirmTime() time.Duration {
	if t.SuspicionMult < 3 {
		return 14 * t.ProbeInterval
	}
	return 25 * t.ProbeInterval
}

// SetHeartbeatInterval changes the interval, and the retry interval in proportion.
func (t *Timing) SetHeartbeatInterval(interval time.Duration) {
	if t.HeartbeatInterval > 0 {
		t.RetryInterval = time.Duration(float64(t.RetryInterval) * float64(interval) / float64(t.HeartbeatInterval))
	}
	t.HeartbeatInterval = interval
}
