package bgp

import (
	"github.com/osrg/gobgp/v4/pkg/packet/bgp"

	"github.com/daymark-lb/daymark/internal/core/lb"
)

// familyIndex is the index of a family in an array of two.
func familyIndex(family lb.Family) int {
	if family == lb.IPv6 {
		return 1
	}
	return 0
}

// afiSAFI is a family as RFC 4760 identifies it. All that we exchange is unicast.
func afiSAFI(family lb.Family) bgp.Family {
	if family == lb.IPv6 {
		return bgp.RF_IPv6_UC
	}
	return bgp.RF_IPv4_UC
}
