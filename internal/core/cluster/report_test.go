package cluster

import (
	"maps"
	"net/netip"
	"slices"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/core/announce"
	"github.com/daymark-lb/daymark/internal/core/ipam"
	"github.com/daymark-lb/daymark/internal/core/lb"
)

// speaker makes the Speaker object of a node.
func speaker(node string, change func(*v1beta1.SpeakerStatus)) *v1beta1.Speaker {
	s := &v1beta1.Speaker{ObjectMeta: metav1.ObjectMeta{Name: node}}
	change(&s.Status)
	return s
}

func known(s *v1beta1.SpeakerStatus) {
	s.Conditions = []metav1.Condition{{Type: v1beta1.ConditionMembershipKnown, Status: metav1.ConditionTrue}}
}

// gone is what the controller writes about a speaker that is gone.
func gone(s *v1beta1.SpeakerStatus) {
	s.Conditions = append(s.Conditions, metav1.Condition{
		Type: v1beta1.ConditionReady, Status: metav1.ConditionUnknown, Reason: v1beta1.ReasonSpeakerGone,
	})
}

func session(peer string, state v1beta1.BGPSessionState) func(*v1beta1.SpeakerStatus) {
	return func(s *v1beta1.SpeakerStatus) {
		s.BGP = append(s.BGP, v1beta1.BGPSession{Peer: peer, State: state})
	}
}

func TestReport(t *testing.T) {
	for _, test := range []struct {
		name     string
		node     lb.Node
		speaker  *v1beta1.Speaker
		alive    bool
		sessions map[string]bool // nil: the speaker is left out
	}{
		{"a speaker that knows the others can hold addresses", lb.Node{Name: "n1"}, speaker("n1", known), true, map[string]bool{}},
		{"one that does not cannot", lb.Node{Name: "n1"}, speaker("n1", func(*v1beta1.SpeakerStatus) {}), false, map[string]bool{}},
		{"that of a node that is down is left out", lb.Node{Name: "n1", Down: true}, speaker("n1", known), false, nil},
		{
			"that of a speaker which is gone is left out",
			lb.Node{Name: "n1"},
			speaker("n1", func(s *v1beta1.SpeakerStatus) { known(s); gone(s); session("tor", v1beta1.BGPEstablished)(s) }), false, nil,
		},
		{"one without a Node is not", lb.Node{Name: "other"}, speaker("n1", known), true, map[string]bool{}},
		{
			"a session that is established",
			lb.Node{Name: "n1"},
			speaker("n1", session("tor", v1beta1.BGPEstablished)),
			false,
			map[string]bool{"tor": true},
		},
		{
			"one of two sessions with a peer is enough", lb.Node{Name: "n1"}, speaker("n1", func(s *v1beta1.SpeakerStatus) {
				session("tor", v1beta1.BGPEstablished)(s)
				session("tor", v1beta1.BGPActive)(s)
			}), false, map[string]bool{"tor": true},
		},
		{
			"a session that is not",
			lb.Node{Name: "n1"},
			speaker("n1", session("tor", v1beta1.BGPActive)),
			false,
			map[string]bool{"tor": false},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			members, established := Report(Present([]*lb.Node{&test.node}, []*v1beta1.Speaker{test.speaker}))
			if alive := slices.Contains(members.Alive, "n1"); alive != test.alive || !members.Known {
				t.Errorf("members %+v", members)
			}
			got, there := established["n1"]
			if there != (test.sessions != nil) || !maps.Equal(got, test.sessions) {
				t.Errorf("sessions %v, want %v", established, test.sessions)
			}
		})
	}
}

func TestConflicts_FirstNodeByNameCounts(t *testing.T) {
	conflict := func(address, mac string) func(*v1beta1.SpeakerStatus) {
		return func(s *v1beta1.SpeakerStatus) {
			s.Layer2.Conflicts = []v1beta1.AddressConflict{{Address: address, MAC: mac, Node: "n7", NodeInterface: "eth1"}}
		}
	}
	speakers := []*v1beta1.Speaker{
		speaker("n2", conflict("192.0.2.1", "mac2")), speaker("n1", conflict("192.0.2.1", "mac1")), speaker("n3", conflict("nonsense", "mac3")),
	}
	for range 2 {
		got := Conflicts(Present(nil, speakers), nil)
		if c := got[netip.MustParseAddr("192.0.2.1")]; len(got) != 1 || c.Node != "n1" || c.MAC != "mac1" || c.By != "n7" || c.ByInterface != "eth1" {
			t.Errorf("conflicts %+v", got)
		}
		slices.Reverse(speakers)
	}
}

// A speaker that does not hear the gossip of the others takes their answers for those of strangers.
func TestConflicts_OfAnAddressThatANodeHoldsAreThoseThatItAnnouncesAllTheSame(t *testing.T) {
	conflict := func(announced bool) func(*v1beta1.SpeakerStatus) {
		return func(s *v1beta1.SpeakerStatus) {
			s.Layer2.Conflicts = []v1beta1.AddressConflict{{Address: "192.0.2.1", MAC: "mac", Announced: announced}}
		}
	}
	holds := speaker("n2", func(s *v1beta1.SpeakerStatus) { s.Layer2.Held = []v1beta1.HeldAddress{{Address: "192.0.2.1"}} })
	hears := speaker("n3", func(s *v1beta1.SpeakerStatus) { s.HeardOnDownNodes = []string{"n1", "n2"} })
	down := func(node string) []*lb.Node { return []*lb.Node{{Name: node, Down: true}} }
	for _, test := range []struct {
		name     string
		nodes    []*lb.Node
		speakers []*v1beta1.Speaker
		want     int
	}{
		{"nobody holds it", nil, []*v1beta1.Speaker{speaker("n1", conflict(false))}, 1},
		{"another holds it", nil, []*v1beta1.Speaker{speaker("n1", conflict(false)), holds}, 0},
		{"another holds it that is down", down("n2"), []*v1beta1.Speaker{speaker("n1", conflict(false)), holds}, 1},
		{"another holds it whose kubelet is stopped", down("n2"), []*v1beta1.Speaker{speaker("n1", conflict(false)), holds, hears}, 0},
		{"the holder announces it all the same", nil, []*v1beta1.Speaker{speaker("n1", conflict(true)), holds}, 1},
		{"the holder of before did, and is down", down("n1"), []*v1beta1.Speaker{speaker("n1", conflict(true)), holds}, 0},
		{"the holder's kubelet is stopped", down("n1"), []*v1beta1.Speaker{speaker("n1", conflict(true)), hears}, 1},
	} {
		if got := Conflicts(Present(test.nodes, test.speakers), nil); len(got) != test.want {
			t.Errorf("%s: %+v", test.name, got)
		}
	}
}

func TestStandIns_AreThoseOfSpeakersThatAreThere(t *testing.T) {
	held := func(address, standsInFor string) func(*v1beta1.SpeakerStatus) {
		return func(s *v1beta1.SpeakerStatus) {
			s.Layer2.Held = []v1beta1.HeldAddress{{Address: address, StandsInFor: standsInFor}}
		}
	}
	gone := speaker("n4", held("192.0.2.1", "n1"))
	gone.Status.Conditions = []metav1.Condition{{Type: v1beta1.ConditionReady, Status: metav1.ConditionUnknown, Reason: v1beta1.ReasonSpeakerGone}}
	got := StandIns(Present([]*lb.Node{{Name: "n1"}, {Name: "n5", Down: true}}, []*v1beta1.Speaker{
		speaker("n1", held("192.0.2.1", "")), speaker("n3", held("192.0.2.1", "n1")), gone, speaker("n2", held("192.0.2.1", "n1")),
		speaker("n5", held("192.0.2.1", "n1")),
	}))
	if want := []announce.StandIn{{Node: "n2", Holder: "n1"}, {Node: "n3", Holder: "n1"}}; len(got) != 1 || !slices.Equal(got[netip.MustParseAddr("192.0.2.1")], want) {
		t.Errorf("they are %v", got)
	}
}

func TestReportedWorld_NodeAddressesAreThoseOfNodesThatAreUp(t *testing.T) {
	has := func(node string) *v1beta1.Speaker {
		return speaker(node, func(s *v1beta1.SpeakerStatus) {
			s.Network.ServiceAddresses = []v1beta1.NodeServiceAddress{{Address: "192.0.2.1", Interface: "eth0"}}
		})
	}
	vip := netip.MustParseAddr("192.0.2.1")
	for down, want := range map[string]string{"": "n1", "n1": "n2"} {
		got := nodeAddresses([]*lb.Node{{Name: "n1", Down: down == "n1"}, {Name: "n2"}}, []*v1beta1.Speaker{has("n2"), has("n1")}, nil)
		if got[vip].Node != want || got[vip].Interface != "eth0" {
			t.Errorf("while %q is down, it is said to be on %v", down, got[vip])
		}
	}
}

func TestReportedWorld_LostAddressOfANodeComesAfterOneThatItHas(t *testing.T) {
	vip := netip.MustParseAddr("192.0.2.1")
	has := func(node string, lost bool) *v1beta1.Speaker {
		return speaker(node, func(s *v1beta1.SpeakerStatus) {
			s.Network.ServiceAddresses = []v1beta1.NodeServiceAddress{{Address: "192.0.2.1", Interface: "eth0", Lost: lost}}
		})
	}
	nodes := []*lb.Node{{Name: "n1"}, {Name: "n2"}}
	for _, speakers := range [][]*v1beta1.Speaker{{has("n1", true), has("n2", false)}, {has("n2", false), has("n1", true)}} {
		if got := nodeAddresses(nodes, speakers, nil)[vip]; got != (announce.NodeAddress{Node: "n2", Interface: "eth0"}) {
			t.Errorf("it is said to be at %+v", got)
		}
	}
	if got := nodeAddresses(nodes, []*v1beta1.Speaker{has("n2", true), has("n1", true)}, nil)[vip]; got != (announce.NodeAddress{Node: "n1", Interface: "eth0", Lost: true}) {
		t.Errorf("lost by both, it is said to be at %+v", got)
	}
}

func TestReportedWorld_SaysWhichInterfacesThereAre(t *testing.T) {
	o := Parse(objects())
	o.L2Advertisements[0].Interfaces = []string{"nope0"}
	explain := func() announce.Explanation {
		world := o.ReportedWorld(lb.Classes{Classless: true}, announce.Options{})
		return announce.NewExplainer(&world).Explain(world.Services[0])
	}
	if got := explain(); !got.Announced {
		t.Errorf("of a speaker that reports no interface: %+v", got)
	}
	network := &o.Speakers[0].Status.Network
	network.Interfaces = []v1beta1.NodeInterface{{Name: "eth0", Families: []v1beta1.AddressFamily{"IPv4"}}}
	if got := explain(); got.Announced || !strings.Contains(got.Message, "the nodes have eth0") {
		t.Errorf("of an interface that does not exist: %+v", got)
	}
	o.L2Advertisements[0].Interfaces = []string{"eth*"}
	if got := explain(); !got.Announced {
		t.Errorf("of one that does: %+v", got)
	}
	network.Interfaces[0].Families = []v1beta1.AddressFamily{"IPv6"}
	if got := explain(); got.Announced {
		t.Errorf("of one that speaks only IPv6: %+v", got)
	}
}

func TestConflicts_OneMACForSeveralAddressesIsAProxy(t *testing.T) {
	conflict := func(addr, mac string) func(*v1beta1.SpeakerStatus) {
		return func(s *v1beta1.SpeakerStatus) {
			s.Layer2.Conflicts = []v1beta1.AddressConflict{{Address: addr, MAC: mac, Interface: "eth0"}}
		}
	}
	speakers := []*v1beta1.Speaker{
		speaker("n1", conflict("192.0.2.1", "02:00:00:00:00:09")), speaker("n2", conflict("192.0.2.2", "02:00:00:00:00:09")),
		speaker("n3", conflict("192.0.2.3", "02:00:00:00:00:08")),
	}
	for addr, c := range Conflicts(Present(nil, speakers), nil) {
		if c.Proxy {
			t.Errorf("two addresses make a proxy of the host of %v", addr)
		}
	}
	speakers = append(speakers, speaker("n4", conflict("192.0.2.4", "02:00:00:00:00:09")))
	for addr, c := range Conflicts(Present(nil, speakers), nil) {
		if c.Proxy != (c.MAC == "02:00:00:00:00:09") {
			t.Errorf("the host of %v is %+v", addr, c)
		}
	}
}

func TestReport_NodesWhoseServiceProxyFails(t *testing.T) {
	proxy := func(is metav1.ConditionStatus, reason string) func(*v1beta1.SpeakerStatus) {
		return func(s *v1beta1.SpeakerStatus) {
			s.Conditions = append(s.Conditions, metav1.Condition{Type: v1beta1.ConditionServiceProxyUnhealthy, Status: is, Reason: reason})
		}
	}
	o := &Objects{Speakers: []*v1beta1.Speaker{
		speaker("n1", proxy(metav1.ConditionFalse, "Works")),
		speaker("n2", proxy(metav1.ConditionTrue, v1beta1.ReasonAttractsNothing)),
		speaker("n3", proxy(metav1.ConditionTrue, v1beta1.ReasonFailsOnMostNodes)),
		speaker("n4", func(s *v1beta1.SpeakerStatus) { proxy(metav1.ConditionTrue, v1beta1.ReasonAttractsNothing)(s); gone(s) }),
	}}
	if got := o.ReportedWorld(lb.Classes{}, announce.Options{}).ProxyUnhealthy; !maps.Equal(got, map[string]bool{"n2": true}) {
		t.Errorf("unhealthy are %v", got)
	}
}

func TestReportedWorld_WhatIsBeyondTheListsOfASpeakerIsNotAnnounced(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(*v1beta1.SpeakerStatus)
		reason string // empty: announced
	}{
		{"nothing is beyond them", func(*v1beta1.SpeakerStatus) {}, ""},
		{"a conflict", func(s *v1beta1.SpeakerStatus) { s.Layer2.MoreConflicts = []string{"192.0.2.0/24"} }, announce.ReasonAddressConflict.Name},
		{"conflicts about others", func(s *v1beta1.SpeakerStatus) { s.Layer2.MoreConflicts = []string{"198.51.100.0/24", "nonsense"} }, ""},
		{"a speaker that is gone", func(s *v1beta1.SpeakerStatus) { s.Layer2.MoreConflicts = []string{"192.0.2.0/24"}; gone(s) }, ""},
		{"a range covers it that somebody holds", func(s *v1beta1.SpeakerStatus) {
			s.Layer2.MoreConflicts = []string{"192.0.2.0/24"}
			s.Layer2.Held = []v1beta1.HeldAddress{{Address: "192.0.2.1"}}
		}, ""},
		{"an address of a node", func(s *v1beta1.SpeakerStatus) { s.Network.MoreServiceAddresses = []string{"192.0.2.1"} }, announce.ReasonNodeHasAddress.Name},
	} {
		t.Run(test.name, func(t *testing.T) {
			o := Parse(objects())
			o.Speakers = append(o.Speakers, speaker("n9", test.change))
			world := o.ReportedWorld(lb.Classes{Classless: true}, announce.Options{})
			got := announce.NewExplainer(&world).Explain(world.Services[0])
			if got.Announced != (test.reason == "") || !got.Announced && (got.Reason != test.reason || !strings.Contains(got.Message, "n9")) {
				t.Errorf("it is explained as %+v", got)
			}
		})
	}
}

// The API server takes a node for down whose kubelet is stopped, or does not reach it.
func TestReportedWorld_NodeWhoseSpeakerIsHeardIsNotDown(t *testing.T) {
	vip := netip.MustParseAddr("192.0.2.1")
	hears := func(s *v1beta1.SpeakerStatus) { s.HeardOnDownNodes = []string{"n2"} }
	for _, test := range []struct {
		name    string
		witness *v1beta1.Speaker
		// itself is what the speaker of the node says besides.
		itself func(*v1beta1.SpeakerStatus)
		heard  bool
	}{
		{"nobody hears it", speaker("n1", known), func(*v1beta1.SpeakerStatus) {}, false},
		{"another speaker does", speaker("n1", hears), func(*v1beta1.SpeakerStatus) {}, true},
		{"one that is gone did", speaker("n1", func(s *v1beta1.SpeakerStatus) { hears(s); gone(s) }), func(*v1beta1.SpeakerStatus) {}, false},
		{"one on a node that is down did", speaker("n3", hears), func(*v1beta1.SpeakerStatus) {}, false},
		{"it said so itself", speaker("n1", known), hears, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			of := speaker("n2", func(s *v1beta1.SpeakerStatus) {
				known(s)
				s.Network.ServiceAddresses = []v1beta1.NodeServiceAddress{{Address: vip.String(), Interface: "eth0"}}
				s.Layer2 = v1beta1.SpeakerLayer2{IPv4: 1, Held: []v1beta1.HeldAddress{{Address: "192.0.2.2"}}}
				s.BGP, s.Withdrawn = []v1beta1.BGPSession{{Peer: "tor", State: v1beta1.BGPEstablished}}, "7"
				test.itself(s)
			})
			nodes, speakers := []*lb.Node{{Name: "n1"}, {Name: "n2", Down: true}, {Name: "n3", Down: true}}, []*v1beta1.Speaker{of, test.witness}
			if got := nodeAddresses(nodes, speakers, nil)[vip].Node == "n2"; got != test.heard {
				t.Errorf("the address is the node's: %t", got)
			}
			members, established := Report(Present(nodes, speakers))
			if got := slices.Contains(members.Alive, "n2"); got != test.heard || established["n2"]["tor"] != test.heard {
				t.Errorf("its speaker is alive: %t, with the sessions %v", got, established["n2"])
			}
			if holders, _ := ReportedHoldings(nodes, speakers).Of(netip.MustParseAddr("192.0.2.2")); (holders == 1) != test.heard {
				t.Errorf("%d hold its address", holders)
			}
			if got := slices.ContainsFunc(withdrawals(nodes, speakers), func(w ipam.Withdrawal) bool { return w.Node == "n2" }); got != test.heard {
				t.Errorf("it is waited for: %t", got)
			}
		})
	}
}
