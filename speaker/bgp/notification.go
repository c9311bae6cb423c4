package bgp

import (
	"fmt"

	"github.com/osrg/gobgp/v4/pkg/packet/bgp"
)

// notificationTexts name the error codes and subcodes of NOTIFICATION messages: RFC 4271 section 4.5, RFC 4486, 5492, 6608,
// 7313, 8538, 9384 and 9687.
var notificationTexts = map[uint8]struct {
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

// notificationText says in words what a NOTIFICATION message means. A text that the router's operator gave (RFC 9003) is
// quoted.
func notificationText(code, subcode uint8, data []byte) string {
	known, ok := notificationTexts[code]
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
	if code == bgp.BGP_ERROR_OPEN_MESSAGE_ERROR && subcode == bgp.BGP_ERROR_SUB_UNSUPPORTED_CAPABILITY {
		if names := capabilityTexts(data); names != "" {
			text += ": " + names
		}
	}
	if code != bgp.BGP_ERROR_CEASE || len(data) == 0 {
		return text
	}
	switch subcode {
	case bgp.BGP_ERROR_SUB_HARD_RESET: // The data are a NOTIFICATION again (RFC 8538 section 3.1).
		if len(data) >= 2 && data[1] != bgp.BGP_ERROR_SUB_HARD_RESET {
			text += ": " + notificationText(data[0], data[1], data[2:])
		}
	case bgp.BGP_ERROR_SUB_MAXIMUM_NUMBER_OF_PREFIXES_REACHED:
		if family, limit, ok := prefixLimit(data); ok {
			text += fmt.Sprintf(": the router's limit is %d %s prefixes", limit, family)
		}
	case bgp.BGP_ERROR_SUB_ADMINISTRATIVE_SHUTDOWN, bgp.BGP_ERROR_SUB_ADMINISTRATIVE_RESET:
		if given := data[1:min(len(data), 1+int(data[0]))]; len(given) > 0 {
			text += fmt.Sprintf(": %q", given)
		}
	}
	return text
}
