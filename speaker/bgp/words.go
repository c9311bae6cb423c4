package bgp

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/osrg/gobgp/v4/pkg/packet/bgp"
)

// notifications are the error codes and subcodes of NOTIFICATION messages in words: RFC 4271 section 4.5, RFC 4486, 5492,
// 6608, 7313, 8538 and 9384.
var notifications = map[uint8]struct {
	code     string
	subcodes []string
}{
	1: {"message header error", []string{1: "connection not synchronized", 2: "bad message length", 3: "bad message type"}},
	2: {"OPEN message error", []string{
		1: "unsupported version number", 2: "bad peer AS", 3: "bad BGP identifier", 4: "unsupported optional parameter",
		6: "unacceptable hold time", 7: "unsupported capability", 11: "role mismatch",
	}},
	3: {"UPDATE message error", []string{
		1: "malformed attribute list", 2: "unrecognized well-known attribute", 3: "missing well-known attribute",
		4: "attribute flags error", 5: "attribute length error", 6: "invalid ORIGIN attribute", 8: "invalid NEXT_HOP attribute",
		9: "optional attribute error", 10: "invalid network field", 11: "malformed AS_PATH",
	}},
	4: {"hold timer expired", nil},
	5: {"finite state machine error", []string{
		1: "unexpected message in OpenSent state", 2: "unexpected message in OpenConfirm state",
		3: "unexpected message in Established state",
	}},
	6: {"cease", []string{
		1: "maximum number of prefixes reached", 2: "administrative shutdown", 3: "peer de-configured",
		4: "administrative reset", 5: "connection rejected", 6: "other configuration change",
		7: "connection collision resolution", 8: "out of resources", 9: "hard reset", 10: "BFD down",
	}},
	7: {"ROUTE-REFRESH message error", []string{1: "invalid message length"}},
	8: {"send hold timer expired", nil},
}

// notificationWords says what a NOTIFICATION message says. The text of a router's operator (RFC 9003) is quoted.
func notificationWords(code, subcode uint8, data []byte) string {
	known, ok := notifications[code]
	if !ok {
		return fmt.Sprintf("error code %d, subcode %d", code, subcode)
	}
	text := known.code
	switch {
	case int(subcode) < len(known.subcodes) && known.subcodes[subcode] != "":
		text += ", " + known.subcodes[subcode]
	case subcode != 0:
		text += fmt.Sprintf(", subcode %d", subcode)
	}
	if code != bgp.BGP_ERROR_CEASE || len(data) == 0 {
		return text
	}
	switch subcode {
	case bgp.BGP_ERROR_SUB_HARD_RESET: // RFC 8538 section 3.1: the data are a NOTIFICATION again.
		if len(data) >= 2 && data[1] != bgp.BGP_ERROR_SUB_HARD_RESET {
			text += ": " + notificationWords(data[0], data[1], data[2:])
		}
	case bgp.BGP_ERROR_SUB_ADMINISTRATIVE_SHUTDOWN, bgp.BGP_ERROR_SUB_ADMINISTRATIVE_RESET:
		if said := data[1:min(len(data), 1+int(data[0]))]; len(said) > 0 {
			text += fmt.Sprintf(": %q", said)
		}
	}
	return text
}

// dialing is how the standard library begins an error about a connection.
var dialing = regexp.MustCompile(`^dial \S+ \S+: `)

// dialWords says why a connection could not be had, in the shape "connect to 192.0.2.1:179: connection refused".
func dialWords(s *settings, failure string) string {
	reason := dialing.ReplaceAllString(failure, "")
	if rest, ok := strings.CutPrefix(reason, "bind: "); ok {
		return fmt.Sprintf("connect to %s from %s: %s", s.dial(), s.source, rest)
	}
	reason = strings.TrimPrefix(reason, "connect: ")
	if reason == "i/o timeout" {
		reason = "no answer"
		if s.password != "" {
			reason += " (which is also how a wrong password shows)"
		}
	}
	return fmt.Sprintf("connect to %s: %s", s.dial(), reason)
}
