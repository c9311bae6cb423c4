package announce

import (
	"maps"
	"net/netip"
	"slices"
)

// ownedByNodes is what the kernels of nodes have. Most of it is no address of a Service: those of the nodes themselves, of bridges and of
// tunnels come and go, and what follows from the Services is not worked out anew for them.
type ownedByNodes struct {
	addresses map[netip.Addr]NodeAddress
	prefixes  []NodePrefix
}

// by returns which node's kernel has an address, if any does.
func (o *ownedByNodes) by(addr netip.Addr) (NodeAddress, bool) {
	if by, has := o.addresses[addr]; has {
		return by, true
	}
	i := slices.IndexFunc(o.prefixes, func(p NodePrefix) bool { return p.Prefix.Contains(addr) })
	if i < 0 {
		return NodeAddress{}, false
	}
	return o.prefixes[i].NodeAddress, true
}

// ownedOtherwise are the addresses of Services that the kernels of nodes have now and had not, or have otherwise, or have no more.
func (d *derived) ownedOtherwise(before, now *ownedByNodes) (at []netip.Addr) {
	if maps.Equal(before.addresses, now.addresses) && slices.Equal(before.prefixes, now.prefixes) {
		return nil
	}
	differs := func(addr netip.Addr) bool {
		was, had := before.by(addr)
		is, has := now.by(addr)
		return was != is || had != has
	}
	if !slices.Equal(before.prefixes, now.prefixes) {
		for i := range d.at {
			if addr := d.at[i].addr(); differs(addr) {
				at = append(at, addr)
			}
		}
		return at
	}
	for _, one := range []map[netip.Addr]NodeAddress{before.addresses, now.addresses} {
		// order does not matter: they become a set
		for addr := range one {
			if d.at.has(addr) && differs(addr) {
				at = append(at, addr)
			}
		}
	}
	return at
}
