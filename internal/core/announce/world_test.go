package announce

import (
	"fmt"
	"net/netip"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/core/lb"
)

// cluster is three nodes with speakers, two pools, one advertisement of each kind, one router, and one Service with an
// endpoint on every node.
func cluster() *World {
	w := &World{
		Node:    "n1",
		Members: Members{Known: true, Alive: []string{"n1", "n2", "n3"}},
		Pools: lb.NewPools([]*lb.Pool{
			pool("lan", "192.0.2.200-192.0.2.250", 1),
			pool("wan", "198.19.0.0/16", 2),
		}),
		L2Advertisements: []*lb.L2Advertisement{
			lb.ParseL2Advertisement(&v1beta1.L2Advertisement{
				ObjectMeta: meta("l2", 1),
				Spec:       v1beta1.L2AdvertisementSpec{AdvertisementSelectors: v1beta1.AdvertisementSelectors{IPAddressPools: []string{"lan"}}},
			}),
		},
		BGPAdvertisements: []*lb.BGPAdvertisement{bgpAdvertisement("bgp", 1, nil)},
		Peers: []*lb.Peer{lb.ParsePeer(&v1beta1.BGPPeer{
			ObjectMeta: meta("router", 1),
			Spec:       v1beta1.BGPPeerSpec{MyASN: 64512, PeerASN: number(64513), PeerAddress: "192.0.2.1"},
		})},
		Links:       map[string][]lb.Link{},
		Endpoints:   map[lb.Key]lb.Endpoints{},
		Established: map[string]map[string]bool{},
	}
	for i, name := range []string{"n1", "n2", "n3"} {
		w.Nodes = append(w.Nodes, &lb.Node{Name: name, Addresses: []netip.Addr{netip.AddrFrom4([4]byte{192, 0, 2, byte(11 + i)})}})
		w.Established[name] = map[string]bool{"router": true}
		w.Links[name] = []lb.Link{
			{Name: "eth0", Up: true, MAC: "02:00:00:00:00:01", Addresses: []netip.Prefix{netip.MustParsePrefix("192.0.2.11/24")}},
			{Name: "lo", Up: true, NoARP: true},
			{Name: "veth12ab", Up: true, MAC: "02:00:00:00:00:02"},
		}
	}
	return w
}

func meta(name string, age int) metav1.ObjectMeta {
	return metav1.ObjectMeta{Name: name, CreationTimestamp: metav1.NewTime(time.Unix(int64(age), 0))}
}

func number(n int64) *int64 { return &n }

func pool(name, addresses string, age int) *lb.Pool {
	return lb.ParsePool(&v1beta1.IPAddressPool{
		ObjectMeta: meta(name, age),
		Spec:       v1beta1.IPAddressPoolSpec{Addresses: []v1beta1.AddressRange{v1beta1.AddressRange(addresses)}},
	})
}

func bgpAdvertisement(name string, age int, change func(*v1beta1.BGPAdvertisementSpec)) *lb.BGPAdvertisement {
	adv := &v1beta1.BGPAdvertisement{
		ObjectMeta: meta(name, age),
		Spec:       v1beta1.BGPAdvertisementSpec{AdvertisementSelectors: v1beta1.AdvertisementSelectors{IPAddressPools: []string{"wan"}}},
	}
	if change != nil {
		change(&adv.Spec)
	}
	return lb.ParseBGPAdvertisement(adv).Resolve(nil)
}

// add puts a Service into the world, with one ready endpoint on each of the nodes.
func (w *World) add(name, addr string, nodes ...string) *lb.Service {
	s := &lb.Service{
		Key: lb.Key{Namespace: "default", Name: name}, LoadBalancer: true, IPv6First: lb.FamilyOf(netip.MustParseAddr(addr)) == lb.IPv6,
		Request: &lb.Request{Ports: []lb.Port{{Protocol: corev1.ProtocolTCP, Number: 80}}}, Ingress: []netip.Addr{netip.MustParseAddr(addr)},
		Managed: true,
	}
	w.Services = append(w.Services, s)
	w.endpoints(s, nodes...)
	return s
}

func (w *World) endpoints(s *lb.Service, nodes ...string) {
	var list []lb.Endpoint
	for i, node := range nodes {
		addr := netip.AddrFrom4([4]byte{203, 0, 113, byte(i + 1)})
		if s.IPv6First {
			addr = netip.MustParseAddr(fmt.Sprintf("2001:db8::%d", i+1))
		}
		list = append(list, lb.Endpoint{Addr: addr, Node: node, Ready: true})
	}
	w.Endpoints[s.Key] = lb.NewEndpointSlice(s.Key, list).Endpoints
}

// on is the same world seen by another node.
func (w *World) on(node string) *World {
	other := *w
	other.Node = node
	return &other
}

func (w *World) node(name string) *lb.Node {
	for _, n := range w.Nodes {
		if n.Name == name {
			return n
		}
	}
	return nil
}

func selector(text string) lb.Selectors {
	parsed, err := labels.Parse(text)
	if err != nil {
		panic(err)
	}
	return lb.Selectors{parsed}
}

// links changes the links of every node in the same way.
func (w *World) links(change func(links []lb.Link) []lb.Link) {
	for name := range w.Links {
		w.Links[name] = change(w.Links[name])
	}
}
