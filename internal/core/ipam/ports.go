package ipam

import (
	"net/netip"
	"slices"

	"github.com/daymark-lb/daymark/internal/core/lb"
)

// PortConflict is a port of a Service at one of its addresses that another Service has there as well, though it does not share
// the address: by spec.externalIPs, or because another provider wrote the address into its status. The service proxy of each
// node sends the port to one of the two, and nobody can say to which.
type PortConflict struct {
	Addr netip.Addr
	Port lb.Port
}

// addressUser is a Service that uses an address and does not hold it.
type addressUser struct {
	addr    netip.Addr
	service *lb.Service
}

// portUsers are the Services that use a port of an address without holding it. several: there is another than the first.
type portUsers struct {
	first   *lb.Service
	several bool
}

// reportPorts finds the ports that Services cannot be sure of. Sharers have none in common, so only users from outside matter,
// of whom there are few. The cost is the number of their ports.
func (p *pass) reportPorts() {
	users := map[PortConflict]portUsers{}
	held := map[netip.Addr]bool{}
	for _, user := range slices.Concat(p.shownBeside, p.externalUsers) {
		if p.allocations.entries[user.addr].holder == nil {
			continue
		}
		held[user.addr] = true
		for _, port := range user.service.Ports {
			at := PortConflict{user.addr, port}
			if known := users[at]; known.first == nil {
				users[at] = portUsers{first: user.service}
			} else {
				users[at] = portUsers{known.first, known.several || known.first != user.service}
			}
		}
	}
	if len(held) == 0 {
		return
	}
	for _, a := range p.active {
		for _, has := range a.Addresses {
			if held[has.Addr] {
				a.findPortConflicts(has.Addr, users)
			}
		}
	}
}

// findPortConflicts adds the ports of an address that others than the Service itself use.
func (a *Assignment) findPortConflicts(addr netip.Addr, users map[PortConflict]portUsers) {
	for _, port := range a.Service.Ports {
		at := PortConflict{addr, port}
		if user := users[at]; user.several || user.first != nil && user.first != a.Service {
			if a.PortConflicts == nil {
				a.PortConflicts = map[PortConflict]bool{}
			}
			a.PortConflicts[at] = true
		}
	}
}
