package bgp

import (
	"cmp"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"time"

	"github.com/osrg/gobgp/v4/pkg/apiutil"
	"github.com/osrg/gobgp/v4/pkg/packet/bgp"

	"github.com/daymark-lb/daymark/internal/lb"
	"github.com/daymark-lb/daymark/speaker/announce"
)

// announced is what a prefix was announced with.
type announced struct {
	attributes *announce.Attributes
	nextHop    netip.Addr
}

// equal: announcing a prefix with the one or with the other is the same to the router.
func (a announced) equal(b announced) bool {
	return a.nextHop == b.nextHop && (a.attributes == b.attributes || equalAttributes(a.attributes, b.attributes))
}

func equalAttributes(a, b *announce.Attributes) bool {
	equal := func(x, y *uint32) bool { return x == y || x != nil && y != nil && *x == *y }
	return equal(a.LocalPref, b.LocalPref) && equal(a.MED, b.MED) && a.Prepend == b.Prepend &&
		slices.Equal(a.Communities, b.Communities)
}

// nextHopOf is the next hop of a family's paths. Over the family that the session runs over it is this end of the session,
// which the router can reach, whatever other addresses the node has; for the other family the node's own address.
func nextHopOf(desired *announce.Session, family lb.Family) (netip.Addr, error) {
	own := desired.NextHop4
	if family == lb.IPv6 {
		own = desired.NextHop6
	}
	if family == lb.FamilyOf(desired.Address) {
		own = cmp.Or(desired.Source, localEnd(desired), own)
	}
	if !own.IsValid() {
		return own, fmt.Errorf("%s prefixes are not announced: this node has no %s address to be their next hop", family, family)
	}
	return own, nil
}

// localEnd is the address that the kernel chooses for a session; invalid when it has no route, or when the address has no
// meaning to a router. No packet is sent. (GoBGP fills in an unspecified next hop too, but not in every case the one of
// the session.)
func localEnd(desired *announce.Session) netip.Addr {
	if desired.VRF != "" {
		return netip.Addr{} // another routing table decides
	}
	conn, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(netip.AddrPortFrom(desired.Address, desired.Port)))
	if err != nil {
		return netip.Addr{}
	}
	defer conn.Close() //nolint:errcheck // nothing was sent
	local, ok := conn.LocalAddr().(*net.UDPAddr)
	if !ok || local.IP.IsLinkLocalUnicast() {
		return netip.Addr{}
	}
	return local.AddrPort().Addr().Unmap()
}

// encoder turns paths into GoBGP's. Paths with the same attributes share the objects that describe them, for which
// it must live no longer than one pass: it goes by pointers.
type encoder struct {
	internal bool
	asn      uint32
	shared   map[announced][]bgp.PathAttributeInterface
	age      int64
}

func newEncoder(s *settings) *encoder {
	return &encoder{
		internal: s.internal(), asn: s.asn(), shared: map[announced][]bgp.PathAttributeInterface{}, age: time.Now().Unix(),
	}
}

// path encodes the announcement of a prefix, or its withdrawal.
func (e *encoder) path(prefix netip.Prefix, with announced, withdraw bool) (*apiutil.Path, error) {
	nlri, err := bgp.NewIPAddrPrefix(prefix)
	if err != nil {
		return nil, fmt.Errorf("encode %s: %w", prefix, err)
	}
	attributes, known := e.shared[with]
	if !known {
		if attributes, err = e.attributes(with); err != nil {
			return nil, fmt.Errorf("encode attributes of %s: %w", prefix, err)
		}
		e.shared[with] = attributes
	}
	return &apiutil.Path{
		Family: wireFamily(lb.FamilyOf(prefix.Addr())), Nlri: nlri, Attrs: attributes, Age: e.age, Withdrawal: withdraw,
	}, nil
}

// attributes encodes those of RFC 4271 section 5.1, RFC 1997 and RFC 8092. LOCAL_PREF goes to internal routers only, and
// our AS number is repeated for external ones only: an internal router would take it for a loop.
func (e *encoder) attributes(with announced) ([]bgp.PathAttributeInterface, error) {
	nextHop, err := bgp.NewPathAttributeNextHop(with.nextHop)
	if err != nil {
		return nil, fmt.Errorf("next hop %s: %w", with.nextHop, err)
	}
	from := with.attributes
	list := []bgp.PathAttributeInterface{bgp.NewPathAttributeOrigin(bgp.BGP_ORIGIN_ATTR_TYPE_IGP), nextHop}
	if from.Prepend > 0 && !e.internal {
		again := slices.Repeat([]uint32{e.asn}, from.Prepend)
		list = append(list, bgp.NewPathAttributeAsPath([]bgp.AsPathParamInterface{
			bgp.NewAs4PathParam(bgp.BGP_ASPATH_ATTR_TYPE_SEQ, again),
		}))
	}
	if from.MED != nil {
		list = append(list, bgp.NewPathAttributeMultiExitDisc(*from.MED))
	}
	if from.LocalPref != nil && e.internal {
		list = append(list, bgp.NewPathAttributeLocalPref(*from.LocalPref))
	}
	return append(list, communities(from.Communities)...), nil
}

func communities(from []lb.Community) (list []bgp.PathAttributeInterface) {
	var standard []uint32
	var large []*bgp.LargeCommunity
	for _, c := range from {
		if c.Large {
			large = append(large, bgp.NewLargeCommunity(c.Parts[0], c.Parts[1], c.Parts[2]))
		} else {
			standard = append(standard, c.Value())
		}
	}
	if len(standard) > 0 {
		list = append(list, bgp.NewPathAttributeCommunities(standard))
	}
	if len(large) > 0 {
		list = append(list, bgp.NewPathAttributeLargeCommunities(large))
	}
	return list
}
