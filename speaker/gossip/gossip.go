package gossip

import (
	"bytes"
	"log"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/memberlist"
)

// gossip is the configuration of memberlist: its preset for a LAN with our own timing.
func (m *Membership) gossip() *memberlist.Config {
	c := memberlist.DefaultLANConfig()
	c.Name = m.cfg.Node
	c.BindAddr, c.BindPort = m.cfg.Bind.Addr().String(), int(m.cfg.Bind.Port())
	c.AdvertisePort = c.BindPort
	c.Events, c.Delegate = events{m}, delegate{m}
	c.Logger = log.New(newLogWriter(m.cfg.Log, m.metrics.strangers.Inc), "", 0)
	c.Keyring = m.keyring
	// Gossip of other programs on the same port is told apart before it is decrypted.
	c.Label = "daymark"

	c.ProbeInterval, c.ProbeTimeout = m.cfg.Timing.ProbeInterval, m.cfg.Timing.ProbeTimeout
	c.SuspicionMult, c.SuspicionMaxTimeoutMult = m.cfg.Timing.SuspicionMult, m.cfg.Timing.SuspicionMaxTimeoutMult
	c.GossipInterval, c.PushPullInterval = m.cfg.Timing.GossipInterval, m.cfg.Timing.PushPullInterval
	c.TCPTimeout = m.cfg.Timing.TCPTimeout
	// A node that is dead, as far as we know, may take its name back from another address at once: names are those of
	// Kubernetes nodes, of which there are no two. Zero would mean never.
	c.DeadNodeReclaimTime = time.Millisecond
	// Our messages are some hundred bytes; compression would cost more than it saves.
	c.EnableCompression = false
	return c
}

// quiet is how long a kind of warning stays away after it was given.
const quiet = time.Minute

// logWriter passes memberlist's lines, "[LEVEL] memberlist: text", on to slog. Its errors are about single connections
// and datagrams, often those of strangers, and come several times a second for as long as a node is away: so none is
// more than a warning, one of a kind is given in a minute, and the others are for those who debug.
type logWriter struct {
	log *slog.Logger
	now func() time.Time
	// stranger is called for each line about a message of a stranger.
	stranger func()

	mu    sync.Mutex
	given map[string]time.Time
}

func newLogWriter(log *slog.Logger, stranger func()) *logWriter {
	return &logWriter{log: log, now: time.Now, stranger: stranger, given: map[string]time.Time{}}
}

// strange reports whether a line is about a message that cannot be decrypted or is of other gossip. memberlist has no
// other way to tell.
func strange(line string) bool {
	for _, sign := range []string{
		"Decrypt packet failed", "with unacceptable label", "o installed keys could decrypt", "remote state is not encrypted",
		"too small to decrypt", "nsupported encryption version", "cannot decode label", "label header cannot be empty",
	} {
		if strings.Contains(line, sign) {
			return true
		}
	}
	return false
}

// Write takes one line, as log.Logger gives it.
func (w *logWriter) Write(line []byte) (int, error) {
	if bytes.HasPrefix(line, []byte("[ERR]")) && strange(string(line)) {
		w.stranger()
	}
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
