package lb

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"time"

	"github.com/daymark-lb/daymark/api/v1beta1"
)

// minHoldTime is the shortest hold time besides 0, which means that there is no hold timer (RFC 4271 section 4.2).
const minHoldTime = 3 * time.Second

// CheckRouter returns why there can be no session with a router at an address; nil when there can.
func CheckRouter(router netip.Addr) error {
	switch {
	case !router.IsValid():
		return errors.New("the address of the router is not known")
	case !ofHost(router):
		return fmt.Errorf("%s is not the address of a router", router)
	case router.Is6() && router.IsLinkLocalUnicast() && router.Zone() == "":
		return fmt.Errorf("the link-local address %[1]s needs the interface that it is on behind it, as in %[1]s%%eth0", router)
	}
	return nil
}

// CheckSource returns why no session with a router can start from an address; nil when one can. An invalid or unspecified address stands
// for that which the routing table gives.
func CheckSource(source, router netip.Addr) error {
	switch {
	case !source.IsValid():
		return nil
	case source.Is4() == router.Is4() && source.IsUnspecified():
		return nil
	case !ofHost(source) && !source.IsUnspecified():
		return fmt.Errorf("the source address %s is not the address of a node", source)
	case source.Is4() != router.Is4():
		return fmt.Errorf("the source address %s and the router's address %s are not of one family", source, router)
	case linkLocal6(source) && !linkLocal6(router):
		return fmt.Errorf("from the link-local source address %s only link-local routers are reached, and %s is none", source, router)
	}
	return nil
}

// CheckRouterID returns why an address has not the form of a BGP identifier (RFC 6286); nil when it has.
func CheckRouterID(id netip.Addr) error {
	if !id.Is4() || id.IsUnspecified() {
		return fmt.Errorf("%s has not the form of an IPv4 address other than 0.0.0.0", id)
	}
	return nil
}

// CheckHoldTime returns why there can be no session with a hold time; nil when there can.
func CheckHoldTime(hold time.Duration) error {
	switch hold = hold.Truncate(time.Second); {
	case hold == 0:
		return errors.New("holdTime 0s, a session without hold timer, is not possible: give at least 3s")
	case hold < minHoldTime:
		return fmt.Errorf("holdTime %s is too short: give at least 3s", hold)
	case hold/time.Second > math.MaxUint16:
		return fmt.Errorf("holdTime %s is too long: give at most 65535s", hold)
	}
	return nil
}

// ofHost reports whether an address can be that of one host.
func ofHost(addr netip.Addr) bool {
	return addr.IsGlobalUnicast() || addr.IsLinkLocalUnicast() || addr.IsLoopback()
}

func linkLocal6(addr netip.Addr) bool { return addr.Is6() && addr.IsLinkLocalUnicast() }

// check returns why no node can have a session with the peer; nil when one can. The schema says the same where it is as new as
// this program. What only an executor finds comes too late: the specification before is not what counts any more then.
func (p *Peer) check(spec *v1beta1.BGPPeerSpec) error {
	return cmp.Or(
		checkASNs(spec), p.checkPlace(), p.checkSource(),
		checkRouterID(p.RouterID), CheckHoldTime(p.HoldTime), p.checkHops(),
		checkWord("dynamicASN", p.Dynamic, v1beta1.ASNInternal, v1beta1.ASNExternal), checkFamilies(spec),
	)
}

func checkASNs(spec *v1beta1.BGPPeerSpec) error {
	wrong := func(asn *int64) bool { return asn != nil && (*asn < 1 || *asn > math.MaxUint32) }
	switch {
	case wrong(&spec.MyASN):
		return fmt.Errorf("myASN: %d is no AS number", spec.MyASN)
	case wrong(spec.PeerASN):
		return fmt.Errorf("peerASN: %d is no AS number", *spec.PeerASN)
	case wrong(spec.LocalASN):
		return fmt.Errorf("localASN: %d is no AS number", *spec.LocalASN)
	case spec.PeerASN == nil && (spec.DynamicASN == nil || *spec.DynamicASN == ""):
		return errors.New("the router's AS number is missing: give peerASN or dynamicASN")
	}
	return nil
}

// checkPlace checks where the router is.
func (p *Peer) checkPlace() error {
	places := 0
	for _, given := range []bool{p.Address.IsValid(), p.Interface != "", p.GatewayFamily != 0, p.NodeAnnotation != ""} {
		if given {
			places++
		}
	}
	if places != 1 {
		return errors.New("give exactly one of peerAddress, interface, peerFrom.defaultGateway and peerFrom.nodeAnnotation")
	}
	return nil // ParsePeerAddr has checked the address.
}

// checkSource checks the source address as far as it is known where the router is.
func (p *Peer) checkSource() error {
	switch {
	case !p.Source.IsValid():
		return nil
	case p.Address.IsValid():
		return CheckSource(p.Source, p.Address)
	case !ofHost(p.Source):
		return fmt.Errorf("the source address %s is not the address of a node", p.Source)
	case p.Interface != "" && p.Source.Is4():
		return fmt.Errorf("the router at the other end of a link has an IPv6 address, and the source address %s is of IPv4", p.Source)
	case p.GatewayFamily != 0 && FamilyOf(p.Source) != p.GatewayFamily:
		return fmt.Errorf("the source address %s is not of %s as the default gateway is", p.Source, p.GatewayFamily)
	}
	return nil
}

func checkRouterID(id netip.Addr) error {
	if !id.IsValid() {
		return nil // The node has one.
	}
	if err := CheckRouterID(id); err != nil {
		return fmt.Errorf("routerID: %w", err)
	}
	return nil
}

func (p *Peer) checkHops() error {
	if p.MultiHop && p.TTLSecurity {
		return errors.New("ebgpMultiHop and ttlSecurity exclude each other")
	}
	return nil
}

func checkFamilies(spec *v1beta1.BGPPeerSpec) error {
	if from := spec.PeerFrom; from != nil && from.DefaultGateway != nil {
		if err := checkWord("peerFrom.defaultGateway", *from.DefaultGateway, v1beta1.IPv4, v1beta1.IPv6); err != nil {
			return err
		}
	}
	for _, family := range spec.AddressFamilies {
		if err := checkWord("addressFamilies", family, v1beta1.IPv4, v1beta1.IPv6); err != nil {
			return err
		}
	}
	return nil
}
