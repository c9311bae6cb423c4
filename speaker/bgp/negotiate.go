package bgp

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/osrg/gobgp/v4/pkg/packet/bgp"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/core/lb"
)

// negotiated is what our OPEN message and the router's agree on.
type negotiated struct {
	holdTime, keepaliveTime time.Duration // 0: neither timer runs.
	families                []lb.Family
	// missingFamilies are those that we want and the router does not exchange.
	missingFamilies []lb.Family
	// Capabilities that both ends have; notificationSupport is RFC 8538's.
	fourOctets, extendedNextHop, gracefulRestart, notificationSupport bool
	// warnings say what of it is not as configured.
	warnings []string
}

// negotiate compares a router's OPEN message with our settings. The error says why there can be no session (RFC 4271
// section 6.2).
func (s *settings) negotiate(with *openMessage) (*negotiated, error) {
	if err := s.checkOpen(with); err != nil {
		return nil, err
	}
	offered := s.offered()
	n := &negotiated{
		holdTime:        min(time.Duration(with.holdTime)*time.Second, s.holdTime),
		fourOctets:      with.fourOctets && offered.has(fourOctetASN),
		extendedNextHop: with.extendedNextHop && offered.has(extendedNextHop),
		gracefulRestart: with.gracefulRestart && offered.has(gracefulRestart),
	}
	n.notificationSupport = n.gracefulRestart && with.notificationSupport && s.bfdSeen
	if n.keepaliveTime = n.holdTime / 3; s.keepaliveTime > 0 {
		n.keepaliveTime = min(n.keepaliveTime, s.keepaliveTime)
	}
	for _, family := range s.families() {
		// An end that names no family exchanges IPv4 (RFC 4760 section 8).
		theirs := slices.Contains(with.families, afiSAFI(family)) || with.families == nil && family == lb.IPv4
		if theirs && (offered.has(multiprotocol(family)) || family == lb.IPv4) {
			n.families = append(n.families, family)
		} else {
			n.missingFamilies = append(n.missingFamilies, family)
		}
	}
	n.warnings = s.warningsOf(n)
	return n, nil
}

// checkOpen returns why a router's OPEN message cannot be accepted; nil when it can.
func (s *settings) checkOpen(open *openMessage) error {
	reject := func(subcode uint8, text string) error {
		return sentNotification(bgp.BGP_ERROR_OPEN_MESSAGE_ERROR, subcode, nil, text)
	}
	hold := time.Duration(open.holdTime) * time.Second
	switch expected := s.expectedASN(); {
	case expected != 0 && open.asn != expected:
		return reject(bgp.BGP_ERROR_SUB_BAD_PEER_AS, fmt.Sprintf("the router is not of AS %d, but of AS %d", expected, open.asn))
	case s.dynamic == v1beta1.ASNExternal && open.asn == s.asn():
		return reject(bgp.BGP_ERROR_SUB_BAD_PEER_AS, "the router is of our own AS, and must be of another")
	case open.asn == 0: // RFC 7607.
		return reject(bgp.BGP_ERROR_SUB_BAD_PEER_AS, "the router is of AS 0")
	case open.routerID.IsUnspecified() || s.internal() && open.routerID == s.routerID: // RFC 6286.
		return reject(bgp.BGP_ERROR_SUB_BAD_BGP_IDENTIFIER, fmt.Sprintf("the router's ID is %s", open.routerID))
	case hold != 0 && hold < minHoldTime:
		return reject(bgp.BGP_ERROR_SUB_UNACCEPTABLE_HOLD_TIME, fmt.Sprintf("the router's is %s", hold))
	}
	return nil
}

// warningsOf say what of a negotiated session is not as configured; empty when all is.
func (s *settings) warningsOf(n *negotiated) (texts []string) {
	if text := n.missingFamiliesText(); text != "" {
		texts = append(texts, text)
	}
	if s.withheld != 0 {
		texts = append(texts, fmt.Sprintf("the router refuses what we offer (%s): the session goes without", s.withheld))
	}
	switch {
	case n.holdTime > 0:
	case s.bfd:
		texts = append(texts, "the router's hold time is 0: nothing but BFD notices when the router or this node is gone")
	default:
		texts = append(texts, "the router's hold time is 0: nothing notices when the router or this node is gone; "+
			"give the router a hold time, or use BFD")
	}
	return texts
}

// missingFamiliesText says which families we want and the router does not exchange; empty when there are none.
func (n *negotiated) missingFamiliesText() string {
	if len(n.missingFamilies) == 0 {
		return ""
	}
	var names []string
	for _, family := range n.missingFamilies {
		names = append(names, family.String())
	}
	return "the router does not exchange " + strings.Join(names, " and ") + " unicast on this session"
}
