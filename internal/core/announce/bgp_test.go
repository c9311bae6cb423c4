package announce

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/core/lb"
)

// announcers are the nodes whose plan announces a prefix to the router.
func announcers(w *World, prefix string) []string {
	var nodes []string
	for _, n := range w.Nodes {
		for _, session := range Compute(w.on(n.Name)).Sessions {
			if slices.ContainsFunc(session.Paths, func(p Path) bool { return p.Prefix.String() == prefix }) {
				nodes = append(nodes, n.Name)
			}
		}
	}
	slices.Sort(nodes)
	return nodes
}

func TestBGP_NodesThatAnnounce(t *testing.T) {
	const vip, prefix = "198.19.0.1", "198.19.0.1/32"
	for _, test := range []struct {
		name   string
		change func(w *World, s *lb.Service)
		prefix string
		want   []string
	}{
		{"every node announces", func(*World, *lb.Service) {}, prefix, everyNode},
		{"membership does not matter", func(w *World, _ *lb.Service) { w.Members = Members{} }, prefix, everyNode},
		{"no endpoint, no route", func(w *World, s *lb.Service) { w.endpoints(s) }, prefix, nil},
		{"under Local only nodes with an endpoint", func(w *World, s *lb.Service) { s.Local = true; w.endpoints(s, "n1", "n3") }, prefix, []string{"n1", "n3"}},
		{"under Local only nodes with endpoints of all that share", func(w *World, s *lb.Service) {
			shareLocal(w, s, []string{"n1", "n2"}, []string{"n2", "n3"})
		}, prefix, []string{"n2"}},
		{"under Local all their nodes when none has endpoints of all", func(w *World, s *lb.Service) {
			shareLocal(w, s, []string{"n1"}, []string{"n3"})
		}, prefix, []string{"n1", "n3"}},
		{"under Local one without endpoints does not count", func(w *World, s *lb.Service) {
			shareLocal(w, s, []string{"n1", "n2"}, nil)
		}, prefix, []string{"n1", "n2"}},
		{"a draining node withdraws", func(w *World, _ *lb.Service) { w.node("n2").Draining = true }, prefix, []string{"n1", "n3"}},
		{"peers named by the advertisement only", func(w *World, _ *lb.Service) { w.BGPAdvertisements[0].Peers = []string{"other"} }, prefix, nil},
		{"nodes that the advertisement selects", func(w *World, _ *lb.Service) {
			w.node("n2").Labels = map[string]string{"rack": "a"}
			w.BGPAdvertisements[0].NodeSelectors = selector("rack=a")
		}, prefix, []string{"n2"}},
		{"nodes that the peer selects", func(w *World, _ *lb.Service) {
			w.node("n3").Labels = map[string]string{"rack": "a"}
			w.Peers[0].NodeSelectors = selector("rack=a")
		}, prefix, []string{"n3"}},
		{"prefixes are aggregated", func(w *World, _ *lb.Service) { w.BGPAdvertisements[0].AggregationLength = 24 }, "198.19.0.0/24", everyNode},
		{"an aggregate goes with its last Service", func(w *World, s *lb.Service) {
			w.BGPAdvertisements[0].AggregationLength = 24
			w.endpoints(s)
		}, "198.19.0.0/24", nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := cluster()
			test.change(w, w.add("web", vip, everyNode...))
			if got := announcers(w, test.prefix); !slices.Equal(got, test.want) {
				t.Errorf("announced by %v, want %v", got, test.want)
			}
		})
	}
}

// shareLocal lets a Service share its address with a second one under the policy Local, each with endpoints on some nodes.
func shareLocal(w *World, s *lb.Service, first, second []string) {
	other := w.add("other", s.Ingress[0].String())
	w.endpoints(s, first...)
	w.endpoints(other, second...)
	for _, sharer := range []*lb.Service{s, other} {
		sharer.Local, sharer.SharingKey = true, "key"
	}
}

func TestAttributes_OfSeveralAdvertisementsAreMerged(t *testing.T) {
	w := cluster()
	w.add("web", "198.19.0.1", everyNode...)
	w.BGPAdvertisements = []*lb.BGPAdvertisement{
		bgpAdvertisement("younger", 9, func(s *v1beta1.BGPAdvertisementSpec) {
			s.LocalPref, s.Communities = number(50), []string{"64512:2", "no-export", "bandwidth:64512:1000"}
		}),
		bgpAdvertisement("older", 3, func(s *v1beta1.BGPAdvertisementSpec) {
			s.LocalPref, s.MED, s.Communities = number(200), number(7), []string{"64512:1:2", "64512:2", "rt:64512:7", "bandwidth:64512:5000"}
		}),
	}
	paths := Compute(w).Sessions[0].Paths
	if len(paths) != 1 {
		t.Fatalf("%d paths, want one for the prefix", len(paths))
	}
	got := paths[0].Attributes
	if *got.LocalPref != 200 || *got.MED != 7 {
		t.Errorf("local preference %d and MED %d, want those of the older advertisement", *got.LocalPref, *got.MED)
	}
	if text := strings.Join(lb.Strings(got.Communities), " "); text != "64512:2 65535:65281 rt:64512:7 bandwidth:64512:5000 64512:1:2" {
		t.Errorf("communities %s", text)
	}
}

// Routers take the least of several.
func TestAttributes_TheFirstLinkBandwidthOfAnAdvertisementCounts(t *testing.T) {
	w := cluster()
	w.add("web", "198.19.0.1", everyNode...)
	w.BGPAdvertisements = []*lb.BGPAdvertisement{
		bgpAdvertisement("only", 3, func(s *v1beta1.BGPAdvertisementSpec) {
			s.Communities = []string{"bandwidth:64512:5000", "64512:2", "bandwidth:64512:1000", "bandwidth:64512:9000"}
		}),
	}
	if text := strings.Join(lb.Strings(Compute(w).Sessions[0].Paths[0].Attributes.Communities), " "); text != "64512:2 bandwidth:64512:5000" {
		t.Errorf("communities %s", text)
	}
}

func TestOverriddenAttributes_OlderAdvertisementWins(t *testing.T) {
	with := func(change func(*v1beta1.BGPAdvertisementSpec)) []*lb.BGPAdvertisement {
		return []*lb.BGPAdvertisement{
			bgpAdvertisement("older", 3, func(s *v1beta1.BGPAdvertisementSpec) {
				s.LocalPref, s.ASPathPrepend, s.WeightBy, s.Communities = number(200), 2, v1beta1.WeightByEndpoints, []string{"bandwidth:64512:5000"}
			}),
			bgpAdvertisement("younger", 9, change),
		}
	}
	for _, test := range []struct {
		name   string
		change func(*v1beta1.BGPAdvertisementSpec)
		want   string
	}{
		{"another value", func(s *v1beta1.BGPAdvertisementSpec) { s.LocalPref = number(50) }, "localPref 50 is not used for prefixes that BGPAdvertisement older announces too: that one is older, and says 200"},
		{"another number of prepends", func(s *v1beta1.BGPAdvertisementSpec) { s.ASPathPrepend = 3 }, "asPathPrepend 3 is not used"},
		{"other weights", func(s *v1beta1.BGPAdvertisementSpec) { s.WeightBy = v1beta1.WeightByNodeAnnotation }, "weightBy NodeAnnotation is not used"},
		{"another link bandwidth", func(s *v1beta1.BGPAdvertisementSpec) { s.Communities = []string{"64512:1", "bandwidth:64512:1"} }, "community bandwidth:64512:1 is not used for prefixes that BGPAdvertisement older announces too: that one is older, and says bandwidth:64512:5000"},
		{"the same link bandwidth", func(s *v1beta1.BGPAdvertisementSpec) { s.Communities = []string{"bandwidth:64512:5000"} }, ""},
		{"the same value", func(s *v1beta1.BGPAdvertisementSpec) { s.LocalPref = number(200) }, ""},
		{"a value that the older leaves open", func(s *v1beta1.BGPAdvertisementSpec) { s.MED = number(5) }, ""},
		{"another prefix", func(s *v1beta1.BGPAdvertisementSpec) { s.LocalPref, s.AggregationLength = number(50), new(int32(24)) }, ""},
		{"another peer", func(s *v1beta1.BGPAdvertisementSpec) { s.LocalPref, s.Peers = number(50), []string{"b"} }, ""},
		{"other nodes", func(s *v1beta1.BGPAdvertisementSpec) {
			s.LocalPref, s.NodeSelectors = number(50), []v1beta1.LabelSelector{{MatchLabels: map[string]v1beta1.LabelValue{"no": "such"}}}
		}, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := cluster()
			w.add("web", "198.19.0.1", everyNode...)
			w.BGPAdvertisements = with(test.change)
			if test.name == "another peer" {
				w.BGPAdvertisements[0].Peers = []string{"a"}
			}
			got := NewExplainer(w).OverriddenAttributes(w.Services)
			if !strings.HasPrefix(got["younger"], test.want) || (got["younger"] == "") != (test.want == "") || got["older"] != "" {
				t.Errorf("overridden %q, want %q", got, test.want)
			}
		})
	}
}

func TestSessions_WithGatewaysAndInterfaces(t *testing.T) {
	w := cluster()
	w.Peers[0].Address, w.Peers[0].GatewayFamily = netip.Addr{}, lb.IPv6
	if got := Compute(w).Sessions[0]; got.Name != "router" || got.Problem != "the node has no IPv6 default gateway" || !got.RoutersUnknown {
		t.Errorf("without a gateway: %q, problem %q, unknown: %t", got.Name, got.Problem, got.RoutersUnknown)
	}
	w.Gateways = []lb.Gateway{
		{Addr: netip.MustParseAddr("192.0.2.1")},
		{Addr: netip.MustParseAddr("2001:db8::1")},
		{Addr: netip.MustParseAddr("2001:db8::2")},
		{Addr: netip.MustParseAddr("2001:db8::9"), Backup: true},
		{Addr: netip.MustParseAddr("2001:db8::8"), VRF: "red"},
	}
	var names []string
	for _, session := range Compute(w).Sessions {
		names = append(names, session.Name+" "+session.Address.String()+" "+session.Problem)
	}
	if want := []string{"router/2001:db8::1 2001:db8::1 ", "router/2001:db8::2 2001:db8::2 "}; !slices.Equal(names, want) {
		t.Errorf("sessions %q, want %q", names, want)
	}
	w.OwnLinks = []lb.Link{{Name: "red", Index: 8}, {Name: "blue", Index: 9}}
	w.Peers[0].VRF = "red"
	if got := Compute(w).Sessions; len(got) != 1 || got[0].Name != "router/2001:db8::8" {
		t.Errorf("in a VRF: %+v", got)
	}
	w.Peers[0].VRF = "blue"
	if got := Compute(w).Sessions[0].Problem; got != "the node has no IPv6 default gateway in VRF blue" {
		t.Errorf("in another VRF: %q", got)
	}
	w.Peers[0].VRF = ""

	w.Peers[0].GatewayFamily, w.Peers[0].Interface = 0, "eth0"
	if got := Compute(w).Sessions[0]; got.Problem != "no router has been heard on interface eth0" {
		t.Errorf("without a router: problem %q", got.Problem)
	}
	w.RouterProblems = map[string]error{"eth0": errors.New("there is no such interface")}
	if got := Compute(w).Sessions[0]; got.Problem != "no router can be looked for on interface eth0: there is no such interface" {
		t.Errorf("without the interface: problem %q", got.Problem)
	}
	w.Routers = map[string]netip.Addr{"eth0": netip.MustParseAddr("fe80::1%eth0")}
	w.OwnLinks = []lb.Link{{Name: "lo", Index: 1}, {Name: "eth0", Index: 7}}
	got := Compute(w).Sessions[0]
	if got.Problem != "" || got.Links != [2]int{7} || got.Address.String() != "fe80::1%eth0" || !got.carries(lb.IPv4) || !got.carries(lb.IPv6) {
		t.Errorf("with a router: %+v", got)
	}
}

func TestSessions_SayWhatIsMissing(t *testing.T) {
	w := cluster()
	w.Peers[0].Password = &lb.SecretKey{Name: "router", Key: "password"}
	if got := Compute(w).Sessions[0].Problem; got != "Secret router has no usable password under the key password" {
		t.Errorf("problem %q", got)
	}
	w.Passwords = map[lb.SecretKey]string{{Name: "router", Key: "password"}: "secret"}
	if got := Compute(w).Sessions[0]; got.Problem != "" || got.Password != "secret" {
		t.Errorf("with the Secret there: problem %q, password %q", got.Problem, got.Password)
	}
}

// A BGPPeer that is changed to name a Secret that is not there goes on with what it had, after a restart of the speaker, too.
func TestSessions_PasswordThatIsNotThereAnyMore(t *testing.T) {
	before, missing := &lb.SecretKey{Name: "router", Key: "password"}, &lb.SecretKey{Name: "ruoter", Key: "password"}
	for _, test := range []struct {
		name              string
		accepted          *lb.Peer
		password, problem string
	}{
		{"it had another Secret", &lb.Peer{Password: before}, "secret", ""},
		{"it had none", &lb.Peer{}, "", ""},
		{"that one is gone as well", &lb.Peer{Password: &lb.SecretKey{Name: "older", Key: "password"}}, "", "Secret ruoter has no usable password under the key password"},
		{"it is new", nil, "", "Secret ruoter has no usable password under the key password"},
	} {
		w := cluster()
		w.Passwords = map[lb.SecretKey]string{*before: "secret"}
		w.Peers[0].Password, w.Peers[0].Accepted = missing, test.accepted
		if got := Compute(w).Sessions[0]; got.Problem != test.problem || got.Password != test.password {
			t.Errorf("%s: problem %q, password %q", test.name, got.Problem, got.Password)
		}
	}
}

func TestSessions_DuplicateRouterIsLeftToTheOlderPeer(t *testing.T) {
	w := cluster()
	copied := *w.Peers[0]
	copied.Name, copied.Created = "a-copy", copied.Created.Add(time.Second)
	w.Peers = append(w.Peers, &copied)
	sessions := Compute(w).Sessions
	if sessions[0].Name != "a-copy" || sessions[0].Problem != "BGPPeer router names the same router, 192.0.2.1:179, and is older" {
		t.Errorf("the copy has problem %q", sessions[0].Problem)
	}
	if sessions[1].Problem != "" {
		t.Errorf("the older one has problem %q", sessions[1].Problem)
	}

	w.Peers[0].Password = &lb.SecretKey{Name: "missing", Key: "password"}
	for running, want := range map[bool]string{false: "", true: "BGPPeer router names the same router, 192.0.2.1:179, and is older"} {
		w.Running = map[string]bool{"router": running}
		if sessions = Compute(w).Sessions; sessions[0].Problem != want || sessions[1].Problem != "Secret missing has no usable password under the key password" {
			t.Errorf("the older one cannot have it, and runs: %t: problems %q and %q", running, sessions[0].Problem, sessions[1].Problem)
		}
	}

	third := copied
	third.Name, third.Created = "b-copy", copied.Created.Add(-time.Millisecond)
	w = cluster()
	w.Peers = append(w.Peers, &copied, &third)
	for _, session := range Compute(w).Sessions[:2] {
		if !strings.HasPrefix(session.Problem, "BGPPeer router names") {
			t.Errorf("of three, the others are told %q", session.Problem)
		}
	}
}

func TestSessions_FromAnnotationOfTheNode(t *testing.T) {
	w := cluster()
	w.Peers[0].Address, w.Peers[0].NodeAnnotation = netip.Addr{}, "example.com/routers"
	w.node("n1").Annotations = map[string]string{"example.com/routers": ",192.0.2.1, , 192.0.2.2, 192.0.2.1,\n"}
	w.node("n2").Annotations = map[string]string{"example.com/routers": "the router, another"}
	var names []string
	for _, session := range Compute(w).Sessions {
		names = append(names, session.Name+" "+session.Address.String())
	}
	if diff := cmp.Diff([]string{"router/192.0.2.1 192.0.2.1", "router/192.0.2.2 192.0.2.2"}, names); diff != "" {
		t.Error(diff)
	}
	if got := Compute(w.on("n2")).Sessions; len(got) != 1 || !got[0].RoutersUnknown || !strings.Contains(got[0].Problem, `"the router" is not an address`) {
		t.Errorf("sessions %+v", got)
	}
	const none = "annotation example.com/routers of node n3: it names no router: give it their addresses, with commas between them"
	if got := Compute(w.on("n3")).Sessions; len(got) != 1 || got[0].RoutersUnknown || got[0].Problem != none {
		t.Errorf("without the annotation: sessions %+v", got)
	}
	w.node("n3").Annotations = map[string]string{"example.com/routers": " , ,"}
	if got := Compute(w.on("n3")).Sessions; len(got) != 1 || !got[0].RoutersUnknown || got[0].Problem != none {
		t.Errorf("nothing but commas: sessions %+v", got)
	}
}

// Each router is a session. The first of too many count, those that ran among them, and it is said.
func TestSessions_FromAnnotationOfTooManyRouters(t *testing.T) {
	w := cluster()
	w.Peers[0].Address, w.Peers[0].NodeAnnotation = netip.Addr{}, "example.com/routers"
	addr, list := netip.MustParseAddr("198.51.100.1"), []string{}
	for range lb.MaxAnnotatedRouters {
		list, addr = append(list, addr.String()), addr.Next()
	}
	annotate := func(routers []string) (sessions []Session, problem string) {
		w.node("n1").Annotations = map[string]string{"example.com/routers": strings.Join(routers, ",")}
		for _, s := range Compute(w).Sessions {
			if s.Address.IsValid() {
				sessions = append(sessions, s)
			}
			problem += s.Problem
		}
		return sessions, problem
	}
	if sessions, problem := annotate(list); len(sessions) != 64 || problem != "" {
		t.Errorf("%d sessions, %s", len(sessions), problem)
	}
	want := "annotation example.com/routers of node n1: it names more than 64 routers, and the first 64 count"
	for range 2 {
		list, addr = append(list, addr.String()), addr.Next()
		if sessions, problem := annotate(list); len(sessions) != 64 || problem != want {
			t.Errorf("of %d routers there are %d sessions, and it is said: %s", len(list), len(sessions), problem)
		}
	}
}

// An address that no router can have is a mistake like any other: the sessions that run stay.
func TestSessions_FromAnnotationWithAnAddressOfNoRouter(t *testing.T) {
	for text, words := range map[string]string{
		"0.0.0.0": "is not the address of a router", "::": "is not the address of a router", "224.0.0.5": "is not the address of a router",
		"ff02::2%eth0": "only a link-local IPv6 address does", "fe80::1": "as in fe80::1%eth0", "192.0.2.1, fe80::1": "as in fe80::1%eth0",
	} {
		w := cluster()
		w.Peers[0].Address, w.Peers[0].NodeAnnotation = netip.Addr{}, "example.com/routers"
		w.node("n1").Annotations = map[string]string{"example.com/routers": text}
		got := Compute(w).Sessions[0]
		if got.Name != "router" || got.Address.IsValid() || !got.RoutersUnknown || !strings.Contains(got.Problem, words) {
			t.Errorf("%q: session %q with %v, unknown: %t, problem %q", text, got.Name, got.Address, got.RoutersUnknown, got.Problem)
		}
	}
}

// Which family the router has is known on the node alone. A session that runs stays as it is, and so does its BFD.
func TestSessions_SourceThatCannotReachTheAnnotatedRouter(t *testing.T) {
	for router, want := range map[string]string{
		"2001:db8::1": "the source address 192.0.2.11 and the router's address 2001:db8::1 are not of one family", "192.0.2.1": "",
	} {
		w := cluster()
		w.OwnLinks = ownLinks()
		w.Peers[0].Address, w.Peers[0].NodeAnnotation, w.Peers[0].Source = netip.Addr{}, "example.com/routers", netip.MustParseAddr("192.0.2.11")
		w.node("n1").Annotations = map[string]string{"example.com/routers": router}
		if got := Compute(w).Sessions[0].Problem; got != want {
			t.Errorf("%s: problem %q, want %q", router, got, want)
		}
	}
}

// BFD over several hops with a link-local address does not exist (RFC 5883): the executor would refuse it, and with bfdStrict no session
// would ever be established.
func TestSessions_LinkLocalRouterIsOneHopAwayWhateverIsSaid(t *testing.T) {
	for router, want := range map[string]bool{"fe80::1%eth0": false, "169.254.0.1": false, "198.51.100.1": true} {
		w := cluster()
		w.Peers[0].Address, w.Peers[0].MultiHop = netip.MustParseAddr(router), true
		if got := Compute(w).Sessions[0].MultiHopBFD; got != want {
			t.Errorf("%s: over several hops: %t", router, got)
		}
	}
}

// The router IDs are unicast addresses, and no two nodes of a cluster have the same.
func TestRouterID_WithoutAnIPv4Address(t *testing.T) {
	seen := map[netip.Addr]bool{}
	for i := range 500 {
		id := routerID(&lb.Node{Name: fmt.Sprintf("node-%d", i)})
		if !id.IsGlobalUnicast() || id.As4()[0] == 0 || id.As4()[0] > 223 || seen[id] {
			t.Errorf("node-%d has %s", i, id)
		}
		seen[id] = true
	}
}
