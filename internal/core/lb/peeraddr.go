package lb

import (
	"fmt"
	"net/netip"
	"strings"
)

// maxInterfaceName is the longest name of an interface in Linux, in bytes (IFNAMSIZ without the zero at the end).
const maxInterfaceName = 15

// ParsePeerAddr parses the address of a router. A link-local IPv6 address has the name of an interface behind it, and no other
// address has. What can be the address of no router is an error, see CheckRouter.
func ParsePeerAddr(text string) (netip.Addr, error) {
	text = strings.TrimSpace(text)
	bare, zone, zoned := strings.Cut(text, "%")
	addr, err := ParseAddr(bare)
	switch {
	case err != nil:
		return netip.Addr{}, err
	case !zoned:
		if err := CheckRouter(addr); err != nil {
			return netip.Addr{}, err
		}
		return addr, nil
	case !addr.Is6() || !addr.IsLinkLocalUnicast():
		return netip.Addr{}, fmt.Errorf("%s names an interface: only a link-local IPv6 address does, as fe80::1%%eth0", quote(text))
	case zone == "" || len(zone) > maxInterfaceName || strings.ContainsAny(zone, "%/ \t"):
		return netip.Addr{}, fmt.Errorf("%s does not name an interface behind the %%", quote(text))
	default:
		return addr.WithZone(zone), nil
	}
}
