package gossip

import "time"

// Timing says how often the speakers look after each other. The presets set it whole; all speakers of a cluster should
// have the same one, since the slowest of the watchers of a node decides when its silence is believed.
type Timing struct {
	// ProbeInterval and ProbeTimeout are memberlist's: a node is asked once per interval by some other, on average, and
	// is asked in other ways when it does not answer within the timeout.
	ProbeInterval, ProbeTimeout time.Duration
	// SuspicionMult and SuspicionMaxTimeoutMult are memberlist's: a suspect has so many probe intervals to protest (times
	// the logarithm of the size of the cluster) when others confirm the suspicion, and that times the second when none do.
	SuspicionMult, SuspicionMaxTimeoutMult int
	// GossipInterval is the time that news takes per hop, PushPullInterval that between complete exchanges with a random
	// other, TCPTimeout how long a connection may take.
	GossipInterval, PushPullInterval, TCPTimeout time.Duration
	// HeartbeatInterval is the time between two pings of a watcher; 0 turns heartbeats off, and only memberlist's probes
	// find a dead speaker.
	HeartbeatInterval time.Duration
	// HeartbeatMultiplier is how many intervals without a sign of life make a speaker silent.
	HeartbeatMultiplier int
}

// Preset is a Timing by name:
//   - "fast", the default, for nodes on one segment: a dead speaker is found in about 200 ms by heartbeats every 50 ms,
//     and by memberlist alone in about 1 s.
//   - "lan": memberlist's own values for a LAN with heartbeats every 200 ms: about 800 ms, for busy or far hosts.
//   - "wan": memberlist's own values for the internet with heartbeats every second: about 5 s.
//
// It reports whether there is one of that name.
func Preset(name string) (Timing, bool) {
	switch name {
	case Fast:
		// Every node is asked once in ProbeInterval; an answer on a LAN takes well under 1 ms, and 100 ms forgive a busy
		// node. What is left of the interval is for indirect probes and one over TCP. A suspect has 3 intervals to protest
		// when a second node confirms, and twice that when none does; 4 and 6, the preset for LANs, would mean 0.8 and 4.8 s.
		// Complete exchanges bring back those that gossip alone would miss, such as a node that returns with another address
		// while the old one still counts as alive. 2 s: an attempt to reach a node that is gone must end before long.
		return Timing{
			ProbeInterval: 200 * time.Millisecond, ProbeTimeout: 100 * time.Millisecond,
			SuspicionMult: 3, SuspicionMaxTimeoutMult: 2,
			GossipInterval: 50 * time.Millisecond, PushPullInterval: 5 * time.Second, TCPTimeout: 2 * time.Second,
			HeartbeatInterval: 50 * time.Millisecond, HeartbeatMultiplier: 4,
		}, true
	case "lan":
		return Timing{
			ProbeInterval: time.Second, ProbeTimeout: 500 * time.Millisecond,
			SuspicionMult: 4, SuspicionMaxTimeoutMult: 6,
			GossipInterval: 200 * time.Millisecond, PushPullInterval: 10 * time.Second, TCPTimeout: 10 * time.Second,
			HeartbeatInterval: 200 * time.Millisecond, HeartbeatMultiplier: 4,
		}, true
	case "wan":
		return Timing{
			ProbeInterval: 5 * time.Second, ProbeTimeout: 3 * time.Second,
			SuspicionMult: 6, SuspicionMaxTimeoutMult: 6,
			GossipInterval: 500 * time.Millisecond, PushPullInterval: 60 * time.Second, TCPTimeout: 30 * time.Second,
			HeartbeatInterval: time.Second, HeartbeatMultiplier: 5,
		}, true
	default:
		return Timing{}, false
	}
}

// idle is the beat when there are no heartbeats: the fence needs one all the same.
const idle = 50 * time.Millisecond

// beat is the time between two ticks of the pulse.
func (t Timing) beat() time.Duration {
	if t.HeartbeatInterval > 0 {
		return t.HeartbeatInterval
	}
	return idle
}
