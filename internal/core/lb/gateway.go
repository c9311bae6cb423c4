package lb

import "net/netip"

// Gateway is a next hop of a default route of a node.
type Gateway struct {
	// Addr of the router; a link-local one has the name of its link as zone.
	Addr netip.Addr
	// VRF whose routing table has the route; empty: the main table.
	VRF string
	// Backup: the kernel uses others of the same family and table, as long as they are there: their route has a lower metric, or is of
	// the router's own family (RFC 8950).
	Backup bool
}
