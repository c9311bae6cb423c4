package bgp

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/core/announce"
	"github.com/daymark-lb/daymark/internal/core/lb"
	"github.com/daymark-lb/daymark/internal/netnstest"
)

// rankedNodes are three nodes at the near end of a cable that announce the address of a Service, as announce plans it, to a router.
type rankedNodes struct {
	*cable
	at     [3]netip.Addr
	router netip.Addr
	// asn of each node, and of the router.
	asn       [3]uint32
	routerASN uint32
	// localPref of the BGPAdvertisement; nil: none.
	localPref *int64
}

func newRankedNodes(t *testing.T, routerASN uint32, asn [3]uint32, localPref *int64) *rankedNodes {
	t.Helper()
	n := &rankedNodes{cable: newCable(t), asn: asn, routerASN: routerASN, localPref: localPref}
	host := func(last byte) netip.Addr { return netip.AddrFrom4([4]byte{198, 18, n.Ours.As4()[3], last}) }
	n.router = host(9)
	for i := range n.at {
		n.at[i] = host(byte(i + 1))
		netnstest.Address(t, n.Near, netip.PrefixFrom(n.at[i], 24))
	}
	n.Other.Do(t, func() { netnstest.Address(t, n.Far, netip.PrefixFrom(n.router, 24)) })
	return n
}

// paths are what each node is to announce for a Service with session affinity or without.
func (n *rankedNodes) paths(affinity bool) (planned [3][]announce.Path) {
	addr := netip.MustParsePrefix(shared).Addr()
	service := &lb.Service{
		Key: lb.Key{Namespace: "default", Name: "web"}, LoadBalancer: true, Managed: true, Affinity: affinity,
		Ingress: []netip.Addr{addr},
	}
	pool := &v1beta1.IPAddressPool{ObjectMeta: metav1.ObjectMeta{Name: "wan"}}
	pool.Spec.Addresses = []v1beta1.AddressRange{shared}
	advertisement := &v1beta1.BGPAdvertisement{ObjectMeta: metav1.ObjectMeta{Name: "wan"}, Spec: v1beta1.BGPAdvertisementSpec{LocalPref: n.localPref}}
	asn := int64(n.routerASN)
	peer := &v1beta1.BGPPeer{ObjectMeta: metav1.ObjectMeta{Name: "tor"}, Spec: v1beta1.BGPPeerSpec{
		MyASN: int64(n.asn[0]), PeerASN: &asn, PeerAddress: n.router.String(),
	}}
	world := announce.World{
		Services: []*lb.Service{service}, Pools: lb.NewPools([]*lb.Pool{lb.ParsePool(pool)}),
		BGPAdvertisements: []*lb.BGPAdvertisement{lb.ParseBGPAdvertisement(advertisement)}, Peers: []*lb.Peer{lb.ParsePeer(peer)},
		Endpoints: map[lb.Key]lb.Endpoints{service.Key: lb.NewEndpointSlice(service.Key, []lb.Endpoint{{Addr: addr, Ready: true}}).Endpoints},
	}
	for i := range n.at {
		world.Nodes = append(world.Nodes, &lb.Node{Name: fmt.Sprintf("n%d", i+1)})
	}
	for i := range n.at {
		world.Node = world.Nodes[i].Name
		planned[i] = announce.Compute(&world).Sessions[0].Paths
	}
	return planned
}

func (n *rankedNodes) session(node int, paths []announce.Path) announce.Session {
	return n.cable.session(func(s *announce.Session) {
		s.Address, s.Source, s.RouterID, s.Families = n.router, n.at[node], n.at[node], []lb.Family{lb.IPv4}
		s.MyASN, s.PeerASN, s.RestartTime = n.asn[node], n.routerASN, 0
	}, paths...)
}

// mustRank has the nodes announce the address with affinity, lets them leave one after the other in the order of their ranks, and has
// the router's kernel send to one of them all the while; without affinity it sends to all.
func (n *rankedNodes) mustRank(t *testing.T) {
	t.Helper()
	with, without := n.paths(true), n.paths(false)
	order := []int{0, 1, 2}
	rank := func(node int) uint32 {
		if med := with[node][0].Attributes.MED; med != nil {
			return *med
		}
		return 0
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Compare(rank(a), rank(b)) })
	var nodes [3]*running
	for i := range nodes {
		nodes[i] = start(t, n.session(i, without[i]))
	}
	n.awaitHops(t, n.at[:]...)
	for _, i := range order {
		nodes[i].set(n.session(i, with[i]))
	}
	n.awaitHops(t, n.at[order[0]])
	nodes[order[0]].end()
	n.awaitHops(t, n.at[order[1]])
	nodes[order[1]].end()
	n.awaitHops(t, n.at[order[2]])
}

// awaitHops waits until the router's kernel sends what is for the shared address to exactly these next hops.
func (n *rankedNodes) awaitHops(t *testing.T, hops ...netip.Addr) {
	t.Helper()
	netnstest.Eventually(t, fmt.Sprintf("the kernel's next hops are %v", hops), func() error {
		routes := n.Other.Run(t, "ip", "route", "show", shared)
		for _, hop := range n.at {
			if strings.Contains(routes, "via "+hop.String()+" ") != slices.Contains(hops, hop) {
				return fmt.Errorf("there is %s", routes)
			}
		}
		return nil
	})
}

func TestSession_AffinityHasOneBestPath(t *testing.T) {
	one, each, internal := [3]uint32{64512, 64512, 64512}, [3]uint32{64512, 64514, 64515}, [3]uint32{64513, 64513, 64513}
	lowest := int64(1)
	for _, test := range []struct {
		name      string
		asn       [3]uint32
		localPref *int64
	}{
		{"nodes of one AS", one, nil},
		{"an AS for each node", each, nil},
		{"an internal session", internal, nil},
		{"an internal session with so low a LOCAL_PREF that MED has to decide", internal, &lowest},
	} {
		t.Run(test.name+", FRR", func(t *testing.T) {
			t.Parallel()
			n := newRankedNodes(t, 64513, test.asn, test.localPref)
			lines := []string{"bgp bestpath as-path multipath-relax"}
			for i, at := range n.at {
				lines = append(lines, fmt.Sprintf("neighbor %s remote-as %d", at, test.asn[i]), fmt.Sprintf("neighbor %s passive", at))
			}
			router := newFRR(t, n.cable, 64513, lines...)
			router.zebra()
			router.Start("bgpd", router.config) // Unlike start, with routes in the kernel.
			n.mustRank(t)
		})
		t.Run(test.name+", BIRD", func(t *testing.T) {
			t.Parallel()
			n := newRankedNodes(t, 64513, test.asn, test.localPref)
			var neighbors strings.Builder
			for i, at := range n.at {
				fmt.Fprintf(&neighbors, "protocol bgp node%d { local %s as 64513; neighbor %s as %d; direct; passive; ipv4 { import all; export none; }; }\n",
					i, n.router, at, test.asn[i])
			}
			netnstest.StartBIRD(t, n.Other, fmt.Sprintf(`router id %s;
protocol device {}
protocol kernel { merge paths yes; ipv4 { import none; export where source = RTS_BGP; }; }
%s`, n.router, &neighbors))
			n.mustRank(t)
		})
	}
}
