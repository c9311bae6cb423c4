package members

import (
	"log"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/memberlist"
)

// gossip is the configuration of memberlist: its preset for a LAN, made faster, because the time to find a dead node is
// most of what its clients wait. A node that vanishes is declared dead after about a second; a false alarm costs a
// hand-over, not an outage.
func (m *Members) gossip() *memberlist.Config {
	c := memberlist.DefaultLANConfig()
	c.Name = m.cfg.Node
	c.BindAddr, c.BindPort = m.cfg.Bind.Addr().String(), int(m.cfg.Bind.Port())
	c.AdvertisePort = c.BindPort
	c.Events = events{m}
	c.Logger = log.New(newLogWriter(m.cfg.Log), "", 0)
	c.Keyring = m.keyring
	// Gossip of other programs on the same port is told apart before it is decrypted.
	c.Label = "daymark"

	// Every node is asked once in ProbeInterval by some other, on average. An answer on a LAN takes well under 1 ms;
	// 100 ms forgive a busy node. What is left of the interval is for indirect probes and one over TCP, which tell a
	// lost datagram from a lost node.
	c.ProbeInterval = 200 * time.Millisecond
	c.ProbeTimeout = 100 * time.Millisecond
	// A suspect has 3 probe intervals to protest when a second node confirms the suspicion, and twice that when none
	// does. 4 and 6, the preset, would mean 0.8 and 4.8 s.
	c.SuspicionMult = 3
	c.SuspicionMaxTimeoutMult = 2
	// News travels a hop in 50 ms at most: four times the packets of the preset, of which there are few.
	c.GossipInterval = 50 * time.Millisecond
	// Complete exchanges bring back those that gossip alone would miss, such as a node that returns with another
	// address while the old one still counts as alive. The preset's 30 s would leave it out for as long.
	c.PushPullInterval = 5 * time.Second
	// An attempt to reach a node that is gone must end before long; its answer on a LAN comes in milliseconds.
	c.TCPTimeout = 2 * time.Second
	// A node that is dead, as far as we know, may take its name back from another address at once: names are those of
	// Kubernetes nodes, of which there are no two. Zero would mean never.
	c.DeadNodeReclaimTime = time.Millisecond
	// Our messages are some hundred bytes; compression would cost more than it saves.
	c.EnableCompression = false
	return c
}

// events hears of nodes that come and go, with memberlist's lock held: it must return at once, and may not look.
type events struct{ members *Members }

// NotifyJoin is told of a node that is alive.
func (e events) NotifyJoin(*memberlist.Node) { e.members.wake() }

// NotifyLeave is told of a node that has left or is dead.
func (e events) NotifyLeave(*memberlist.Node) { e.members.wake() }

// NotifyUpdate is told of a node that says something else of itself.
func (e events) NotifyUpdate(*memberlist.Node) { e.members.wake() }

// quiet is how long a kind of warning stays away after it was given.
const quiet = time.Minute

// logWriter passes memberlist's lines, "[LEVEL] memberlist: text", on to slog. Its errors are about single connections
// and datagrams, often those of strangers, and come several times a second for as long as a node is away: so none is
// more than a warning, one of a kind is given in a minute, and the others are for those who debug.
type logWriter struct {
	log *slog.Logger
	now func() time.Time

	mu    sync.Mutex
	given map[string]time.Time
}

func newLogWriter(log *slog.Logger) *logWriter {
	return &logWriter{log: log, now: time.Now, given: map[string]time.Time{}}
}

// Write takes one line, as log.Logger gives it.
func (w *logWriter) Write(line []byte) (int, error) {
	level, text, _ := strings.Cut(strings.TrimSpace(string(line)), " memberlist: ")
	if (level == "[WARN]" || level == "[ERR]") && w.first(text) {
		w.log.Warn("gossip: " + text)
	} else {
		w.log.Debug("gossip: " + strings.TrimSpace(string(line)))
	}
	return len(line), nil
}

// first reports whether no text that begins like this one was given of late.
func (w *logWriter) first(text string) bool {
	const words, most = 3, 1000
	parts := strings.Fields(text)
	kind := strings.Join(parts[:min(words, len(parts))], " ")

	w.mu.Lock()
	defer w.mu.Unlock()
	now := w.now()
	if last, given := w.given[kind]; given && now.Sub(last) < quiet {
		return false
	}
	if len(w.given) >= most {
		clear(w.given) // Strangers must not fill our memory.
	}
	w.given[kind] = now
	return true
}
