package link

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

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
// same metric does it ask the kernel, and only for what is like them: there may be very many routes besides.
func readPreferences(defaults []netlink.Route) (preferences, error) {
	questions := ambiguous(defaults)
	if len(questions) == 0 {
		return nil, nil
	}
	socket, err := openStrict()
	if err != nil {
		return nil, fmt.Errorf("open a socket for the preferences of routers: %w", err)
	}
	defer socket.Close()
	found := preferences{}
	for _, q := range questions {
		if err := q.ask(socket, found.add); err != nil && !errors.Is(err, unix.ENOENT) { // Its table may be gone by now.
			return nil, fmt.Errorf("list the preferences of routers: %w", err)
		}
	}
	return found, nil
}

// question asks the kernel for the IPv6 routes of a table with a protocol and a link, 0: any. There is no asking for default routes
// alone.
type question struct {
	table, link int
	protocol    netlink.RouteProtocol
}

// ambiguous are the questions about the IPv6 routes of which several have the same metric in one table, each once, in order.
func ambiguous(defaults []netlink.Route) (questions []question) {
	seen := map[routeKey][]question{}
	for i := range defaults {
		if route := &defaults[i]; route.Family == netlink.FAMILY_V6 {
			key := routeKey{table: route.Table, metric: route.Priority}
			seen[key] = append(seen[key], question{route.Table, route.LinkIndex, route.Protocol})
		}
	}
	for _, same := range seen {
		if len(same) > 1 {
			questions = append(questions, same...)
		}
	}
	slices.SortFunc(questions, func(a, b question) int {
		return cmp.Or(cmp.Compare(a.table, b.table), cmp.Compare(a.link, b.link), cmp.Compare(a.protocol, b.protocol))
	})
	return slices.Compact(questions)
}

// openStrict opens a socket on which the kernel heeds what a dump asks for. One before Linux 4.20 cannot, and tells all routes.
func openStrict() (*nl.NetlinkSocket, error) {
	socket, err := nl.Subscribe(unix.NETLINK_ROUTE)
	if err != nil {
		return nil, err //nolint:wrapcheck // The caller says what for.
	}
	_ = unix.SetsockoptInt(socket.GetFd(), unix.SOL_NETLINK, unix.NETLINK_GET_STRICT_CHK, 1)
	return socket, errors.Join(socket.SetSendTimeout(&nl.SocketTimeoutTv), socket.SetReceiveTimeout(&nl.SocketTimeoutTv))
}

// ask passes each route of the answer on.
func (q question) ask(socket *nl.NetlinkSocket, take func(message []byte)) error {
	request := nl.NewNetlinkRequest(unix.RTM_GETROUTE, unix.NLM_F_DUMP)
	request.Sockets = map[int]*nl.SocketHandle{unix.NETLINK_ROUTE: {Socket: socket}}
	request.AddData(&nl.RtMsg{RtMsg: unix.RtMsg{Family: unix.AF_INET6, Protocol: uint8(q.protocol)}}) //nolint:gosec // It is an octet.
	request.AddData(nl.NewRtAttr(unix.RTA_TABLE, nl.Uint32Attr(uint32(q.table))))                     //nolint:gosec // It came from 32 bits.
	if q.link != 0 {
		request.AddData(nl.NewRtAttr(unix.RTA_OIF, nl.Uint32Attr(uint32(q.link)))) //nolint:gosec // It came from 32 bits.
	}
	return request.ExecuteIter(unix.NETLINK_ROUTE, unix.RTM_NEWROUTE, func(message []byte) bool { //nolint:wrapcheck // The caller does.
		take(message)
		return true
	})
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
