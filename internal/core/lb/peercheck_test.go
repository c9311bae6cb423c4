package lb

import (
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/daymark-lb/daymark/api/v1beta1"
)

// aPeer is a specification that is understood.
func aPeer() v1beta1.BGPPeerSpec {
	asn := int64(64513)
	return v1beta1.BGPPeerSpec{MyASN: 64512, PeerASN: &asn, PeerAddress: "192.0.2.1"}
}

// What no session can be made of is not understood, so that what was understood before goes on, over a restart too.
func TestParsePeer_WhatNoSessionCanBeMadeOfIsNotUnderstood(t *testing.T) {
	seconds := func(n time.Duration) metav1.Duration { return metav1.Duration{Duration: n * time.Second} }
	number := func(n int64) *int64 { return &n }
	gateway := func(family v1beta1.AddressFamily) *v1beta1.PeerFrom {
		return &v1beta1.PeerFrom{DefaultGateway: &family}
	}
	for name, row := range map[string]struct {
		change func(*v1beta1.BGPPeerSpec)
		want   string
	}{
		"nothing is wrong": {func(*v1beta1.BGPPeerSpec) {}, ""},
		"everything given": {func(s *v1beta1.BGPPeerSpec) {
			s.SourceAddress, s.RouterID, s.HoldTime, s.AddressFamilies = "192.0.2.11", "192.0.2.11", seconds(3), []v1beta1.AddressFamily{v1beta1.IPv4}
		}, ""},
		"a link-local router and source":     {func(s *v1beta1.BGPPeerSpec) { s.PeerAddress, s.SourceAddress = "fe80::1%eth0", "fe80::2" }, ""},
		"a router on the node":               {func(s *v1beta1.BGPPeerSpec) { s.PeerAddress = "127.0.0.1" }, ""},
		"an unspecified router":              {func(s *v1beta1.BGPPeerSpec) { s.PeerAddress = "0.0.0.0" }, "peerAddress: 0.0.0.0 is not the address of a router"},
		"an unspecified IPv6 router":         {func(s *v1beta1.BGPPeerSpec) { s.PeerAddress = "::" }, "peerAddress: :: is not the address of a router"},
		"a group of routers":                 {func(s *v1beta1.BGPPeerSpec) { s.PeerAddress = "ff02::2" }, "peerAddress: ff02::2 is not the address of a router"},
		"a link-local router on no link":     {func(s *v1beta1.BGPPeerSpec) { s.PeerAddress = "fe80::1" }, "as in fe80::1%eth0"},
		"a global router on a link":          {func(s *v1beta1.BGPPeerSpec) { s.PeerAddress = "2001:db8::1%eth0" }, "only a link-local IPv6 address does"},
		"a router by name":                   {func(s *v1beta1.BGPPeerSpec) { s.PeerAddress = "router" }, `peerAddress: "router" is not an address`},
		"no router":                          {func(s *v1beta1.BGPPeerSpec) { s.PeerAddress = "" }, "give exactly one of peerAddress"},
		"a router in two places":             {func(s *v1beta1.BGPPeerSpec) { s.Interface = "eth0" }, "give exactly one of peerAddress"},
		"a source of the other family":       {func(s *v1beta1.BGPPeerSpec) { s.SourceAddress = "2001:db8::2" }, "are not of one family"},
		"a source that is a group":           {func(s *v1beta1.BGPPeerSpec) { s.SourceAddress = "224.0.0.5" }, "is not the address of a node"},
		"an unspecified source":              {func(s *v1beta1.BGPPeerSpec) { s.SourceAddress = "0.0.0.0" }, ""},
		"a link-local source, a global peer": {func(s *v1beta1.BGPPeerSpec) { s.PeerAddress, s.SourceAddress = "2001:db8::1", "fe80::2" }, "only link-local routers are reached"},
		"an IPv4 source over a link":         {func(s *v1beta1.BGPPeerSpec) { s.PeerAddress, s.Interface, s.SourceAddress = "", "eth0", "192.0.2.11" }, "has an IPv6 address"},
		"a source unlike the gateway": {func(s *v1beta1.BGPPeerSpec) {
			s.PeerAddress, s.PeerFrom, s.SourceAddress = "", gateway(v1beta1.IPv6), "192.0.2.11"
		}, "is not of IPv6 as the default gateway is"},
		"a group as source of annotated routers": {func(s *v1beta1.BGPPeerSpec) {
			s.PeerAddress, s.PeerFrom, s.SourceAddress = "", &v1beta1.PeerFrom{NodeAnnotation: "example.com/tor"}, "ff02::1"
		}, "is not the address of a node"},
		"a router id of zeros":     {func(s *v1beta1.BGPPeerSpec) { s.RouterID = "0.0.0.0" }, "routerID: 0.0.0.0 has not the form"},
		"a router id in IPv6":      {func(s *v1beta1.BGPPeerSpec) { s.RouterID = "2001:db8::1" }, "routerID: 2001:db8::1 has not the form"},
		"no AS number of our own":  {func(s *v1beta1.BGPPeerSpec) { s.MyASN = 0 }, "myASN: 0 is no AS number"},
		"an AS number of 33 bits":  {func(s *v1beta1.BGPPeerSpec) { s.PeerASN = number(1<<32 + 64513) }, "is no AS number"},
		"a negative local AS":      {func(s *v1beta1.BGPPeerSpec) { s.LocalASN = number(-1) }, "localASN: -1 is no AS number"},
		"no AS number of the peer": {func(s *v1beta1.BGPPeerSpec) { s.PeerASN = nil }, "give peerASN or dynamicASN"},
		"an AS of an unknown sort": {func(s *v1beta1.BGPPeerSpec) {
			sort := v1beta1.ASNType("confederation")
			s.PeerASN, s.DynamicASN = nil, &sort
		}, "dynamicASN:"},
		"a family that is unknown":  {func(s *v1beta1.BGPPeerSpec) { s.AddressFamilies = []v1beta1.AddressFamily{"L2VPN"} }, "addressFamilies:"},
		"a gateway of no family":    {func(s *v1beta1.BGPPeerSpec) { s.PeerAddress, s.PeerFrom = "", gateway("IPX") }, "peerFrom.defaultGateway:"},
		"a hold time of 2 seconds":  {func(s *v1beta1.BGPPeerSpec) { s.HoldTime = seconds(2) }, "holdTime 2s is too short"},
		"a hold time below nothing": {func(s *v1beta1.BGPPeerSpec) { s.HoldTime = seconds(-9) }, "is too short"},
		"a hold time of 17 bits":    {func(s *v1beta1.BGPPeerSpec) { s.HoldTime = seconds(65536) }, "is too long"},
		"far away and on the link":  {func(s *v1beta1.BGPPeerSpec) { s.EBGPMultiHop, s.TTLSecurity = true, true }, "exclude each other"},
	} {
		t.Run(name, func(t *testing.T) {
			peer := &v1beta1.BGPPeer{Spec: aPeer()}
			row.change(&peer.Spec)
			got := ParsePeer(peer)
			switch {
			case row.want == "" && got.Err != nil:
				t.Errorf("error %v", got.Err)
			case row.want != "" && (got.Err == nil || !strings.Contains(got.Err.Error(), row.want)):
				t.Errorf("error %v, want %q", got.Err, row.want)
			}
			peer.Status.Accepted = &v1beta1.AcceptedBGPPeer{Spec: aPeer()}
			if counts := InForce(ParsePeer(peer), nil); row.want != "" && (counts.Err != nil || counts.Address.String() != "192.0.2.1") {
				t.Errorf("what counts is %+v", counts)
			}
		})
	}
}

// The kernel chooses the source address, and what it chooses is the next hop: 0.0.0.0 is none.
func TestParsePeer_UnspecifiedSourceIsNone(t *testing.T) {
	for router, source := range map[string]string{"192.0.2.1": "0.0.0.0", "2001:db8::1": "::"} {
		peer := &v1beta1.BGPPeer{Spec: aPeer()}
		peer.Spec.PeerAddress, peer.Spec.SourceAddress = router, source
		if got := ParsePeer(peer); got.Err != nil || got.Source.IsValid() {
			t.Errorf("%s: source %s, error %v", source, got.Source, got.Err)
		}
	}
}
