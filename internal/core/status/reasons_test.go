package status

import (
	"errors"
	"math/big"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/core/cluster"
	"github.com/daymark-lb/daymark/internal/core/ipam"
	"github.com/daymark-lb/daymark/internal/core/lb"
	"github.com/daymark-lb/daymark/internal/core/reason"
)

// declared reports whether a reason is one of those of a condition of a kind.
func declared(kind, condition string, why reason.Reason) bool {
	return slices.ContainsFunc(Conditions(), func(c reason.Condition) bool {
		return c.Kind == kind && c.Type == condition && slices.Contains(c.Reasons, why)
	})
}

func TestConditions_AreComplete(t *testing.T) {
	name := regexp.MustCompile(`^[A-Z][A-Za-z]+$`)
	seen := map[string]bool{}
	for _, c := range Conditions() {
		key := c.Kind + " " + c.Type
		if seen[key] || c.Meaning == "" || len(c.Reasons) == 0 {
			t.Errorf("%s is incomplete, or declared twice: %+v", key, c)
		}
		seen[key] = true
		for _, r := range c.Reasons {
			if seen[key+r.Name] || !name.MatchString(r.Name) || r.Meaning == "" {
				t.Errorf("%s: reason %+v is incomplete, or declared twice", key, r)
			}
			seen[key+r.Name] = true
		}
	}
}

func TestReferences_Ready(t *testing.T) {
	bad := errors.New("first\nsecond")
	community := &v1beta1.Community{ObjectMeta: metav1.ObjectMeta{Name: "a"}}
	community.Spec.Communities = []v1beta1.CommunityAlias{{Name: "blue", Value: "nonsense"}}
	references, _ := NewReferences(&cluster.Objects{
		Pools: lb.NewPools([]*lb.Pool{{Name: "blue"}}), Peers: []*lb.Peer{{Name: "tor"}}, BFDProfiles: []*lb.BFDProfile{{Name: "fast"}},
		Communities: []*v1beta1.Community{community},
		Nodes:       []*lb.Node{{Name: "n1"}},
	}, time.Time{})
	reserved := netip.MustParseAddr("192.0.2.1")
	reservation := func(use ipam.ReservationUse) Condition {
		if use.Reservation == nil {
			use.Reservation = &lb.Reservation{}
		}
		return Reservation(&use)
	}
	advertisement := func(accepted []string, communities ...string) *lb.BGPAdvertisement {
		a := &v1beta1.BGPAdvertisement{Spec: v1beta1.BGPAdvertisementSpec{Communities: communities}}
		if accepted != nil {
			a.Status.Accepted = &v1beta1.AcceptedBGPAdvertisement{Generation: 3, Spec: v1beta1.BGPAdvertisementSpec{Communities: accepted}}
		}
		return lb.ParseBGPAdvertisement(a)
	}
	for _, test := range []struct {
		name, kind string
		got        Condition
		want       reason.Reason
		message    string
	}{
		{"an L2Advertisement that is valid", "L2Advertisement", references.L2Advertisement(l2(nil, "blue")), Valid, ""},
		{"one with errors, each on a line", "L2Advertisement", references.L2Advertisement(l2(bad, "gone")), Invalid, "first; second; the rest of it counts"},
		{"one of a pool that does not exist", "L2Advertisement", references.L2Advertisement(l2(nil, "gone")), NotFound, "pool gone does not exist"},
		{"a BGPAdvertisement that is valid", "BGPAdvertisement", references.BGPAdvertisement(&lb.BGPAdvertisement{}, ""), Valid, ""},
		{
			"one that an older one overrides", "BGPAdvertisement",
			references.BGPAdvertisement(&lb.BGPAdvertisement{}, "med of old"), Overridden, "med of old",
		},
		{
			"one that overrides itself", "BGPAdvertisement",
			references.BGPAdvertisement(advertisement(nil, "bandwidth:64512:5000", "rt:1:1", "bandwidth:64512:1000", "bandwidth:64512:9000"), "med of old"), Overridden,
			"community bandwidth:64512:1000, bandwidth:64512:9000 is not used: bandwidth:64512:5000 is written before it, and a route has one link bandwidth; med of old",
		},
		{
			"one with the same link bandwidth in two spellings", "BGPAdvertisement",
			references.BGPAdvertisement(advertisement(nil, "bandwidth:64512:5000", "bandwidth:064512:5000"), ""), Valid, "",
		},
		{
			"one whose problem hides that it is overridden", "BGPAdvertisement",
			references.BGPAdvertisement(&lb.BGPAdvertisement{Peers: []string{"x"}}, "med of old"), NotFound, "peer x does not exist",
		},
		{
			"one with an unknown community", "BGPAdvertisement", references.BGPAdvertisement(advertisement(nil, "red", "no_export"), ""), HeldBack,
			"red is no community: it is not well-known, and no Community object has this name; no_export is no community: did you mean no-export?; " +
				"its routes are held back, and with them new ones of the same prefixes",
		},
		{
			"one with an unknown community that was understood before", "BGPAdvertisement",
			references.BGPAdvertisement(advertisement([]string{"64512:1"}, "red"), ""), NotFound,
			"red is no community: it is not well-known, and no Community object has this name; what it said in generation 3 counts until then",
		},
		{"a BFDProfile", "BFDProfile", BFDProfile(), Valid, ""},
		{
			"a Community with a bad value", "Community", references.Community("a"), Invalid,
			`communities: blue: "nonsense" is no community: "nonsense" is not a number of 32 bits`,
		},
		{"an IPReservation that holds", "IPReservation", reservation(ipam.ReservationUse{}), Valid, ""},
		{
			"one with errors", "IPReservation", reservation(ipam.ReservationUse{Reservation: &lb.Reservation{Err: bad}}), Invalid, "first; second",
		},
		{
			"one of addresses that others have", "IPReservation", reservation(ipam.ReservationUse{
				Taken: []ipam.Release{{Addr: reserved, Holder: lb.Key{Namespace: "shop", Name: "web"}}}, Overlaps: []string{"old"},
			}), Conflict, "Service shop/web has 192.0.2.1 and keeps it; IPReservation old is older and keeps some of the addresses",
		},
		{
			"one outside of all pools", "IPReservation",
			reservation(ipam.ReservationUse{OutsidePools: lb.Range{From: reserved, To: reserved}}), NoPool, "no pool contains 192.0.2.1",
		},
		{
			"an L2Advertisement of no node", "L2Advertisement",
			references.L2Advertisement(&lb.L2Advertisement{Advertisement: lb.Advertisement{NodeSelectors: nowhere()}}),
			NoNode, "nodeSelectors match no node on which a speaker can run",
		},
		{
			"a BGPAdvertisement of no node", "BGPAdvertisement",
			references.BGPAdvertisement(&lb.BGPAdvertisement{Advertisement: lb.Advertisement{NodeSelectors: nowhere()}}, ""),
			NoNode, "nodeSelectors match no node on which a speaker can run",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			good := test.want == Valid || test.want == Overridden
			if test.got.Type != v1beta1.ConditionReady || test.got.True != good || test.got.Reason != test.want || test.got.Message != test.message {
				t.Errorf("got %+v", test.got)
			}
			if !declared(test.kind, test.got.Type, test.got.Reason) {
				t.Errorf("reason %s is not declared for %s", test.got.Reason.Name, test.kind)
			}
		})
	}
}

func parsePeer(selector *v1beta1.LabelSelector) *lb.Peer {
	from := &v1beta1.BGPPeer{ObjectMeta: metav1.ObjectMeta{Name: "tor"}}
	from.Spec.MyASN, from.Spec.PeerASN, from.Spec.PeerAddress = 64512, new(int64(64513)), "192.0.2.1"
	if selector != nil {
		from.Spec.NodeSelectors = []v1beta1.LabelSelector{*selector}
	}
	return lb.ParsePeer(from)
}

func nowhere() lb.Selectors {
	return parsePeer(&v1beta1.LabelSelector{MatchLabels: map[string]v1beta1.LabelValue{"no": "node"}}).NodeSelectors
}

func l2(err error, pools ...string) *lb.L2Advertisement {
	return &lb.L2Advertisement{Advertisement: lb.Advertisement{Name: "lan", Pools: pools, Err: err}}
}

func TestPool_Conditions(t *testing.T) {
	none := func() *ipam.Count { return &ipam.Count{Assigned: 4, Available: new(big.Int), Reserved: new(big.Int)} }
	some := &ipam.Count{Available: big.NewInt(1), Reserved: new(big.Int)}
	for _, test := range []struct {
		name      string
		use       *ipam.PoolUse
		want      [3]reason.Reason
		isTrue    [3]bool
		firstText string
	}{
		{"with addresses", &ipam.PoolUse{Pool: &lb.Pool{}, IPv4: some}, [3]reason.Reason{Valid, Available, NoOverlap}, [3]bool{true, false, false}, ""},
		{"without", &ipam.PoolUse{Pool: &lb.Pool{}, IPv4: none()}, [3]reason.Reason{Valid, Exhausted, NoOverlap}, [3]bool{true, true, false}, ""},
		{"drained", &ipam.PoolUse{Pool: &lb.Pool{Drain: true}, IPv4: none()}, [3]reason.Reason{Valid, AllocationDisabled, NoOverlap}, [3]bool{true, false, false}, ""},
		{
			"not valid", &ipam.PoolUse{Pool: &lb.Pool{Err: errors.New("bad")}, IPv4: none()},
			[3]reason.Reason{Invalid, AllocationDisabled, NoOverlap},
			[3]bool{},
			"bad",
		},
		{
			"with addresses that it leaves out", &ipam.PoolUse{Pool: &lb.Pool{}, IPv4: some, Left: []ipam.BlockedRange{
				{Range: lb.Range{From: netip.MustParseAddr("192.0.2.0"), To: netip.MustParseAddr("192.0.2.0")}, Cause: ipam.NetworkAddress, Name: "192.0.2.0/24"},
				{Range: lb.Range{From: netip.MustParseAddr("192.0.2.9"), To: netip.MustParseAddr("192.0.2.9")}, Cause: ipam.ExternalIP},
			}},
			[3]reason.Reason{Valid, Available, NoOverlap},
			[3]bool{true, false, false},
			"not given: 192.0.2.0, which no host may have in the subnet 192.0.2.0/24 of the nodes; 192.0.2.9, which is in spec.externalIPs of a Service",
		},
		{
			"with addresses of many nodes, of which ten are named", &ipam.PoolUse{
				Pool: &lb.Pool{}, IPv4: some, Overlaps: []ipam.Overlap{{Other: &lb.Pool{Name: "red"}}},
				Nodes: slices.Repeat([]ipam.NodeAddress{{Addr: netip.MustParseAddr("192.0.2.1"), Node: "n"}}, 12),
			},
			[3]reason.Reason{NodeAddress, Available, Overlap},
			[3]bool{false, false, true},
			"192.0.2.1 is the address of node n, " + "192.0.2.1 is the address of node n, " + "192.0.2.1 is the address of node n, " +
				"192.0.2.1 is the address of node n, " + "192.0.2.1 is the address of node n, " + "192.0.2.1 is the address of node n, " +
				"192.0.2.1 is the address of node n, " + "192.0.2.1 is the address of node n, " + "192.0.2.1 is the address of node n, " +
				"192.0.2.1 is the address of node n, and 2 more: such an address is never given; exclude it",
		},
		{
			"with a router", &ipam.PoolUse{Pool: &lb.Pool{}, IPv4: some, Nodes: []ipam.NodeAddress{{Addr: netip.MustParseAddr("192.0.2.2"), Peer: "tor"}}},
			[3]reason.Reason{NodeAddress, Available, NoOverlap},
			[3]bool{},
			"192.0.2.2 is the router of BGPPeer tor: such an address is never given; exclude it",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := NewPool(test.use)
			for i, c := range []Condition{p.ready, p.exhausted, p.overlap} {
				if c.Reason != test.want[i] || c.True != test.isTrue[i] || !declared("IPAddressPool", c.Type, c.Reason) {
					t.Errorf("got %+v, want reason %s", c, test.want[i].Name)
				}
			}
			if p.ready.Message != test.firstText {
				t.Errorf("Ready says %q", p.ready.Message)
			}
		})
	}
}

func TestReferences_InterfacesThatMatchNothing(t *testing.T) {
	speaker := &v1beta1.Speaker{ObjectMeta: metav1.ObjectMeta{Name: "n1"}}
	speaker.Status.Network.Interfaces = []v1beta1.NodeInterface{{Name: "eth0", Families: []v1beta1.AddressFamily{"IPv4"}}}
	objects := &cluster.Objects{Nodes: []*lb.Node{{Name: "n1"}}, Speakers: []*v1beta1.Speaker{speaker}, Pools: lb.NewPools(nil)}
	references, _ := NewReferences(objects, time.Time{})
	a := &lb.L2Advertisement{Interfaces: []string{"nope0"}}
	if got := references.L2Advertisement(a); got.True || got.Reason.Name != NoInterface.Name || !strings.Contains(got.Message, "they have eth0") {
		t.Errorf("nope0: %+v", got)
	}
	a.Interfaces = []string{"eth0"}
	if got := references.L2Advertisement(a); !got.True || got.Message != "" {
		t.Errorf("eth0: %+v", got)
	}
	a.Interfaces = []string{"eth0", "nope0"}
	if got := references.L2Advertisement(a); !got.True || got.Message != "interfaces: no node that is selected has nope0, or has it up" {
		t.Errorf("eth0 and nope0: %+v", got)
	}
}
