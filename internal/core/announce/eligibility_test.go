package announce

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/core/lb"
	"github.com/daymark-lb/daymark/internal/core/reason"
)

func TestEligibility_EveryReasonIsComplete(t *testing.T) {
	camelCase, seen := regexp.MustCompile(`^([A-Z][a-z]+)+$`), map[string]bool{}
	for i, c := range chain {
		if !camelCase.MatchString(c.Name) || c.Meaning == "" || c.Remedy == "" || c.applies == nil || seen[c.Name] {
			t.Errorf("entry %d of the chain is incomplete or there twice: %+v", i, c.Reason)
		}
		if i > 0 && c.scope < chain[i-1].scope {
			t.Errorf("%s has an earlier scope than %s before it", c.Name, chain[i-1].Name)
		}
		if got := IneligibleReason(i + 1).String(); got != c.Meaning {
			t.Errorf("%s reads %q", c.Name, got)
		}
		seen[c.Name] = true
	}
	for r := range 256 {
		if text := IneligibleReason(r).String(); text == "" || strings.Contains(text, "%!") {
			t.Errorf("reason %d reads %q", r, text)
		}
	}
	if got := IneligibleReasons(); len(got) != len(chain) {
		t.Errorf("%d reasons are published, of %d", len(got), len(chain))
	}
	for _, c := range addressChain {
		if !slices.Contains(Conditions()[0].Reasons, c.Reason) {
			t.Errorf("%s is no reason of the condition", c.Name)
		}
	}
}

// Every reason keeps n1 from announcing by a protocol, and is what the explanation says of it.
func TestEligibility_EveryReasonActsAndExplains(t *testing.T) {
	const l2, bgp = "192.0.2.200", "198.19.0.1"
	rows := map[string]struct {
		addrs  []string
		change func(w *World, s *lb.Service)
	}{
		"NetworkUnavailable": {[]string{l2, bgp}, func(w *World, _ *lb.Service) { w.node("n1").NetworkUnavailable = true }},
		"Excluded":           {[]string{l2, bgp}, func(w *World, _ *lb.Service) { w.node("n1").Excluded = true }},
		"OutOfService":       {[]string{l2, bgp}, func(w *World, _ *lb.Service) { w.node("n1").OutOfService = true }},
		"Draining":           {[]string{l2, bgp}, func(w *World, _ *lb.Service) { w.node("n1").Draining = true }},
		"Cordoned": {[]string{l2, bgp}, func(w *World, _ *lb.Service) {
			w.node("n1").Unschedulable, w.Options.WithdrawOnCordon = true, true
		}},
		"ServiceProxyUnhealthy": {[]string{l2, bgp}, func(w *World, _ *lb.Service) { w.ProxyUnhealthy = map[string]bool{"n1": true} }},
		"NotSelected": {[]string{l2, bgp}, func(w *World, _ *lb.Service) {
			w.L2Advertisements[0].NodeSelectors, w.BGPAdvertisements[0].NodeSelectors = selector("edge=yes"), selector("edge=yes")
		}},
		"HeldBack": {[]string{bgp}, func(w *World, _ *lb.Service) {
			w.BGPAdvertisements[0] = bgpAdvertisement("bgp", 1, func(s *v1beta1.BGPAdvertisementSpec) { s.Communities = []string{"no_export"} })
		}},
		"PeerDown":          {[]string{bgp}, func(w *World, _ *lb.Service) { w.Peers[0].AdminState = v1beta1.AdminDown }},
		"PeerInMaintenance": {[]string{bgp}, func(w *World, _ *lb.Service) { w.Peers[0].AdminState = v1beta1.AdminMaintenance }},
		"SpeakerMissing": {[]string{l2, bgp}, func(w *World, _ *lb.Service) {
			w.Members.Alive = slices.DeleteFunc(w.Members.Alive, func(name string) bool { return name == "n1" })
			delete(w.Established, "n1")
		}},
		"NoInterface": {[]string{l2}, func(w *World, _ *lb.Service) {
			w.L2Advertisements[0].Interfaces = []string{"nope0"}
		}},
		"OtherFamily": {[]string{bgp}, func(w *World, _ *lb.Service) { w.Peers[0].Families = []lb.Family{lb.IPv6} }},
		"NotForPeer":  {[]string{bgp}, func(w *World, _ *lb.Service) { w.BGPAdvertisements[0].Peers = []string{"another"} }},
		"Overridden": {[]string{bgp}, func(w *World, _ *lb.Service) {
			w.Established["n1"], w.Overridden = nil, map[NodePeer]bool{{"n1", w.Peers[0].Name}: true}
		}},
		"NoSession": {[]string{bgp}, func(w *World, _ *lb.Service) { w.Established["n1"] = nil }},
		"MaximumPrefixes": {[]string{bgp}, func(w *World, s *lb.Service) {
			w.Peers[0].MaximumPrefixes, s.Created = 1, time.Unix(1, 0)
			w.add("older", "198.19.0.2", everyNode...)
		}},
		"NoLocalEndpoint": {[]string{l2, bgp}, func(w *World, s *lb.Service) { s.Local = true; w.endpoints(s, "n2") }},
	}
	for i, c := range chain {
		row, ok := rows[c.Name]
		if !ok {
			t.Errorf("no World in which %s is the reason", c.Name)
		}
		for _, addr := range row.addrs {
			w := cluster()
			s := w.add("web", addr, everyNode...)
			row.change(w, s)
			a := newExplained(w, s, addr)
			if got := a.explainer.ineligible(a.address, a.key, 0); got != IneligibleReason(i+1) {
				t.Errorf("%s, %s: explained as %q", c.Name, addr, got)
			}
			if acts(w, "n1", addr) {
				t.Errorf("%s, %s: n1 announces all the same", c.Name, addr)
			}
		}
	}
}

// A new entry is all that a new reason needs, whatever its scope but one.
func TestEligibility_OneEntryAddsAReason(t *testing.T) {
	before := chain
	defer func() { chain = before }()
	for s := range ofPrefix { // Which is asked for peers with maximumPrefixes alone.
		added := check{
			reason.Reason{Name: "Odd", Meaning: "it is odd"},
			s,
			func(q *query) bool { return q.node.Name != "n2" },
		}
		at := len(before)
		if i := slices.IndexFunc(before, func(c check) bool { return c.scope > s }); i >= 0 {
			at = i
		}
		chain = slices.Insert(slices.Clone(before), at, added)
		for _, addr := range []string{"192.0.2.200", "198.19.0.1"} {
			w := cluster()
			w.add("web", addr, everyNode...).Local = true
			var announcing []string
			for _, n := range everyNode {
				if acts(w, n, addr) {
					announcing = append(announcing, n)
				}
			}
			if !slices.Equal(announcing, []string{"n2"}) {
				t.Errorf("scope %d, %s: announced by %v", s, addr, announcing)
			}
			w.node("n2").Draining = true
			if text := NewExplainer(w).Explain(w.Services[0]).Nodes; !strings.Contains(text, "n1, n3: it is odd") {
				t.Errorf("scope %d, %s: explained as %q", s, addr, text)
			}
		}
		chain = before
	}
}

// A node is a candidate, or announces a route, exactly when nothing is said against it.
func TestEligibility_ActingAndExplainingAgree(t *testing.T) {
	announced := map[bool]int{}
	for seed := range uint64(300) {
		w := randomWorld(rand.New(rand.NewPCG(seed, 0)))
		for _, s := range w.Services {
			addr := s.Ingress[0].String()
			a := newExplained(w, s, addr)
			any := false
			for node, n := range a.explainer.rules.nodes {
				byL2, byBGP := a.eligible(node)
				if acting := holds(w, n.Name, addr); acting != byL2 {
					t.Fatalf("seed %d: %s by layer 2 on %s: acting %t, explained %t", seed, addr, n.Name, acting, byL2)
				}
				if acting := announces(w, n.Name, addr); acting != byBGP {
					t.Fatalf("seed %d: %s by BGP on %s: acting %t, explained %t", seed, addr, n.Name, acting, byBGP)
				}
				any = any || byL2 || byBGP
			}
			if got := a.explainer.Explain(s); got.Announced != any {
				t.Fatalf("seed %d: %s is announced: %t, explained as %+v", seed, addr, any, got)
			}
			announced[any]++
		}
	}
	if announced[true] < 100 || announced[false] < 100 {
		t.Errorf("the Worlds are too much alike: announced %d times, and %d times not", announced[true], announced[false])
	}
}

// explained is an address about which an Explainer can be asked.
type explained struct {
	explainer *Explainer
	address   address
	key       addressKey
}

func newExplained(w *World, s *lb.Service, addr string) explained {
	e := NewExplainer(w)
	a := e.rules.address(s, netip.MustParseAddr(addr))
	return explained{e, a, addressKey{l2: e.rules.l2Matches(a), bgp: e.rules.bgpMatches(a), family: lb.FamilyOf(a.addr)}}
}

// eligible reports by which protocols nothing is said against a node.
func (a explained) eligible(node int) (l2, bgp bool) {
	e := a.explainer
	l2 = e.rules.askAddress(a.address, a.key.l2 != "") == nil && e.ineligibleLayer2(a.address, a.key, node) == Eligible
	bgp = e.rules.askAddress(a.address, a.key.bgp != "") == nil && slices.ContainsFunc(e.rules.peers, func(peer *lb.Peer) bool {
		return e.ineligibleBGP(a.address, a.key, peer, node) == Eligible
	})
	return l2, bgp
}

// acts reports whether a node may hold an address, or announces it to a router.
func acts(w *World, node, addr string) bool { return holds(w, node, addr) || announces(w, node, addr) }

// holds reports whether a node is a candidate for an address.
func holds(w *World, node, addr string) bool {
	return slices.ContainsFunc(Compute(w).Contests, func(c Contest) bool {
		_, candidate := c.Group.Find(node)
		return candidate && c.Addr.String() == addr
	})
}

// announces reports whether a node has an established session which carries an address.
func announces(w *World, node, text string) bool {
	addr := netip.MustParseAddr(text)
	return slices.ContainsFunc(Compute(w.on(node)).Sessions, func(s Session) bool {
		return w.Established[node][s.Peer] && s.carries(lb.FamilyOf(addr)) &&
			slices.ContainsFunc(s.Paths, func(p Path) bool { return p.Prefix.Addr() == addr })
	})
}

// randomWorld has something against some nodes, some addresses and some peers.
func randomWorld(random *rand.Rand) *World {
	maybe := func(one int) bool { return random.IntN(one) == 0 }
	w := cluster()
	w.Links = nil
	w.Pools = lb.NewPools([]*lb.Pool{pool("lan", "192.0.2.200-192.0.2.250", 1), pool("wan", "198.19.0.0/16", 2), pool("six", "2001:db8::/64", 3)})
	w.Options = Options{IgnoreExcludeLabel: maybe(2), WithdrawOnCordon: maybe(2)}
	w.Members.Alive = slices.DeleteFunc(w.Members.Alive, func(string) bool { return maybe(4) })
	other := *w.Peers[0]
	other.Name, other.Address = "other", netip.MustParseAddr("2001:db8::1")
	w.Peers = append(w.Peers, &other)
	w.ProxyUnhealthy = map[string]bool{everyNode[random.IntN(3)]: maybe(4)}
	for _, n := range w.Nodes {
		n.NetworkUnavailable, n.Excluded, n.OutOfService, n.Draining, n.Unschedulable = maybe(8), maybe(4), maybe(8), maybe(8), maybe(4)
		n.Labels = map[string]string{"rack": fmt.Sprint(random.IntN(2))}
		if w.Established[n.Name] = map[string]bool{"router": maybe(2), "other": maybe(2)}; maybe(4) {
			delete(w.Established, n.Name)
		}
		if maybe(2) {
			n.Addresses = append(n.Addresses, netip.MustParseAddr("2001:db8::11"))
		}
	}
	rack := func() lb.Selectors {
		if maybe(2) {
			return nil
		}
		return selector(fmt.Sprintf("rack=%d", random.IntN(2)))
	}
	for _, peer := range w.Peers {
		if peer.NodeSelectors = rack(); maybe(4) {
			peer.Families = []lb.Family{lb.IPv6}
		}
	}
	w.L2Advertisements[0].NodeSelectors = rack()
	w.L2Advertisements[0].Pools = [][]string{{"lan"}, {"lan", "wan"}, {"six"}}[random.IntN(3)]
	w.BGPAdvertisements = []*lb.BGPAdvertisement{bgpAdvertisement("a", 1, nil), bgpAdvertisement("b", 2, func(s *v1beta1.BGPAdvertisementSpec) {
		s.IPAddressPools, s.Peers = []string{"six", "lan"}, []string{"other"}
	})}
	for _, adv := range w.BGPAdvertisements {
		adv.NodeSelectors = rack()
	}
	for i, addr := range []string{"192.0.2.200", "198.19.0.1", "2001:db8::7", "203.0.113.7"} {
		s := w.add(fmt.Sprint("s", i), addr, slices.DeleteFunc(slices.Clone(everyNode), func(string) bool { return maybe(3) })...)
		if s.Local = maybe(2); maybe(6) {
			w.endpoints(s)
		}
	}
	return w
}
