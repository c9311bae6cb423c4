package announce

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/core/lb"
)

// What an advertisement listed before goes on while it lists a name that is unknown.
func TestCompute_MisspeltNamesWithdrawNothing(t *testing.T) {
	for _, test := range []struct {
		name        string
		before, now [2]string // pool and peer
		announced   bool
	}{
		{"another pool that exists", [2]string{"wan", "router"}, [2]string{"lan", "router"}, false},
		{"a misspelt pool", [2]string{"wan", "router"}, [2]string{"wna", "router"}, true},
		{"a misspelt peer", [2]string{"wan", "router"}, [2]string{"wan", "rotuer"}, true},
		{"names that never existed", [2]string{"wna", "rotuer"}, [2]string{"wna", "rotuer"}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := cluster()
			s := w.add("web", "198.19.0.1", everyNode...)
			w.BGPAdvertisements = []*lb.BGPAdvertisement{bgpAdvertisement("bgp", 1, func(spec *v1beta1.BGPAdvertisementSpec) {
				spec.IPAddressPools, spec.Peers = []string{test.now[0]}, []string{test.now[1]}
			})}
			accepted := bgpAdvertisement("bgp", 1, nil)
			accepted.Pools, accepted.Peers = []string{test.before[0]}, []string{test.before[1]}
			w.BGPAdvertisements[0].Accepted = accepted
			if got := len(Compute(w).Sessions[0].Paths) > 0; got != test.announced {
				t.Errorf("the address is announced: %t, want %t", got, test.announced)
			}
			if got := NewExplainer(w).Explain(s); (got.Reason == "Announced") != test.announced {
				t.Errorf("explained as %s: %s", got.Reason, got.Message)
			}
		})
	}
}

// An interface exists where it can answer: of the own node all links are known, most of them those of its containers.
func TestCompute_MisspeltInterfacesWithdrawNothing(t *testing.T) {
	uplink := func(name string) lb.Link {
		return lb.Link{Name: name, Up: true, Addresses: []netip.Prefix{netip.MustParsePrefix("192.0.2.11/24")}}
	}
	crowded := []lb.Link{uplink("eth0"), {Name: "eno2"}}
	for i := range 40 {
		crowded = append(crowded, lb.Link{Name: fmt.Sprintf("veth%d", i), Up: true})
	}
	for now, announced := range map[string]bool{"eht0": true, "eno2": true, "veth1": false} {
		w := cluster()
		w.add("web", "192.0.2.201", everyNode...)
		w.OwnLinks, w.Links = crowded, map[string][]lb.Link{"n1": crowded, "n2": {uplink("eth0")}, "n3": {uplink("eth0")}}
		w.L2Advertisements[0].Interfaces = []string{now}
		accepted := *w.L2Advertisements[0]
		accepted.Interfaces = []string{"eth0"}
		w.L2Advertisements[0].Accepted = &accepted
		on := Compute(w).Contests[0].Interfaces
		if got := slices.Contains(on, "eth0"); got != announced {
			t.Errorf("with %s the address is announced on %v", now, on)
		}
	}
}

// What a BGPPeer said before goes on while no node could have a session by what it says now.
func TestCompute_MistakesInAPeerEndNoSession(t *testing.T) {
	nowhere := lb.ParsePeer(&v1beta1.BGPPeer{Spec: v1beta1.BGPPeerSpec{
		NodeSelectors: []v1beta1.LabelSelector{{MatchLabels: map[string]v1beta1.LabelValue{"rack": "none"}}},
	}}).NodeSelectors
	for name, change := range map[string]func(*lb.Peer){
		"selectors that match no node":    func(p *lb.Peer) { p.NodeSelectors = nowhere },
		"an annotation that no node has":  func(p *lb.Peer) { p.NodeAnnotation = "example.com/routr" },
		"and it is Down at the same time": func(p *lb.Peer) { p.NodeSelectors, p.AdminState = nowhere, v1beta1.AdminDown },
		"an annotation that only n2 has":  func(p *lb.Peer) { p.NodeAnnotation = "example.com/other" },
	} {
		t.Run(name, func(t *testing.T) {
			w := cluster()
			s := w.add("web", "198.19.0.1", everyNode...)
			before := *w.Peers[0]
			before.Address, before.NodeAnnotation, before.Generation = netip.Addr{}, "example.com/router", 1
			now := before
			now.Generation, now.Accepted = 2, &before
			change(&now)
			w.Peers[0] = &now
			w.node("n1").Annotations = map[string]string{"example.com/router": "192.0.2.1"}
			w.node("n2").Annotations = map[string]string{"example.com/other": "192.0.2.1"}
			sessions := Compute(w).Sessions
			wish := now.NodeAnnotation == "example.com/other" // n2 has it: that n1 has not may be meant
			if len(sessions) != 1 || (sessions[0].Name != "router/192.0.2.1") != wish || sessions[0].AdminState != now.AdminState {
				t.Errorf("sessions: %+v", sessions)
			}
			if got := NewExplainer(w).Explain(s); (got.Reason == "Announced") != (now.AdminState == v1beta1.AdminUp) {
				t.Errorf("explained as %s: %s", got.Reason, got.Message)
			}
		})
	}
}

// An advertisement that is new and names no peer that exists asks nothing of what others announce: to hold that back would withdraw what runs.
func TestCompute_NewAdvertisementToNobodyWithdrawsNothing(t *testing.T) {
	w := cluster()
	w.add("web", "198.19.0.1", everyNode...)
	added := bgpAdvertisement("added", 2, func(spec *v1beta1.BGPAdvertisementSpec) {
		spec.IPAddressPools, spec.Peers, spec.Communities = []string{"wan"}, []string{"rotuer"}, []string{"no-export"}
	})
	before := Compute(w).Sessions[0].Paths
	w.BGPAdvertisements = append(w.BGPAdvertisements, added)
	if got := Compute(w).Sessions[0].Paths; len(got) != 1 || len(got) != len(before) || len(got[0].Attributes.Communities) > 0 {
		t.Errorf("the paths were %v and are %v", before, got)
	}
}
