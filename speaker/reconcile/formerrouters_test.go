package reconcile

import (
	"slices"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/core/lb"
	"github.com/daymark-lb/daymark/speaker/bgp"
)

// A speaker that starts while the node has no default gateway begins with the session that its Speaker object has.
func TestLoop_SessionWithAGatewayThatIsGoneOutlivesTheProcess(t *testing.T) {
	for _, row := range []struct {
		name, reported, want string
	}{
		{"nothing was reported", "", ""},
		{"a router", "192.0.2.1", "router/192.0.2.1"},
		{"a router of the other family, which may be meant", "2001:db8::1", "router/2001:db8::1"},
		{"nonsense", "router", ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			f, family := newFixture(t), v1beta1.IPv4
			f.changePeer = func(s *v1beta1.BGPPeerSpec) {
				s.PeerAddress, s.PeerFrom = "", &v1beta1.PeerFrom{DefaultGateway: &family}
			}
			f.reported = &v1beta1.Speaker{ObjectMeta: metav1.ObjectMeta{Name: "n1"}}
			f.reported.Status.BGP = []v1beta1.BGPSession{{Peer: "router", Address: row.reported, State: v1beta1.BGPEstablished}}
			for range 2 {
				f.pass(t)
				got := ""
				for i := range f.bgp.desired {
					if s := &f.bgp.desired[i]; s.Address.IsValid() && s.Problem == "" {
						got += s.Name
						if want := []lb.Family{lb.FamilyOf(s.Address)}; !slices.Equal(s.Families, want) {
							t.Errorf("families %v, want %v", s.Families, want)
						}
					}
				}
				if got != row.want {
					t.Errorf("sessions %q, want %q", got, row.want)
				}
				f.bgp.status = []bgp.Status{{Name: "router/" + row.reported, Peer: "router", Address: row.reported, State: v1beta1.BGPActive}}
			}
		})
	}
}

// A BGPPeer comes to name a VRF that the node does not have: its sessions go on in the one that they were in, also after a restart of the speaker,
// which finds it in the Speaker object.
func TestLoop_SessionGoesOnInItsVRF(t *testing.T) {
	run := func(reported *v1beta1.Speaker, vrf string) *fixture {
		f := newFixture(t)
		f.reported, f.own = reported, []lb.Link{{Name: "red", Index: 9}}
		f.changePeer = func(s *v1beta1.BGPPeerSpec) { s.VRF = vrf }
		f.bgp.status = []bgp.Status{{Name: "router", Peer: "router", Address: "192.0.2.1", State: v1beta1.BGPEstablished}}
		f.pass(t)
		return f
	}
	expect := func(f *fixture, when, vrf string) *v1beta1.Speaker {
		t.Helper()
		said := f.reporter.newest.Status.BGP[0].VRF
		if s := f.bgp.desired[0]; s.Problem != "" || s.VRF != vrf || said == nil || *said != vrf {
			t.Errorf("%s: VRF %q, problem %q, said %v", when, s.VRF, s.Problem, said)
		}
		return &v1beta1.Speaker{ObjectMeta: metav1.ObjectMeta{Name: "n1"}, Status: f.reporter.newest.Status}
	}
	misspell := func(s *v1beta1.BGPPeerSpec) { s.VRF = "rde" }
	f := run(nil, "red")
	expect(f, "in a VRF", "red")
	f.changePeer = misspell
	f.pass(t)
	reported := expect(f, "misspelt", "red")
	reported = expect(run(reported, "rde"), "after a restart", "red")
	expect(run(reported, "rde"), "after another", "red")

	f = run(nil, "")
	if said := f.reporter.newest.Status.BGP[0].VRF; said != nil {
		t.Errorf("without a VRF: said %q", *said)
	}
	f.changePeer = misspell
	f.pass(t)
	expect(run(expect(f, "misspelt, and none before", ""), "rde"), "after a restart", "")

	f = run(nil, "rde")
	if s, said := f.bgp.desired[0], f.reporter.newest.Status.BGP[0].VRF; s.Problem == "" || said != nil {
		t.Errorf("a VRF that was never there: problem %q, said %v", s.Problem, said)
	}
}
