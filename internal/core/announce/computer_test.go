package announce

import (
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/daymark-lb/daymark/internal/core/election"
	"github.com/daymark-lb/daymark/internal/core/lb"
)

var comparePlans = cmp.Options{
	cmpopts.EquateComparable(netip.Addr{}, netip.Prefix{}), cmp.AllowUnexported(election.Group{}, election.Candidate{}),
	cmp.Comparer(func(a, b *election.Ranks) bool {
		return !slices.ContainsFunc(everyNode, func(node string) bool { return a.Of(node) != b.Of(node) })
	}),
	cmpopts.IgnoreUnexported(Plan{}),
	cmp.Comparer(func(a, b HealthPaths) bool { return maps.Equal(allHealth(a), allHealth(b)) }),
}

// allHealth are all answers as one map.
func allHealth(p HealthPaths) map[lb.Key]Health {
	all := map[lb.Key]Health{}
	note := func(key lb.Key) {
		if health, has := p.Of(key); has {
			all[key] = health
		}
	}
	for _, s := range p.services {
		note(s.Key)
	}
	for key := range p.edits {
		note(key)
	}
	return all
}

// changesOf finds how a World differs from what it was.
func changesOf(services []*lb.Service, endpoints map[lb.Key]lb.Endpoints, now *World) *Changes {
	c := &Changes{Endpoints: map[lb.Key]bool{}}
	before := map[lb.Key]*lb.Service{}
	for _, s := range services {
		before[s.Key] = s
	}
	for _, s := range now.Services {
		if was := before[s.Key]; was != s {
			c.Services = append(c.Services, ServiceChange{was, s})
		}
		delete(before, s.Key)
	}
	for _, was := range before {
		c.Services = append(c.Services, ServiceChange{Before: was})
	}
	for _, of := range []map[lb.Key]lb.Endpoints{endpoints, now.Endpoints} {
		for key := range of {
			if !endpoints[key].Same(now.Endpoints[key]) {
				c.Endpoints[key] = true
			}
		}
	}
	return c
}

// someAddresses of Services.
var someAddresses = []string{"192.0.2.200", "192.0.2.201", "198.19.0.1", "198.19.0.2"}

// worldChanges are all that may change from pass to pass.
var worldChanges = []struct {
	name string
	// objects: an object changes, so that the number of the reading does.
	objects bool
	change  func(t *rapid.T, w *World, node string)
}{
	{"nothing", false, func(*rapid.T, *World, string) {}},
	{"a speaker goes", false, func(_ *rapid.T, w *World, node string) {
		w.Members.Alive = slices.DeleteFunc(slices.Clone(w.Members.Alive), func(n string) bool { return n == node })
		w.Links = maps.Clone(w.Links)
		delete(w.Links, node)
	}},
	{"a speaker comes", false, func(_ *rapid.T, w *World, node string) {
		if !slices.Contains(w.Members.Alive, node) {
			w.Members.Alive = append(slices.Clone(w.Members.Alive), node)
			w.Links = maps.Clone(w.Links)
			w.Links[node] = cluster().Links["n1"]
		}
	}},
	{"a link fails or returns", false, func(_ *rapid.T, w *World, node string) {
		w.Links = maps.Clone(w.Links)
		links := slices.Clone(w.Links[node])
		for i := range links {
			links[i].Up = !links[i].Up
		}
		w.Links[node] = links
	}},
	{"this node's link fails or returns", false, func(_ *rapid.T, w *World, _ string) {
		w.OwnLinks = slices.Clone(w.Links[w.Node])
		if len(w.OwnLinks) == 0 {
			return
		}
		w.OwnLinks[0].Up = !w.OwnLinks[0].Up
		w.Links = maps.Clone(w.Links)
		w.Links[w.Node] = w.OwnLinks
	}},
	{"the membership is known or not", false, func(_ *rapid.T, w *World, _ string) { w.Members.Known = !w.Members.Known }},
	{"a kernel has an address", false, func(t *rapid.T, w *World, node string) {
		addr := netip.MustParseAddr(rapid.SampledFrom(someAddresses).Draw(t, "of"))
		w.NodeAddresses = map[netip.Addr]NodeAddress{addr: {Node: node, Interface: "eth9"}}
	}},
	{"no kernel has one", false, func(_ *rapid.T, w *World, _ string) { w.NodeAddresses, w.NodePrefixes = nil, nil }},
	{"a node's kernel has all of a prefix", false, func(_ *rapid.T, w *World, node string) {
		w.NodePrefixes = []NodePrefix{{netip.MustParsePrefix("192.0.2.0/25"), NodeAddress{Node: node, Interface: "lo"}}}
	}},
	{"a service proxy fails or works", false, func(_ *rapid.T, w *World, node string) {
		before := w.ProxyUnhealthy[node]
		w.ProxyUnhealthy = maps.Clone(w.ProxyUnhealthy)
		if w.ProxyUnhealthy == nil {
			w.ProxyUnhealthy = map[string]bool{}
		}
		w.ProxyUnhealthy[node] = !before
	}},
	{"this node's does", false, func(_ *rapid.T, w *World, _ string) { w.OwnProxyFailed = !w.OwnProxyFailed }},
	{"a session is established or not", false, func(_ *rapid.T, w *World, _ string) {
		w.Running = map[string]bool{"router": !w.Running["router"]}
	}},
	{"endpoints change", true, func(t *rapid.T, w *World, _ string) {
		on := rapid.SliceOfDistinct(rapid.SampledFrom(everyNode), rapid.ID[string]).Draw(t, "on")
		w.Endpoints = maps.Clone(w.Endpoints)
		w.endpoints(rapid.SampledFrom(w.Services).Draw(t, "of"), on...)
	}},
	{"a Service is deleted", true, func(t *rapid.T, w *World, _ string) {
		if last := len(w.Services) - 1; last > 0 {
			i := rapid.IntRange(0, last).Draw(t, "which")
			w.Services = slices.Delete(slices.Clone(w.Services), i, i+1)
		}
	}},
	{"a Service comes, or another of its name", true, func(t *rapid.T, w *World, node string) {
		name, addr := fmt.Sprint("s", rapid.IntRange(0, 9).Draw(t, "name")), rapid.SampledFrom(someAddresses).Draw(t, "at")
		w.Services = slices.DeleteFunc(slices.Clone(w.Services), func(s *lb.Service) bool { return s.Key.Name == name })
		w.Endpoints = maps.Clone(w.Endpoints)
		s := w.add(name, addr, node)
		s.Local, s.Affinity, s.SharingKey = rapid.Bool().Draw(t, "local"), rapid.Bool().Draw(t, "affinity"), "key"
		s.HealthCheckNodePort, s.Distribution = uint16(30000), lb.SameNode
		if rapid.Bool().Draw(t, "hinted") {
			w.hint(s, map[string]string{"n1": "a", "n2": "a", "n3": "b"}, node, "n2", "n3")
		}
	}},
	{"the order of Services", true, func(t *rapid.T, w *World, _ string) { w.Services = rapid.Permutation(w.Services).Draw(t, "order") }},
	{"a Service has two addresses, or other ones", true, func(t *rapid.T, w *World, _ string) {
		w.Services = slices.Clone(w.Services)
		s := &w.Services[rapid.IntRange(0, len(w.Services)-1).Draw(t, "which")]
		changed := **s
		changed.Ingress = nil
		for _, addr := range rapid.SliceOfNDistinct(rapid.SampledFrom(someAddresses), 1, 2, rapid.ID[string]).Draw(t, "addresses") {
			changed.Ingress = append(changed.Ingress, netip.MustParseAddr(addr))
		}
		*s = &changed
	}},
	{"a node drains or not", true, func(_ *rapid.T, w *World, node string) {
		for i, n := range w.Nodes {
			if n.Name == node {
				changed := *n
				changed.Draining = !n.Draining
				w.Nodes = slices.Clone(w.Nodes)
				w.Nodes[i] = &changed
			}
		}
	}},
	{"a peer has a limit", true, func(t *rapid.T, w *World, _ string) {
		changed := *w.Peers[0]
		changed.MaximumPrefixes = rapid.IntRange(0, 4).Draw(t, "limit")
		w.Peers = append([]*lb.Peer{&changed}, w.Peers[1:]...)
	}},
	{"an advertisement comes", true, func(_ *rapid.T, w *World, node string) {
		more := *w.L2Advertisements[0]
		more.Name, more.Interfaces = "more-"+node, []string{"eth0"}
		w.L2Advertisements = append(slices.Clone(w.L2Advertisements), &more)
	}},
	{"a pool goes, or there are all again", true, func(_ *rapid.T, w *World, _ string) {
		if all := cluster().Pools; len(w.Pools.ByAge()) < len(all.ByAge()) {
			w.Pools = all
		} else {
			w.Pools = lb.NewPools(all.ByAge()[1:])
		}
	}},
	{"a BGPAdvertisement changes, or is held back", true, func(t *rapid.T, w *World, _ string) {
		changed := *w.BGPAdvertisements[0]
		changed.Prepend, changed.Unresolved = rapid.IntRange(0, 2).Draw(t, "prepend"), nil
		if rapid.Bool().Draw(t, "held back") {
			changed.Unresolved = errors.New("no Community is called so")
		}
		w.BGPAdvertisements = []*lb.BGPAdvertisement{&changed}
	}},
	{"a Service is written", true, func(t *rapid.T, w *World, _ string) { w.Services = perturbOne(t, w.Services) }},
	{"a Service has other labels", true, func(t *rapid.T, w *World, _ string) {
		w.Services = slices.Clone(w.Services)
		s := &w.Services[rapid.IntRange(0, len(w.Services)-1).Draw(t, "which")]
		changed := **s
		changed.Labels = lb.NewLabels(map[string]string{"tier": rapid.SampledFrom([]string{"gold", "iron"}).Draw(t, "tier")})
		*s = &changed
	}},
	{"an advertisement has selectors", true, func(t *rapid.T, w *World, _ string) {
		changed := *w.L2Advertisements[0]
		changed.ServiceSelectors, changed.NodeSelectors = selector("tier!=gold"), nil
		if rapid.Bool().Draw(t, "no node") {
			changed.NodeSelectors = selector("tier=none")
		}
		w.L2Advertisements = append([]*lb.L2Advertisement{&changed}, w.L2Advertisements[1:]...)
	}},
	{"a node is written", true, func(t *rapid.T, w *World, _ string) { w.Nodes = perturbOne(t, w.Nodes) }},
	{"an L2Advertisement is written", true, func(t *rapid.T, w *World, _ string) { w.L2Advertisements = perturbOne(t, w.L2Advertisements) }},
	{"a BGPAdvertisement is written", true, func(t *rapid.T, w *World, _ string) { w.BGPAdvertisements = perturbOne(t, w.BGPAdvertisements) }},
	{"a peer is written", true, func(t *rapid.T, w *World, _ string) { w.Peers = perturbOne(t, w.Peers) }},
	{"a peer comes", true, func(_ *rapid.T, w *World, node string) {
		more := *w.Peers[0]
		more.Name = "router-" + node
		w.Peers = append(slices.Clone(w.Peers), &more)
	}},
	{"a password comes or goes", true, func(t *rapid.T, w *World, _ string) {
		w.Passwords = map[lb.SecretKey]string{{Name: "bgp", Key: "password"}: rapid.SampledFrom([]string{"a", "b"}).Draw(t, "password")}
	}},
	{"a BFDProfile comes or goes", true, func(t *rapid.T, w *World, _ string) {
		w.BFDProfiles = map[string]*lb.BFDProfile{rapid.SampledFrom([]string{"fast", "slow"}).Draw(t, "profile"): {Name: "fast"}}
	}},
	{"a default gateway comes or goes", false, func(t *rapid.T, w *World, _ string) {
		w.Gateways = []lb.Gateway{{Addr: netip.MustParseAddr("192.0.2.1"), Backup: rapid.Bool().Draw(t, "backup")}}
	}},
	{"an annotation gave a peer's sessions a source address", false, func(t *rapid.T, w *World, _ string) {
		w.LocalEnds = map[string]LocalEnd{"router": {Source4: netip.MustParseAddr(rapid.SampledFrom([]string{"203.0.113.1", "203.0.113.2"}).Draw(t, "source"))}}
	}},
	{"the routers that a peer had become others", false, func(t *rapid.T, w *World, _ string) {
		w.FormerRouters = map[string][]netip.Addr{"router": {netip.MustParseAddr(rapid.SampledFrom([]string{"192.0.2.1", "192.0.2.2"}).Draw(t, "former"))}}
	}},
	{"this node had another InternalIP", false, func(t *rapid.T, w *World, _ string) {
		addr := netip.MustParseAddr(rapid.SampledFrom([]string{"203.0.113.1", "203.0.113.2"}).Draw(t, "internal"))
		w.OwnEnd = NodeEnd{RouterID: addr, Internal: NextHops{IPv4: addr}}
	}},
	{"no router can be looked for", false, func(t *rapid.T, w *World, _ string) {
		w.RouterProblems = map[string]error{"eth0": errors.New(rapid.SampledFrom([]string{"it is down", "IPv6 is disabled"}).Draw(t, "why"))}
	}},
	{"a router is found", false, func(t *rapid.T, w *World, _ string) {
		w.Routers = map[string]netip.Addr{"eth0": netip.MustParseAddr(rapid.SampledFrom([]string{"fe80::1%eth0", "fe80::2%eth0"}).Draw(t, "router"))}
	}},
	{"a service proxy puts an address on its link", false, func(t *rapid.T, w *World, _ string) {
		addr := netip.MustParseAddr(rapid.SampledFrom(someAddresses).Draw(t, "proxied"))
		w.OwnLinks = append(slices.Clone(w.Links[w.Node]), lb.Link{Name: "kube-ipvs0", AnsweredElsewhere: true, Addresses: []netip.Prefix{netip.PrefixFrom(addr, 32)}})
	}},
	{"cordoned nodes withdraw or not", false, func(_ *rapid.T, w *World, _ string) {
		w.Options.WithdrawOnCordon = !w.Options.WithdrawOnCordon
	}},
	{"a node is cordoned or not", true, func(_ *rapid.T, w *World, node string) {
		for i, n := range w.Nodes {
			if n.Name == node {
				changed := *n
				changed.Unschedulable = !n.Unschedulable
				w.Nodes = slices.Clone(w.Nodes)
				w.Nodes[i] = &changed
			}
		}
	}},
}

// A Computer gives what Compute gives, whatever has changed since the pass before.
func TestComputer_GivesThePlanOfCompute(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := cluster()
		w.BGPAdvertisements = []*lb.BGPAdvertisement{drainingFor("bgp", time.Minute)}
		w.Node, w.Reading = rapid.SampledFrom(everyNode).Draw(t, "self"), 1
		for i := range rapid.IntRange(1, 14).Draw(t, "services") {
			on := rapid.SliceOfDistinct(rapid.SampledFrom(everyNode), rapid.ID[string]).Draw(t, "on")
			addr := rapid.SampledFrom(someAddresses).Draw(t, "addr")
			s := w.add(fmt.Sprint("s", i), addr, on...)
			s.Local, s.Affinity, s.SharingKey = rapid.Bool().Draw(t, "local"), rapid.Bool().Draw(t, "affinity"), "key"
			s.HealthCheckNodePort = uint16(30000 + i)
		}
		computer := &Computer{}
		known := false
		for range rapid.IntRange(1, 12).Draw(t, "passes") {
			services, endpoints := w.Services, maps.Clone(w.Endpoints)
			next := rapid.SampledFrom(worldChanges).Draw(t, "change")
			next.change(t, w, rapid.SampledFrom(everyNode).Draw(t, "node"))
			if next.objects {
				w.Reading++
				w.Changes = nil
				told := rapid.IntRange(0, 3).Draw(t, "told") > 0
				if told {
					w.Services = slices.SortedFunc(slices.Values(w.Services), func(a, b *lb.Service) int { return a.Key.Compare(b.Key) })
				}
				if told && known {
					w.Changes = changesOf(services, endpoints, w)
				}
				known = told
			}
			want, got := Compute(w), computer.Compute(w)
			if elections := electionContests(got.Contests); !slices.Equal(elections, got.ElectionContests()) {
				t.Fatal("the contests of the election are not those of the plan")
			}
			uses := 0
			for _, here := range computer.contested.places.known {
				uses += here.uses
			}
			if uses != len(got.Contests) {
				t.Fatalf("places are used %d times by %d contests", uses, len(got.Contests))
			}
			unrequested := Compute(w.withoutRequests())
			numberSegments(want)
			numberSegments(got)
			numberSegments(unrequested)
			if diff := cmp.Diff(want, got, comparePlans); diff != "" {
				t.Fatalf("after %q: %s", next.name, diff)
			}
			if diff := cmp.Diff(want, unrequested, comparePlans); diff != "" {
				t.Fatalf("what Services request decides, after %q: %s", next.name, diff)
			}
			if diff := cmp.Diff(want.Sessions, Sessions(w), comparePlans); diff != "" {
				t.Fatalf("of the sessions alone, after %q: %s", next.name, diff)
			}
		}
	})
}

// withoutRequests is a World as a speaker keeps its Services.
func (w *World) withoutRequests() *World {
	other := *w
	other.Reading, other.Services = 0, slices.Clone(w.Services)
	for i, s := range other.Services {
		other.Services[i] = s.WithoutRequest()
	}
	return &other
}

// numberSegments numbers the segments of a plan in the order in which they come. The numbers say no more than which are the same.
func numberSegments(p *Plan) {
	p.Contests = slices.Clone(p.Contests)
	numbers := map[int]int{0: 0}
	for i := range p.Contests {
		c := &p.Contests[i]
		if _, known := numbers[c.Segment]; !known {
			numbers[c.Segment] = len(numbers)
		}
		c.Segment = numbers[c.Segment]
	}
}

func BenchmarkComputer_10000Services(b *testing.B) {
	for _, nodes := range []int{3, 100, 1000} {
		for _, of := range []string{"objects", "members"} {
			b.Run(fmt.Sprintf("%s-change-%d-nodes", of, nodes), func(b *testing.B) {
				w := big(10000, nodes)
				w.Node, w.Reading = "n0", 1
				computer := &Computer{}
				everybody := w.Members.Alive
				b.ReportAllocs()
				for i := 0; b.Loop(); i++ {
					if of == "objects" {
						w.Reading++
					} else {
						w.Members.Alive = everybody[:len(everybody)-i%2]
					}
					computer.Compute(w)
				}
			})
		}
	}
}

func BenchmarkCompute_10000AffinityServices1000Nodes(b *testing.B) {
	for _, local := range []bool{false, true} {
		b.Run(fmt.Sprintf("local-%v", local), func(b *testing.B) {
			w := big(20000, 1000) // of which half are announced by BGP
			w.Node = "n0"
			for i, s := range w.Services {
				s.Affinity, s.Local = i%2 == 1, local
			}
			for b.Loop() {
				Compute(w)
			}
		})
	}
}
