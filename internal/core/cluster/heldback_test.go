package cluster

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/core/announce"
	"github.com/daymark-lb/daymark/internal/core/lb"
)

func TestHeldBack_IsWhatNoSessionWithThePeerCarries(t *testing.T) {
	both, four := []v1beta1.AddressFamily{v1beta1.IPv4, v1beta1.IPv6}, []v1beta1.AddressFamily{v1beta1.IPv4}
	speaker := &v1beta1.Speaker{ObjectMeta: metav1.ObjectMeta{Name: "n1"}}
	speaker.Status.BGP = []v1beta1.BGPSession{
		{Peer: "no-next-hop", State: v1beta1.BGPEstablished, Families: both, HeldBack: []v1beta1.AddressFamily{v1beta1.IPv6}},
		{Peer: "not-exchanged", State: v1beta1.BGPEstablished, Families: four},
		{Peer: "one-of-two", State: v1beta1.BGPEstablished, Families: both, HeldBack: []v1beta1.AddressFamily{v1beta1.IPv6}},
		{Peer: "one-of-two", State: v1beta1.BGPEstablished, Families: both},
		{Peer: "down", State: v1beta1.BGPActive},
		{Peer: "of-an-earlier-version", State: v1beta1.BGPEstablished},
	}
	want := map[announce.NodePeer][]lb.Family{
		{Node: "n1", Peer: "no-next-hop"}: {lb.IPv6}, {Node: "n1", Peer: "not-exchanged"}: {lb.IPv6},
	}
	if diff := cmp.Diff(want, heldBack([]*v1beta1.Speaker{speaker})); diff != "" {
		t.Error(diff)
	}
}
