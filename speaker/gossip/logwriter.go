package gossip

import (
	"bytes"
	"log/slog"
	"strings"
	"sync"
	"time"
)

// warnInterval is the least time between two warnings of one kind.
const warnInterval = time.Minute

// logWriter passes memberlist's lines, "[LEVEL] memberlist: text", on to slog. memberlist's errors are about single
// connections and datagrams, often from other programs, and come several times a second for as long as a node is away. So
// they are logged as warnings, one of a kind a minute, and the others at level debug.
type logWriter struct {
	log *slog.Logger
	now func() time.Time
	// rejected is called for each line about a rejected message.
	rejected func()

	mu         sync.Mutex
	lastWarned map[string]time.Time
}

func newLogWriter(log *slog.Logger, rejected func()) *logWriter {
	return &logWriter{log: log, now: time.Now, rejected: rejected, lastWarned: map[string]time.Time{}}
}

// isRejection reports whether a line is about a message that cannot be decrypted or is not of our gossip. memberlist tells
// this in no other way.
func isRejection(line string) bool {
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

// Write implements io.Writer; log.Logger calls it with one line.
func (w *logWriter) Write(line []byte) (int, error) {
	if bytes.HasPrefix(line, []byte("[ERR]")) && isRejection(string(line)) {
		w.rejected()
	}
	level, text, _ := strings.Cut(strings.TrimSpace(string(line)), " memberlist: ")
	if (level == "[WARN]" || level == "[ERR]") && w.shouldWarn(text) {
		w.log.Warn("memberlist says", "text", text)
	} else {
		w.log.Debug("memberlist says", "text", strings.TrimSpace(string(line)))
	}
	return len(line), nil
}

// shouldWarn reports whether no text with the same first words was logged as a warning lately.
func (w *logWriter) shouldWarn(text string) bool {
	const words, maxKinds = 3, 1000
	parts := strings.Fields(text)
	kind := strings.Join(parts[:min(words, len(parts))], " ")

	w.mu.Lock()
	defer w.mu.Unlock()
	now := w.now()
	if last, warned := w.lastWarned[kind]; warned && now.Sub(last) < warnInterval {
		return false
	}
	if len(w.lastWarned) >= maxKinds {
		clear(w.lastWarned) // Other programs must not fill our memory.
	}
	w.lastWarned[kind] = now
	return true
}
