package cluster

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/core/announce"
	"github.com/daymark-lb/daymark/internal/core/lb"
)

// TestNodeWorld_HasTheRoutersThatTheNodeReports: those of peers at a gateway, on an interface and at an address.
func TestNodeWorld_HasTheRoutersThatTheNodeReports(t *testing.T) {
	peer := func(name string, change func(*v1beta1.BGPPeerSpec)) runtime.Object {
		p := &v1beta1.BGPPeer{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: v1beta1.BGPPeerSpec{MyASN: 64512, PeerASN: new(int64(64513))}}
		change(&p.Spec)
		return p
	}
	reports := func(peer, address string, state v1beta1.BGPSessionState) func(*v1beta1.SpeakerStatus) {
		return func(s *v1beta1.SpeakerStatus) {
			s.BGP = append(s.BGP, v1beta1.BGPSession{Peer: peer, Address: address, State: state})
		}
	}
	o := Parse(append(objects(),
		peer("tor", func(s *v1beta1.BGPPeerSpec) { s.PeerAddress = "192.0.2.254" }),
		peer("rack", func(s *v1beta1.BGPPeerSpec) { s.PeerFrom = &v1beta1.PeerFrom{DefaultGateway: new(v1beta1.IPv6)} }),
		peer("edge", func(s *v1beta1.BGPPeerSpec) {
			s.PeerFrom = &v1beta1.PeerFrom{DefaultGateway: new(v1beta1.IPv4)}
			s.VRF = "red"
		}),
		peer("wire", func(s *v1beta1.BGPPeerSpec) { s.Interface = "eth1" }),
	))
	own := speaker("n1", func(s *v1beta1.SpeakerStatus) {
		known(s)
		s.Network.Gateways = []string{"192.0.2.1"}
		s.Network.Interfaces = []v1beta1.NodeInterface{{Name: "eth0", Families: []v1beta1.AddressFamily{v1beta1.IPv4}}}
		for _, report := range []func(*v1beta1.SpeakerStatus){
			reports("tor", "192.0.2.254", v1beta1.BGPEstablished), reports("rack", "fe80::1%eth0", v1beta1.BGPEstablished),
			reports("edge", "198.51.100.1", v1beta1.BGPActive), reports("wire", "fe80::2%eth1", v1beta1.BGPEstablished),
			reports("wire", "", v1beta1.BGPActive), reports("removed", "192.0.2.9", v1beta1.BGPEstablished),
		} {
			report(s)
		}
	})
	o.Speakers = []*v1beta1.Speaker{speaker("n2", known), own}
	w := o.NodeWorld("n1", lb.Classes{Classless: true}, announce.Options{})
	if len(w.OwnLinks) != 1 || w.OwnLinks[0].Name != "eth0" {
		t.Errorf("its links are %+v", w.OwnLinks)
	}
	var sessions []string
	for _, s := range announce.Compute(&w).Sessions {
		if s.Peer != "" { // which one of objects has not
			sessions = append(sessions, s.Name+" "+s.Address.String())
		}
	}
	want := "edge/198.51.100.1 198.51.100.1, rack/fe80::1%eth0 fe80::1%eth0, tor 192.0.2.254, wire fe80::2%eth1"
	if got := strings.Join(sessions, ", "); got != want {
		t.Errorf("its sessions are %s,\nwant %s", got, want)
	}
	if !w.Running["tor"] || !w.Running["rack/fe80::1%eth0"] || w.Running["edge/198.51.100.1"] {
		t.Errorf("running are %v", w.Running)
	}
	if !slices.Contains(w.Gateways, lb.Gateway{Addr: netip.MustParseAddr("192.0.2.1")}) {
		t.Errorf("its gateways are %v", w.Gateways)
	}
}

// TestNodeWorld_OfANodeThatReportsNothing: what the objects say is there all the same.
func TestNodeWorld_OfANodeThatReportsNothing(t *testing.T) {
	o := Parse(objects())
	w := o.NodeWorld("n2", lb.Classes{Classless: true}, announce.Options{})
	if w.Node != "n2" || len(w.Services) != 1 || w.OwnLinks != nil || w.Routers != nil {
		t.Errorf("it is %+v", w)
	}
}
