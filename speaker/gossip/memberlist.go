package gossip

import (
	"log"
	"time"

	"github.com/hashicorp/memberlist"
)

// label begins everything that memberlist sends.
const label = "daymark"

// memberlistConfig returns the configuration of memberlist: its defaults for a LAN with our own timing.
func (m *Membership) memberlistConfig() *memberlist.Config {
	c := memberlist.DefaultLANConfig()
	c.Name = m.cfg.Node
	c.BindAddr, c.BindPort = m.cfg.Bind.Addr().String(), int(m.cfg.Bind.Port())
	c.AdvertisePort = c.BindPort
	c.Events, c.Delegate = events{m}, delegate{m}
	c.Logger = log.New(newLogWriter(m.cfg.Log, m.metrics.rejected.Inc), "", 0)
	c.Keyring = m.keyring
	// Of memberlist's versions of a delegate only this one is used: it would refuse members whose ranges do not overlap.
	c.DelegateProtocolMax = uint8(newest)
	// Gossip of other programs on the same port is recognized before it is decrypted.
	c.Label = label

	timing := m.cfg.Timing
	c.ProbeInterval, c.ProbeTimeout = timing.ProbeInterval, timing.ProbeTimeout
	c.SuspicionMult, c.SuspicionMaxTimeoutMult = timing.SuspicionMult, timing.SuspicionMaxTimeoutMult
	c.GossipInterval, c.TCPTimeout = timing.GossipInterval, timing.TCPTimeout
	c.PushPullInterval = 0 // We do it: exchangeByTurns.
	// A node that we take for dead may return under its name with another address at once: names are those of Kubernetes
	// nodes, so no two nodes have the same. Zero would mean never.
	c.DeadNodeReclaimTime = time.Millisecond
	// Our messages have some hundred bytes; compression would cost more than it saves.
	c.EnableCompression = false
	return c
}
