package bgp

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/core/announce"
	"github.com/daymark-lb/daymark/internal/core/lb"
)

// What the executor alone refuses would be accepted by the controller, and what counted before would be forgotten. So the
// executor refuses nothing that is understood.
func TestSettings_WhatIsUnderstoodIsPossible(t *testing.T) {
	addresses := strings.Fields("192.0.2.1 2001:db8::1 fe80::1 fe80::1%eth0 0.0.0.0 :: 224.0.0.5 ff02::1 255.255.255.255 127.0.0.1 router")
	own := lb.Link{Name: "eth0"} // It has them all.
	for _, text := range addresses {
		if addr, err := netip.ParseAddr(text); err == nil {
			own.Addresses = append(own.Addresses, netip.PrefixFrom(addr, addr.BitLen()))
		}
	}
	possible, refused := 0, 0
	try := func(spec v1beta1.BGPPeerSpec, node *lb.Node) {
		peer := lb.ParsePeer(&v1beta1.BGPPeer{ObjectMeta: metav1.ObjectMeta{Name: "tor"}, Spec: spec})
		world := &announce.World{Node: node.Name, Nodes: []*lb.Node{node}, Peers: []*lb.Peer{peer}, OwnLinks: []lb.Link{own}}
		for _, session := range announce.Compute(world).Sessions {
			settings := settingsOf(&session)
			err := settings.validate()
			switch {
			case session.Problem != "":
				refused++
			case err != nil:
				t.Errorf("%+v: %v", spec, err)
			default:
				possible++
			}
		}
	}
	asn := int64(64513)
	for _, router := range addresses {
		for _, source := range append(addresses, "") {
			for _, id := range []string{"", "192.0.2.11", "0.0.0.0", "2001:db8::1"} {
				for _, hold := range []time.Duration{-9, 0, 1, 3, 90, 65535, 65536} {
					spec := v1beta1.BGPPeerSpec{MyASN: 64512, PeerASN: &asn, HoldTime: metav1.Duration{Duration: hold * time.Second}}
					node := &lb.Node{Name: "n1", Annotations: map[string]string{"router": router, "source": source, "id": id}}
					spec.PeerFrom = &v1beta1.PeerFrom{NodeAnnotation: "router"}
					spec.SourceFrom, spec.RouterIDFrom = &v1beta1.SourceFrom{NodeAnnotation: "source"}, &v1beta1.RouterIDFrom{NodeAnnotation: "id"}
					try(spec, node)
					spec.SourceFrom, spec.RouterIDFrom, spec.SourceAddress, spec.RouterID = nil, nil, source, id
					try(spec, node)
					spec.PeerFrom, spec.PeerAddress, spec.EBGPMultiHop, spec.TTLSecurity = nil, router, hold == 3, id == ""
					try(spec, node)
				}
			}
		}
	}
	if possible < 100 || refused < 1000 {
		t.Errorf("%d specifications are possible and %d refused: the test proves nothing", possible, refused)
	}
}
