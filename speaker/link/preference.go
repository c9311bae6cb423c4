package link

import (
	"fmt"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// preference is what a router says of itself in its router advertisements (RFC 4191 section 2.1): low, medium, which is 0 and what
// every other route has, or high. The kernel keeps the default routes of several routers with one metric, and uses the one
// with the highest preference.
type preference int8

// preferences are those of default routes that are not of medium preference.
type preferences map[routeKey]preference

// routeKey tells the default routes of one family from each other. Those with several next hops have neither link nor gateway.
type routeKey struct {
	table, metric, link int
	gateway             string
}

func keyOf(route *netlink.Route) routeKey {
	return routeKey{route.Table, route.Priority, route.LinkIndex, string(route.Gw)}
}

// readPreferences reads the preferences of IPv6 default routes, which the netlink package leaves out. Only where several have the
// same metric does it ask the kernel.
func readPreferences(defaults []netlink.Route) (preferences, error) {
	if !ambiguous(defaults) {
		return nil, nil
	}
	found := preferences{}
	request := nl.NewNetlinkRequest(unix.RTM_GETROUTE, unix.NLM_F_DUMP)
	request.AddData(&nl.RtMsg{RtMsg: unix.RtMsg{Family: unix.AF_INET6}})
	err := request.ExecuteIter(unix.NETLINK_ROUTE, unix.RTM_NEWROUTE, func(message []byte) bool {
		found.add(message)
		return true
	})
	if err != nil {
		return nil, fmt.Errorf("list the preferences of routers: %w", err)
	}
	return found, nil
}

// ambiguous reports whether several IPv6 routes have the same metric in one table.
func ambiguous(defaults []netlink.Route) bool {
	seen := map[routeKey]bool{}
	for i := range defaults {
		if route := &defaults[i]; route.Family == netlink.FAMILY_V6 {
			key := routeKey{table: route.Table, metric: route.Priority}
			if seen[key] {
				return true
			}
			seen[key] = true
		}
	}
	return false
}

// add reads one route of the dump.
func (p preferences) add(message []byte) {
	header := nl.DeserializeRtMsg(message)
	if header.Dst_len != 0 || header.Flags&unix.RTM_F_CLONED != 0 {
		return
	}
	attributes, err := nl.ParseRouteAttr(message[header.Len():])
	if err != nil {
		return // The netlink package has read the same route.
	}
	key, value := routeKey{table: int(header.Table)}, byte(0)
	for _, attribute := range attributes {
		switch attribute.Attr.Type {
		case unix.RTA_TABLE:
			key.table = int(nl.NativeEndian().Uint32(attribute.Value))
		case unix.RTA_PRIORITY:
			key.metric = int(nl.NativeEndian().Uint32(attribute.Value))
		case unix.RTA_OIF:
			key.link = int(nl.NativeEndian().Uint32(attribute.Value))
		case unix.RTA_GATEWAY:
			key.gateway = string(attribute.Value)
		case unix.RTA_PREF:
			value = attribute.Value[0]
		}
	}
	if preferred := preferenceOf(value); preferred != 0 {
		p[key] = preferred
	}
}

// preferenceOf reads the two bits of a preference, a signed number; the reserved value counts as medium (RFC 4191 section 2.1).
func preferenceOf(bits byte) preference {
	switch bits {
	case 0b01:
		return 1
	case 0b11:
		return -1
	default:
		return 0
	}
}
