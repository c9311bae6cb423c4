package lb

import (
	"fmt"
	"net/netip"
	"strings"
)

// maxInterfaceName is the longest name of an interface in Linux, in bytes (IFNAMSIZ without the zero at the end).
const maxInterfaceName = 15

// ParsePeerAddr parses the address of a router. A link-local IPv6 address may have the name of an interface behind it.
func ParsePeerAddr(text string) (netip.Addr, error) {
	text = strings.TrimSpace(text)
	bare, zone, zoned := strings.Cut(text, "%")
	addr, err := ParseAddr(bare)
	switch {
	case err != nil:
		return netip.Addr{}, err
	case !zoned:
		return addr, nil
	case !addr.Is6() || !addr.IsLinkLocalUnicast():
		return netip.Addr{}, fmt.Errorf("%s names an interface: only a link-local IPv6 address does, as fe80::1%%eth0", quote(text))
	case zone == "" || len(zone) > maxInterfaceName || strings.ContainsAny(zone, "%/ \t"):
		return netip.Addr{}, fmt.Errorf("%s does not name an interface behind the %%", quote(text))
	default:
		return addr.WithZone(zone), nil
	}
}
