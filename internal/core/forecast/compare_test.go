package forecast

import (
	"net/netip"
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/core/announce"
)

// TestCompare_WithdrawnFromOnePeer: a peer that no node tells of an address any more has lost it, whatever others are told.
func TestCompare_WithdrawnFromOnePeer(t *testing.T) {
	planned := map[string]*node{"n1": {}, "n2": {}}
	c := comparison{before: &Outcome{planned: planned}, after: &Outcome{planned: planned}}
	answers := func(first, second announce.NodeAnswer) *announce.Answers {
		first.Node, second.Node = "n1", "n2"
		return &announce.Answers{Addr: netip.MustParseAddr("203.0.113.1"), Nodes: []announce.NodeAnswer{first, second}}
	}
	var office, both announce.NodeAnswer
	office.Peers = append(office.Peers, announce.PeerAnswer{Peer: "office"})
	both.Peers = append(both.Peers, announce.PeerAnswer{Peer: "internet"}, announce.PeerAnswer{Peer: "office"})
	effects := c.routed(answers(both, both), answers(office, office))
	if len(effects) != 2 || effects[1].Effect != Withdrawn || effects[1].Message != "to internet" || len(effects[1].From) != 2 {
		t.Errorf("withdrawn from one peer: %+v", effects)
	}
	if effects := c.routed(answers(both, both), answers(both, office)); len(effects) != 1 || effects[0].Effect != Attributes {
		t.Errorf("withdrawn from one peer by one of two nodes: %+v", effects)
	}
}

// TestCompare_UnknownHolder: of an address whose holder no report names it is said when no node may hold it any more.
func TestCompare_UnknownHolder(t *testing.T) {
	addr := netip.MustParseAddr("192.0.2.200")
	c := comparison{after: &Outcome{unknown: map[netip.Addr]bool{addr: true}}}
	some := &announce.Answers{Addr: addr, Nodes: []announce.NodeAnswer{{Node: "n1", ByLayer2: true}, {Node: "n2"}}}
	none := &announce.Answers{Addr: addr, Nodes: []announce.NodeAnswer{{Node: "n1", ByLayer2: true, Layer2: announce.Eligible + 1}, {Node: "n2"}}}
	if effects := c.heldByNobody(some, none); len(effects) != 1 || effects[0].Effect != Withdrawn {
		t.Errorf("no node may hold it any more: %+v", effects)
	}
	if effects := c.heldByNobody(some, some); len(effects) > 0 {
		t.Errorf("a node may hold it as before: %+v", effects)
	}
}

// TestDrain_OfTheEndpointsOfOneOfTwoServices with one address: the address is announced for the other, and this one is unreachable.
func TestDrain_OfTheEndpointsOfOneOfTwoServices(t *testing.T) {
	r := lan(3, 2, v1beta1.SharingNone, func(s *corev1.Service, slice *discoveryv1.EndpointSlice) {
		s.Annotations = map[string]string{v1beta1.AnnotationAllowSharedIP: "one"}
		if s.Name == "s1" {
			s.Spec.Ports[0].Port = 81
			slice.Endpoints[0].NodeName = new("n2")
		}
	})
	before := Start(r.objects, r.now, settings)
	after := before
	for _, step := range Drain(r.objects, []string{"n2"}) {
		after = after.Next(step)
	}
	changes, unchanged := Compare(before, after)
	if i := slices.IndexFunc(changes, func(c Change) bool { return c.Name == "s1" }); i < 0 || changes[i].Effects[0].Effect != Unreachable ||
		changes[i].Effects[0].Message == "" || before.objects.Services[0].Ingress[0] != before.objects.Services[1].Ingress[0] {
		t.Errorf("of s1, which has the address of s0 and no endpoint any more, it is said: %+v; unchanged %d", changes, unchanged)
	}
}
