package gossip

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"time"
)

// The others are logged at level debug.
func TestLogWriter_WarnsOnceAMinuteOfAKind(t *testing.T) {
	var got bytes.Buffer
	now := time.Unix(1e9, 0)
	w := newLogWriter(slog.New(slog.NewTextHandler(&got, nil)), func() {})
	w.now = func() time.Time { return now }
	for _, step := range []struct {
		after time.Duration
		line  string
		given bool
	}{
		{0, "[WARN] memberlist: Failed to send UDP ping: b", true},
		{time.Second, "[WARN] memberlist: Failed to send UDP ping: c", false},
		{0, "[ERR] memberlist: Decrypt packet failed", true},
		{0, "[INFO] memberlist: Suspect b has failed", false},
		{0, "[DEBUG] memberlist: Stream connection", false},
		{time.Minute, "[WARN] memberlist: Failed to send UDP ping: b", true},
		{0, "nonsense", false},
		{0, "[WARN] memberlist: ", false},
	} {
		got.Reset()
		now = now.Add(step.after)
		if n, err := w.Write([]byte(step.line + "\n")); n != len(step.line)+1 || err != nil {
			t.Errorf("Write gave %d, %v", n, err)
		}
		if given := strings.Contains(got.String(), "level=WARN"); given != step.given {
			t.Errorf("%q: given is %v, want %v", step.line, given, step.given)
		}
	}
}
