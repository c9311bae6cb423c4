package lb

import (
	"fmt"
	"net/netip"
	"testing"

	"k8s.io/apimachinery/pkg/labels"
)

func TestPeerAddresses(t *testing.T) {
	t.Parallel()
	rack, err := labels.Parse("rack=a")
	if err != nil {
		t.Fatal(err)
	}
	nodes := []*Node{
		{Name: "n1", Labels: map[string]string{"rack": "a"}, Annotations: map[string]string{"tors": "192.0.2.3,, 192.0.2.2,no address,fe80::1%eth0,"}},
		{Name: "n2", Labels: map[string]string{"rack": "a"}, Annotations: map[string]string{"tors": "192.0.2.2"}},
		{Name: "n3", Annotations: map[string]string{"tors": "192.0.2.9"}},
	}
	peers := []*Peer{
		{Name: "racks", NodeAnnotation: "tors", NodeSelectors: Selectors{rack}},
		{Name: "gateway", GatewayFamily: IPv4},
		{Name: "far", Address: netip.MustParseAddr("2001:db8::1")},
		{Name: "near", Address: netip.MustParseAddr("fe80::1%eth0")},
		{Name: "again", Address: netip.MustParseAddr("192.0.2.2")},
	}
	want := "[{192.0.2.2 again} {192.0.2.2 racks} {192.0.2.3 racks} {2001:db8::1 far}]"
	if got := fmt.Sprint(PeerAddresses(peers, nodes)); got != want {
		t.Errorf("%s, want %s", got, want)
	}
}
