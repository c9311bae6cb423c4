package bgp

import (
	"context"
	"fmt"
	"log/slog"
)

// cause is why a connection failed or a session went down.
type cause struct {
	words string
	// refused: the router turned our OPEN message down, and GoBGP does not tell with what words.
	refused bool
}

// journal is the log that GoBGP writes to. It picks out what no event of GoBGP tells, the causes, and passes on warnings.
type journal struct {
	settings settings
	log      *slog.Logger
	// quiet, when true, spares GoBGP the trouble of writing what only matters while a session is coming up.
	quiet func() bool
	// told is given every cause; it must return at once.
	told func(cause)
}

// Enabled implements slog.Handler. Failures to connect are logged at debug level.
func (j *journal) Enabled(_ context.Context, level slog.Level) bool {
	return level >= slog.LevelInfo || !j.quiet()
}

// WithAttrs implements slog.Handler; what is added is known anyhow.
func (j *journal) WithAttrs([]slog.Attr) slog.Handler { return j }

// WithGroup implements slog.Handler.
func (j *journal) WithGroup(string) slog.Handler { return j }

// Handle implements slog.Handler.
func (j *journal) Handle(_ context.Context, record slog.Record) error {
	values := func() map[string]slog.Value {
		all := make(map[string]slog.Value, record.NumAttrs())
		record.Attrs(func(a slog.Attr) bool { all[a.Key] = a.Value; return true })
		return all
	}
	if found, ok := j.causeOf(record.Message, values); ok {
		j.told(found)
	} else if record.Level >= slog.LevelWarn {
		j.log.Warn("GoBGP: "+record.Message, "error", values()["Error"].String())
	}
	return nil
}

// causeOf reads GoBGP's messages by their exact text; the tests notice when a new version words them otherwise.
func (j *journal) causeOf(message string, values func() map[string]slog.Value) (cause, bool) {
	switch message {
	case "failed to connect":
		return cause{words: dialWords(&j.settings, values()["Error"].String())}, true
	case "outgoing connection IO error":
		return cause{words: "router closed the connection before it sent an OPEN message"}, true
	case "outgoing connection closing due to hold timer expired in OPEN SENT state":
		return cause{words: "router accepted the connection and sent no OPEN message for 4 minutes"}, true
	case "hold timer expired":
		return cause{words: "hold timer expired"}, true
	case "received notification":
		return cause{words: "router sent NOTIFICATION: " + j.notification(values())}, true
	case "sent notification":
		return j.sent(values())
	case "Session will be reset due to malformed BGP Header", "Session will be reset due to malformed BGP message",
		"Session will be reset due to malformed BGP update message":
		return cause{words: "router sent a malformed message: " + values()["Error"].String()}, true
	}
	return cause{}, false
}

func (j *journal) notification(values map[string]slog.Value) string {
	data, _ := values["Data"].Any().([]byte)
	if said := values["Communicated-Reason"]; said.Kind() == slog.KindString && said.String() != "" {
		data = append([]byte{byte(len(said.String()))}, said.String()...) //nolint:gosec // RFC 9003: at most 255 bytes.
	}
	code, subcode := values["Code"].Int64(), values["Subcode"].Int64()
	return notificationWords(uint8(code), uint8(subcode), data) //nolint:gosec // Bytes of a message.
}

// sent reads a NOTIFICATION of our own. One that only follows from what was told before is no cause.
func (j *journal) sent(values map[string]slog.Value) (cause, bool) {
	switch code, subcode := values["Code"].Int64(), values["Subcode"].Int64(); {
	case code == 5 && subcode == 1:
		// The router answered our OPEN message with something else, in practice with a NOTIFICATION.
		return cause{words: "router refused our OPEN message", refused: true}, true
	case code == 2 && subcode == 2:
		return cause{words: fmt.Sprintf("sent NOTIFICATION: %s: the router is not of AS %d",
			j.notification(values), j.settings.expectedASN())}, true
	case code == 2 || code == 5:
		return cause{words: "sent NOTIFICATION: " + j.notification(values)}, true
	}
	return cause{}, false
}
