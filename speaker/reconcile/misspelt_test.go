package reconcile

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/core/announce"
	"github.com/daymark-lb/daymark/internal/core/lb"
	"github.com/daymark-lb/daymark/speaker/bgp"
)

// peerEdits change a BGPPeer, by what they change.
type peerEdits map[string]func(*v1beta1.BGPPeerSpec)

// misspelt edits name what the node does not have.
func misspelt() peerEdits {
	from := func(from *v1beta1.PeerFrom) func(*v1beta1.BGPPeerSpec) {
		return func(s *v1beta1.BGPPeerSpec) { s.PeerAddress, s.PeerFrom = "", from }
	}
	ipv4, ipv6 := v1beta1.IPv4, v1beta1.IPv6
	return peerEdits{
		"nothing":              func(*v1beta1.BGPPeerSpec) {},
		"VRF":                  func(s *v1beta1.BGPPeerSpec) { s.VRF = "rde" },
		"IPv4 default gateway": from(&v1beta1.PeerFrom{DefaultGateway: &ipv4}),
		"IPv6 default gateway": from(&v1beta1.PeerFrom{DefaultGateway: &ipv6}),
		"routers":              from(&v1beta1.PeerFrom{NodeAnnotation: "example.com/word"}),
		"source interface":     func(s *v1beta1.BGPPeerSpec) { s.SourceFrom = &v1beta1.SourceFrom{Interface: "etth0"} },
		"source annotation":    func(s *v1beta1.BGPPeerSpec) { s.SourceFrom = &v1beta1.SourceFrom{NodeAnnotation: "example.com/none"} },
		"router ID": func(s *v1beta1.BGPPeerSpec) {
			s.RouterIDFrom = &v1beta1.RouterIDFrom{NodeAnnotation: "example.com/none"}
		},
	}
}

// One or two mistakes are made in a BGPPeer, and then the speaker restarts: its session begins anew as it was.
func TestLoop_MistakesEndNoSessionAtARestart(t *testing.T) {
	for was, before := range (peerEdits{
		"by IPv4":           func(*v1beta1.BGPPeerSpec) {},
		"by IPv6":           func(s *v1beta1.BGPPeerSpec) { s.PeerAddress = "2001:db8::1" },
		"on the link":       func(s *v1beta1.BGPPeerSpec) { s.PeerAddress = "fe80::1%eth0" },
		"in a VRF":          func(s *v1beta1.BGPPeerSpec) { s.VRF = "red" },
		"from an interface": func(s *v1beta1.BGPPeerSpec) { s.SourceFrom = &v1beta1.SourceFrom{Interface: "eth0"} },
	}) {
		for one, first := range misspelt() {
			for other, second := range misspelt() {
				if one < other {
					t.Run(was+", "+one+", "+other, func(t *testing.T) {
						testMistakes(t, before, func(s *v1beta1.BGPPeerSpec) { before(s); first(s); second(s) })
					})
				}
			}
		}
	}
}

func testMistakes(t *testing.T, before, after func(*v1beta1.BGPPeerSpec)) {
	f := newFixture(t)
	run := func(f *fixture, as func(*v1beta1.BGPPeerSpec)) (session *announce.Session) {
		f.own, f.annotations, f.changePeer = []lb.Link{{Name: "red", Index: 9}}, map[string]string{"example.com/word": "word"}, as
		f.pass(t)
		for i := range f.bgp.desired {
			if s := &f.bgp.desired[i]; s.Address.IsValid() && s.Problem == "" {
				session = s
			}
		}
		if session == nil {
			t.Fatalf("no session: %q", f.bgp.desired[0].Problem)
		}
		return session
	}
	was := run(f, before)
	f.bgp.status = []bgp.Status{{Name: was.Name, Peer: was.Peer, Address: was.Address.String(), State: v1beta1.BGPEstablished}}
	f.pass(t)
	if is := run(f, after); bgp.Resets(was, is) {
		t.Errorf("it is reset before the restart: %+v", is)
	}
	again := newFixture(t)
	again.reported = &v1beta1.Speaker{ObjectMeta: metav1.ObjectMeta{Name: "n1"}, Status: f.reporter.newest.Status}
	if is := run(again, after); bgp.Resets(was, is) {
		t.Errorf("after the restart it is %+v, and was %+v", is, was)
	}
}
