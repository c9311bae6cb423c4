package announce

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/daymark-lb/daymark/internal/core/election"
	"github.com/daymark-lb/daymark/internal/core/lb"
	"github.com/daymark-lb/daymark/internal/core/reason"
)

var everyNode = []string{"n1", "n2", "n3"}

// candidates are the nodes that may hold an address, as every node sees it alike.
func candidates(t *testing.T, w *World, addr string) []string {
	t.Helper()
	var agreed []string
	for i, n := range w.Nodes {
		var nodes []string
		for _, contest := range Compute(w.on(n.Name)).Contests {
			if contest.Addr.String() == addr {
				for _, c := range contest.Group.Candidates() {
					nodes = append(nodes, c.Node)
				}
			}
		}
		if i > 0 && !slices.Equal(nodes, agreed) {
			t.Errorf("%s sees the candidates %v, another node %v", n.Name, nodes, agreed)
		}
		agreed = nodes
	}
	return agreed
}

func TestLayer2_Candidates(t *testing.T) {
	const vip = "192.0.2.200"
	for _, test := range []struct {
		name   string
		change func(w *World, s *lb.Service)
		want   []string
	}{
		{"every node", func(*World, *lb.Service) {}, everyNode},
		{"nobody without an endpoint", func(w *World, s *lb.Service) { w.endpoints(s) }, nil},
		{"under Local a node with an endpoint", func(w *World, s *lb.Service) { s.Local = true; w.endpoints(s, "n2") }, []string{"n2"}},
		{"nobody when the membership is unknown", func(w *World, _ *lb.Service) { w.Members.Known = false }, nil},
		{"no node whose speaker is gone", func(w *World, _ *lb.Service) { w.Members.Alive = []string{"n3"} }, []string{"n3"}},
		{"nobody without an advertisement", func(w *World, _ *lb.Service) { w.L2Advertisements = nil }, nil},
		{"nobody by a selector that cannot be read", func(w *World, _ *lb.Service) {
			w.L2Advertisements[0].Err, w.L2Advertisements[0].ServiceSelectors = errors.New("bad"), lb.Selectors{labels.Nothing()}
		}, nil},
		{"the nodes of the selector that can be read", func(w *World, _ *lb.Service) {
			w.node("n2").Labels = map[string]string{"edge": "yes"}
			w.L2Advertisements[0].Err = errors.New("bad")
			w.L2Advertisements[0].NodeSelectors = append(lb.Selectors{labels.Nothing()}, selector("edge=yes")...)
		}, []string{"n2"}},
		{"the advertisement's nodes", func(w *World, _ *lb.Service) {
			w.node("n2").Labels = map[string]string{"edge": "yes"}
			w.L2Advertisements[0].NodeSelectors = selector("edge=yes")
		}, []string{"n2"}},
		{"nobody for a Service that is not selected", func(w *World, _ *lb.Service) {
			w.L2Advertisements[0].ServiceSelectors = selector("public=yes")
		}, nil},
		{"nobody for a pool that is not selected", func(w *World, _ *lb.Service) { w.L2Advertisements[0].Pools = []string{"wan"} }, nil},
		{"nobody for an address in no pool", func(w *World, _ *lb.Service) { w.Pools = lb.NewPools(nil) }, nil},
		{"nobody for an address that Daymark did not give", func(_ *World, s *lb.Service) {
			s.Provenance = lb.Provenance{Class: "c"}
		}, nil},
		{"nobody for a Service that no controller has written to", func(_ *World, s *lb.Service) { s.Managed = false }, nil},
		{"everybody still for a pool that is gone and is named", func(w *World, s *lb.Service) {
			w.Pools = lb.NewPools(nil)
			s.Provenance = lb.Provenance{Class: "c", Allocations: []lb.Allocation{{Addr: s.Ingress[0], Pool: "lan"}}}
		}, everyNode},
		{"everybody still for a pool that is gone, by its last labels", func(w *World, s *lb.Service) {
			w.Pools = lb.NewPools(nil).WithGone(map[string]*lb.Pool{"lan": {Name: "lan", Labels: map[string]string{"zone": "a"}}})
			w.L2Advertisements[0].Pools, w.L2Advertisements[0].PoolSelectors = nil, selector("zone=a")
			s.Provenance = lb.Provenance{Class: "c", Allocations: []lb.Allocation{{Addr: s.Ingress[0], Pool: "lan"}}}
		}, everyNode},
		{"the nodes of the pool that has it now, when no advertisement selects the one that is gone", func(_ *World, s *lb.Service) {
			s.Provenance = lb.Provenance{Class: "c", Allocations: []lb.Allocation{{Addr: s.Ingress[0], Pool: "gone"}}}
		}, everyNode},
		{"nobody by the advertisement of another pool that contains it", func(w *World, s *lb.Service) {
			w.L2Advertisements[0].Pools = []string{"lan"}
			w.Pools = lb.NewPools([]*lb.Pool{w.Pools.Named("lan"), pool("mine", "192.0.2.0/24", 9)})
			s.Provenance = lb.Provenance{Class: "c", Allocations: []lb.Allocation{{Addr: s.Ingress[0], Pool: "mine"}}}
		}, nil},
		{"everybody still for a pool that cannot be read", func(w *World, s *lb.Service) {
			lan := w.Pools.Named("lan")
			lan.Ranges, lan.Err = nil, errors.New("bad")
			w.Pools = lb.NewPools([]*lb.Pool{lan})
			s.Provenance = lb.Provenance{Class: "c", Allocations: []lb.Allocation{{Addr: s.Ingress[0], Pool: "lan"}}}
		}, everyNode},
		{"no node without a network or out of service", func(w *World, _ *lb.Service) {
			w.node("n1").NetworkUnavailable, w.node("n2").OutOfService = true, true
		}, []string{"n3"}},
		{"no node that drains or is excluded", func(w *World, _ *lb.Service) {
			w.node("n1").Draining, w.node("n2").Excluded = true, true
		}, []string{"n3"}},
		{"an excluded node when the label is ignored", func(w *World, _ *lb.Service) {
			for _, n := range w.Nodes {
				n.Excluded = true
			}
			w.Options.IgnoreExcludeLabel = true
		}, everyNode},
		{"a cordoned node", func(w *World, _ *lb.Service) {
			for _, n := range w.Nodes {
				n.Unschedulable = true
			}
		}, everyNode},
		{"no cordoned node when so configured", func(w *World, _ *lb.Service) {
			w.node("n1").Unschedulable, w.node("n3").Unschedulable = true, true
			w.Options.WithdrawOnCordon = true
		}, []string{"n2"}},
		{"no node whose link is down", func(w *World, _ *lb.Service) { w.Links["n2"][0].Up = false }, []string{"n1", "n3"}},
		{"no node whose links are not known yet", func(w *World, _ *lb.Service) { delete(w.Links, "n3") }, []string{"n1", "n2"}},
		{"nobody when all links are down", func(w *World, _ *lb.Service) {
			w.links(func(links []lb.Link) []lb.Link { links[0].Up = false; return links })
		}, nil},
		{"the nodes on the address's segment", func(w *World, _ *lb.Service) {
			w.Links["n1"][0].Addresses = []netip.Prefix{netip.MustParsePrefix("203.0.113.11/24")}
		}, []string{"n2", "n3"}},
		{"every node that has an interface when none is on the segment", func(w *World, _ *lb.Service) {
			w.links(func(links []lb.Link) []lb.Link { links[0].Addresses = nil; return links })
			w.Links["n3"][0].Up = false
		}, []string{"n1", "n2"}},
		{"under Local a node with an endpoint, though it is not on the segment as others are", func(w *World, s *lb.Service) {
			s.Local = true
			w.endpoints(s, "n1")
			w.Links["n1"][0].Addresses = nil
		}, []string{"n1"}},
		{"the nodes that have an interface of the name", func(w *World, _ *lb.Service) {
			w.L2Advertisements[0].Interfaces = []string{"eth1"}
			w.Links["n2"] = append(w.Links["n2"], lb.Link{Name: "eth1", Up: true})
		}, []string{"n2"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := cluster()
			test.change(w, w.add("web", vip, everyNode...))
			if got := candidates(t, w, vip); !slices.Equal(got, test.want) {
				t.Errorf("held by one of %v, want %v", got, test.want)
			}
		})
	}
}

func TestLayer2_WeightsAreSummedOverAdvertisements(t *testing.T) {
	w := cluster()
	w.add("web", "192.0.2.200", everyNode...)
	w.node("n2").Labels = map[string]string{"fast": "yes"}
	w.node("n3").Labels = map[string]string{"fast": "yes", "near": "yes"}
	second := *w.L2Advertisements[0]
	second.Name = "second"
	w.L2Advertisements[0].Preferences = []lb.NodePreference{{Weight: 5, Nodes: selector("fast=yes")}, {Weight: 2, Nodes: selector("near=yes")}}
	second.Preferences = []lb.NodePreference{{Weight: 10, Nodes: selector("near=yes")}}
	w.L2Advertisements = append(w.L2Advertisements, &second)
	for i, want := range []int{0, 5, 17} {
		if got := Compute(w).Contests[0].Group.Candidates()[i]; got.Weight != want {
			t.Errorf("%s has weight %d, want %d", got.Node, got.Weight, want)
		}
	}
}

func TestLayer2_AddressesShareOneGroup(t *testing.T) {
	w := cluster()
	w.add("a", "192.0.2.200", "n1")
	w.add("b", "192.0.2.201", "n2")
	if contests := Compute(w).Contests; contests[0].Group != contests[1].Group {
		t.Error("two groups for the same candidates")
	}
}

func TestLayer2_SharedAddressIsHeldWhereAllCanBeServed(t *testing.T) {
	w := cluster()
	w.add("a", "192.0.2.200", "n1", "n2").Local = true
	w.add("b", "192.0.2.200", "n2", "n3").Local = true
	if got := candidates(t, w, "192.0.2.200"); !slices.Equal(got, []string{"n2"}) {
		t.Errorf("held by one of %v, want the one node that serves both", got)
	}
}

func TestLayer2_Interfaces(t *testing.T) {
	more := func(w *World, more ...lb.Link) {
		w.links(func(links []lb.Link) []lb.Link { return append(links, more...) })
	}
	elsewhere := func(w *World) {
		w.links(func(links []lb.Link) []lb.Link { links[0].Addresses = nil; return links })
	}
	for _, test := range []struct {
		name   string
		change func(w *World)
		want   []string
	}{
		{"the one with the address's subnet", func(w *World) { more(w, lb.Link{Name: "eth1", Up: true}) }, []string{"eth0"}},
		{"all suitable ones when none has the subnet", func(w *World) {
			elsewhere(w)
			more(w, lb.Link{Name: "eth1", Up: true})
		}, []string{"eth0", "eth1"}},
		{"none that is down, enslaved or has no ARP", func(w *World) {
			elsewhere(w)
			more(w, lb.Link{Name: "eth1"}, lb.Link{Name: "eth2", Up: true, Enslaved: true}, lb.Link{Name: "ppp0", Up: true, NoARP: true})
		}, []string{"eth0"}},
		{"a container's interface when it is named", func(w *World) {
			elsewhere(w)
			w.L2Advertisements[0].Interfaces = []string{"veth*"}
		}, []string{"veth12ab"}},
		{"a container's interface when it has the subnet", func(w *World) {
			w.links(func(links []lb.Link) []lb.Link {
				links[2].Addresses, links[0].Addresses = links[0].Addresses, nil
				return links
			})
		}, []string{"veth12ab"}},
		{"those that the globs name", func(w *World) {
			elsewhere(w)
			more(w, lb.Link{Name: "eno1", Up: true}, lb.Link{Name: "eno2", Up: true})
			w.L2Advertisements[0].Interfaces = []string{"eno*"}
		}, []string{"eno1", "eno2"}},
		{"not those that merely have the address itself, for a service proxy", func(w *World) {
			more(w, lb.Link{Name: "kube-ipvs0", Up: true, NoARP: true, Addresses: []netip.Prefix{netip.MustParsePrefix("192.0.2.200/32")}})
		}, []string{"eth0"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := cluster()
			w.add("web", "192.0.2.200", everyNode...)
			test.change(w)
			contest := Compute(w).Contests[0]
			if !slices.Equal(contest.Interfaces, test.want) || contest.HasInterface != (len(test.want) > 0) {
				t.Errorf("announced on %v (%v), want %v", contest.Interfaces, contest.HasInterface, test.want)
			}
		})
	}
}

func TestLayer2_DeletedNodeAnswersUntilReplaced(t *testing.T) {
	w := cluster()
	w.add("web", "192.0.2.200", everyNode...)
	w.Nodes = w.Nodes[1:]
	w.OwnLinks = w.Links["n1"]
	contest := Compute(w).Contests[0]
	if _, candidate := contest.Group.Find("n1"); candidate || !contest.HasInterface || !slices.Equal(contest.Interfaces, []string{"eth0"}) {
		t.Errorf("it may hold the address: %v; it can answer on %v", candidate, contest.Interfaces)
	}
}

func TestLayer2_AddressThatNoNodeCanHoldIsNamed(t *testing.T) {
	w := cluster()
	w.add("web", "192.0.2.200", "n1").Local = true
	w.Links["n1"] = nil
	if got := Compute(w).Unheld; len(got) != 1 || !strings.HasPrefix(got[0], "192.0.2.200 is held by no node") {
		t.Errorf("unheld: %q", got)
	}
}

// TestLayer2_AddressOfNoSelectedNodeIsNotBlamedOnInterfaces, when every node has one that would do.
func TestLayer2_AddressOfNoSelectedNodeIsNotBlamedOnInterfaces(t *testing.T) {
	w := cluster()
	w.add("web", "192.0.2.200", "n1")
	w.L2Advertisements[0].NodeSelectors = selector("no=such")
	if got := Compute(w).Unheld; len(got) != 1 || !strings.Contains(got[0], "nodeSelectors and interfaces of the advertisement (l2)") {
		t.Errorf("unheld: %q", got)
	}
}

func TestHealth_CountsReadyEndpointsOfThisNode(t *testing.T) {
	w := cluster()
	s := w.add("web", "198.19.0.1", "n1", "n1", "n2")
	s.Local, s.HealthCheckNodePort = true, 30100
	for node, want := range map[string]int{"n1": 2, "n2": 1, "n3": 0} {
		plan := Compute(w.on(node))
		path, _ := plan.HealthPaths.Of(s.Key)
		if len(plan.HealthPorts) != 1 || plan.HealthPorts[0].LocalEndpoints != want || path.LocalEndpoints != want {
			t.Errorf("%s: ports %v, paths %v, want %d endpoints", node, plan.HealthPorts, plan.HealthPaths, want)
		}
	}
}

func TestExplainer_Reasons(t *testing.T) {
	for _, test := range []struct {
		name   string
		addr   string
		change func(w *World, s *lb.Service)
		reason reason.Reason
		say    string
	}{
		{"by layer 2", "192.0.2.200", func(*World, *lb.Service) {}, ReasonAnnounced, "192.0.2.200 by layer 2 (l2)"},
		{"by BGP", "198.19.0.1", func(*World, *lb.Service) {}, ReasonAnnounced, "198.19.0.1 by BGP (bgp)"},
		{"no address", "198.19.0.1", func(_ *World, s *lb.Service) { s.Ingress = nil }, ReasonNoAddress, "no address yet"},
		{"no advertisement", "198.19.0.1", func(w *World, _ *lb.Service) { w.BGPAdvertisements = nil }, ReasonNoAdvertisement, "selects this Service and pool wan of 198.19.0.1"},
		{"an address that a node's kernel has", "192.0.2.200", func(w *World, s *lb.Service) {
			w.NodeAddresses = map[netip.Addr]NodeAddress{s.Ingress[0]: {Node: "n2", Interface: "lo"}}
		}, ReasonNodeHasAddress, "192.0.2.200 is an address of node n2 itself, on interface lo; no node announces it"},
		{"an address that a node's kernel has lost", "192.0.2.200", func(w *World, s *lb.Service) {
			w.NodeAddresses = map[netip.Addr]NodeAddress{s.Ingress[0]: {Node: "n2", Interface: "lo", Lost: true}}
		}, ReasonNodeHasAddress, "192.0.2.200 was an address of node n2 itself until a moment ago; it is announced 30 s after no node has it any more"},
		{"interfaces that match nothing", "192.0.2.200", func(w *World, _ *lb.Service) {
			w.L2Advertisements[0].Interfaces = []string{"nope0"}
		}, ReasonNoNode, "selects (interfaces: nope0; the nodes have eth0, lo, veth12ab)"},
		{"interfaces that match nothing beside a node that says nothing of its own", "192.0.2.200", func(w *World, _ *lb.Service) {
			w.L2Advertisements[0].Interfaces, w.Reported = []string{"nope0"}, true
			delete(w.Links, "n3")
		}, ReasonAnnounced, "192.0.2.200 by layer 2 (l2)"},
		{"no endpoint", "198.19.0.1", func(w *World, s *lb.Service) { w.endpoints(s) }, ReasonNoEndpoint, "no IPv4 endpoint of the Service is ready"},
		{"endpoints that name no node", "198.19.0.1", func(w *World, s *lb.Service) { s.Local = true; w.endpoints(s, "", "") }, ReasonNoNodeName, "none of the ready IPv4 endpoints in the Service's EndpointSlices has a nodeName"},
		{"no peer", "198.19.0.1", func(w *World, _ *lb.Service) { w.Peers = nil }, ReasonNoNode, "there is no BGPPeer"},
		{"no session", "198.19.0.1", func(w *World, _ *lb.Service) {
			w.Established = map[string]map[string]bool{"n1": {}, "n2": {}, "n3": {}}
		}, ReasonNoNode, "n1, n2, n3: it has no established BGP session"},
		{"a family that no session carries", "2001:db8::7", func(w *World, _ *lb.Service) {
			w.Pools = lb.NewPools([]*lb.Pool{pool("wan", "2001:db8::/64", 2)})
		}, ReasonNoNode, "n1, n2, n3: its BGP sessions do not carry this address family"},
		{"of two peers the one that is nearest to success", "198.19.0.1", func(w *World, _ *lb.Service) {
			w.Established = map[string]map[string]bool{"n1": {}, "n2": {}, "n3": {}}
			other := *w.Peers[0]
			other.Name, other.Address, other.NodeSelectors = "second", netip.MustParseAddr("192.0.2.2"), selector("no=such")
			w.Peers = append(w.Peers, &other)
		}, ReasonNoNode, "n1, n2, n3: it has no established BGP session"},
		{"a router that is away beside one that hears", "198.19.0.1", func(w *World, _ *lb.Service) {
			other := *w.Peers[0]
			other.Name, other.Address = "away", netip.MustParseAddr("192.0.2.2")
			w.Peers = append(w.Peers, &other)
		}, ReasonAnnounced, "198.19.0.1 by BGP (bgp)"},
		{"another host that had the address before", "192.0.2.200", func(w *World, s *lb.Service) {
			w.Conflicts = map[netip.Addr]Conflict{s.Ingress[0]: {Node: "n2", Interface: "eth0", MAC: "02:00:00:00:00:99"}}
		}, ReasonAddressConflict, "192.0.2.200 is used by a host outside the cluster, 02:00:00:00:00:99 on eth0 of node n2; it is not announced"},
		{"a proxy that answers for every address", "192.0.2.200", func(w *World, s *lb.Service) {
			w.Conflicts = map[netip.Addr]Conflict{s.Ingress[0]: {Node: "n2", Interface: "eth0", MAC: "02:00:00:00:00:99", Proxy: true}}
		}, ReasonAddressConflict, "one MAC answers for several addresses: a proxy?"},
		{"another host that takes the address", "192.0.2.200", func(w *World, s *lb.Service) {
			w.Conflicts = map[netip.Addr]Conflict{s.Ingress[0]: {Node: "n2", Interface: "eth0", MAC: "02:00:00:00:00:99", Announced: true}}
		}, ReasonAddressConflict, "192.0.2.200 by layer 2 (l2); 192.0.2.200 is used by a host outside the cluster"},
		{"another host that has the address on one of several segments", "192.0.2.200", func(w *World, s *lb.Service) {
			w.Conflicts = map[netip.Addr]Conflict{s.Ingress[0]: {Node: "n2", Interface: "eth1", MAC: "02:00:00:00:00:99", Announced: true, Elsewhere: true}}
		}, ReasonAddressConflict, "192.0.2.200 by layer 2 (l2); 192.0.2.200 is used by a host outside the cluster, 02:00:00:00:00:99 on eth1 of node n2; it is announced on other interfaces, and not on that one before that host gives it up"},
		{"a node's kernel that has the address", "192.0.2.200", func(w *World, s *lb.Service) {
			w.Conflicts = map[netip.Addr]Conflict{s.Ingress[0]: {Node: "n2", Interface: "eth0", MAC: "02:00:00:00:00:99", By: "n3", ByInterface: "eth1"}}
		}, ReasonAddressConflict, "192.0.2.200 is used by node n3 on its interface eth1, 02:00:00:00:00:99, without its speaker"},
		{"a node that stands in for the holder in its part of the segment", "192.0.2.200", func(w *World, s *lb.Service) {
			w.StandIns = map[netip.Addr][]StandIn{s.Ingress[0]: {{"n2", "n1"}, {"n3", "n1"}}}
		}, ReasonAnnounced, "192.0.2.200 by layer 2 (l2), n2 stands in for n1, which its part of the segment does not lead to: is a switch cut?, n3 stands in for n1"},
		{"an endpoint outside the cluster", "198.19.0.1", func(w *World, s *lb.Service) { w.endpoints(s, "") }, ReasonAnnounced, "by BGP (bgp)"},
		{"every node for its own reason", "192.0.2.200", func(w *World, _ *lb.Service) {
			w.node("n1").Draining = true
			w.node("n2").Excluded = true
			w.Members.Alive = []string{"n1"}
		}, ReasonNoNode, `n1: it has the annotation daymark.io/drain: "true"; n2: it has the label node.kubernetes.io/exclude-from-external-load-balancers; n3: its speaker is not there, or does not know the others yet`},
		{"nodes without an endpoint under Local", "192.0.2.200", func(w *World, s *lb.Service) {
			s.Local = true
			w.endpoints(s, "n4")
		}, ReasonNoNode, "n1, n2, n3: externalTrafficPolicy is Local and no ready endpoint is on it"},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := cluster()
			s := w.add("web", test.addr, everyNode...)
			test.change(w, s)
			got := NewExplainer(w).Explain(s)
			words := got.Message
			if test.reason.Name == ReasonNoNode.Name {
				if strings.Contains(got.Message, "n1") {
					t.Errorf("the message %q names nodes, which come and go", got.Message)
				}
				words += "; " + got.Nodes
			}
			if got.Reason != test.reason.Name || !strings.Contains(words, test.say) || got.Announced != (strings.Contains(test.say, "by layer 2") || strings.Contains(test.say, "by BGP")) {
				t.Errorf("explained as %+v, want %s with %q", got, test.reason, test.say)
			}
		})
	}
}

// The condition of every Service would be written again.
func TestExplainer_WordsStayWhenNodesAndRoutersComeAndGo(t *testing.T) {
	rack := func(w *World, node string) {
		w.node(node).Labels = map[string]string{"rack": node}
		peer := *w.Peers[0]
		peer.Name, peer.Address, peer.NodeSelectors = "tor-"+node, netip.MustParseAddr("192.0.2.2"), selector("rack="+node)
		w.Peers = append(w.Peers, &peer)
		w.Established[node] = map[string]bool{peer.Name: true}
	}
	noSession := func(w *World) { w.Established = map[string]map[string]bool{"n1": {}, "n2": {}, "n3": {}} }
	gone := func(w *World, node string) {
		w.Nodes = slices.DeleteFunc(w.Nodes, func(n *lb.Node) bool { return n.Name == node })
		delete(w.Established, node)
	}
	for _, test := range []struct {
		name          string
		before, after func(w *World)
	}{
		{"a rack with a peer of its own loses its last node", func(w *World) { rack(w, "n3") }, func(w *World) { rack(w, "n3"); gone(w, "n3") }},
		{"the speaker of that node is away", func(w *World) { rack(w, "n3") }, func(w *World) { rack(w, "n3"); delete(w.Established, "n3") }},
		{"a rack is added", func(*World) {}, func(w *World) { rack(w, "n3") }},
		{"a node comes that announces nothing, as the others", func(w *World) { noSession(w); gone(w, "n3") }, noSession},
		{"a node that is further from it has another reason", noSession, func(w *World) { noSession(w); w.node("n1").Draining = true }},
	} {
		t.Run(test.name, func(t *testing.T) {
			say := func(change func(*World)) Explanation {
				w := cluster()
				w.Established = map[string]map[string]bool{"n1": {"router": true}, "n2": {"router": true}, "n3": {}}
				s := w.add("web", "198.19.0.1", everyNode...)
				change(w)
				return NewExplainer(w).Explain(s)
			}
			before, after := say(test.before), say(test.after)
			if before.Message != after.Message || before.Reason != after.Reason {
				t.Errorf("it said  %q\nand says %q", before.Message, after.Message)
			}
		})
	}
}

func TestCompute_OrderInTheWorldDoesNotMatter(t *testing.T) {
	w := big(200, 5)
	want := Compute(w)
	for range 20 {
		shuffle(w.Services)
		shuffle(w.Nodes)
		shuffle(w.L2Advertisements)
		shuffle(w.BGPAdvertisements)
		shuffle(w.Peers)
		shuffle(w.Members.Alive)
		for _, links := range w.Links {
			shuffle(links)
		}
		if diff := cmp.Diff(want, Compute(w), comparePlans); diff != "" {
			t.Fatalf("the same World in another order gives another Plan:\n%s", diff)
		}
	}
}

func shuffle[T any](list []T) {
	rand.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
}

// big is a world of many Services, half of them announced by layer 2 and half by BGP, and many nodes.
func big(services, nodes int) *World {
	w := cluster()
	w.Pools = lb.NewPools([]*lb.Pool{pool("lan", "198.18.0.0/16", 1), pool("wan", "198.19.0.0/16", 2)})
	links := w.Links["n1"]
	w.Nodes, w.Members.Alive, w.Links = nil, nil, map[string][]lb.Link{}
	for i := range nodes {
		name := fmt.Sprintf("n%d", i)
		w.Links[name] = slices.Clone(links)
		w.Nodes = append(w.Nodes, &lb.Node{Name: name, Addresses: []netip.Addr{netip.AddrFrom4([4]byte{192, 0, 2, byte(i)})}})
		w.Members.Alive = append(w.Members.Alive, name)
	}
	for i := range services {
		addr := netip.AddrFrom4([4]byte{198, byte(18 + i%2), byte(i >> 9), byte(i >> 1)})
		s := w.add(fmt.Sprintf("s%d", i), addr.String(), fmt.Sprintf("n%d", i%nodes), fmt.Sprintf("n%d", (i+1)%nodes))
		s.Local = i%4 == 0
	}
	return w
}

func BenchmarkCompute_10000Services100Nodes(b *testing.B) {
	w := big(10000, 100)
	b.ReportAllocs()
	for b.Loop() {
		Compute(w)
	}
}

func TestCompute_KernelsAnswerForWhatTheServiceProxyHas(t *testing.T) {
	for _, elsewhere := range []bool{false, true} {
		w := cluster()
		w.add("web", "192.0.2.200", everyNode...)
		w.add("other", "192.0.2.201", everyNode...)
		w.OwnLinks = append(w.OwnLinks, lb.Link{
			Name: "kube-ipvs0", NoARP: true, Addresses: []netip.Prefix{netip.MustParsePrefix("192.0.2.200/32")}, AnsweredElsewhere: elsewhere,
		})
		plan := Compute(w)
		addresses := plan.Layer2Addresses(&election.Decision{Hold: []election.Hold{{Addr: plan.Contests[0].Addr}, {Addr: plan.Contests[1].Addr}}}, &Ways{})
		if addresses[0].KernelsAnswer != elsewhere || addresses[1].KernelsAnswer {
			t.Errorf("where the kernel answers elsewhere (%v): %+v", elsewhere, addresses)
		}
	}
}
