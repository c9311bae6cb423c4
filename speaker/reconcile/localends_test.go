package reconcile

import (
	"errors"
	"net/netip"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/core/lb"
	"github.com/daymark-lb/daymark/speaker/bgp"
)

// An annotation that a BGPPeer names is removed: the session goes on with what it gave, and so it does after a restart of the speaker, which
// finds it in the Speaker object.
func TestLoop_SourceAndRouterIDGoOnWithoutTheirAnnotation(t *testing.T) {
	newRun := func(reported *v1beta1.Speaker, annotations map[string]string) *fixture {
		f := newFixture(t)
		f.own = []lb.Link{loopbackWith("203.0.113.1", "203.0.113.2")}
		f.reported, f.sourceAnnotation, f.annotations = reported, "example.com/loopback", annotations
		f.bgp.status = []bgp.Status{{Name: "router", Peer: "router", Address: "192.0.2.1", State: v1beta1.BGPEstablished}}
		f.pass(t)
		return f
	}
	expect := func(f *fixture, when, addr string) *v1beta1.Speaker {
		t.Helper()
		s, said := f.bgp.desired[0], f.reporter.newest.Status.BGP[0]
		if s.Problem != "" || s.Source.String() != addr || s.RouterID.String() != addr {
			t.Errorf("%s: source %s, router ID %s, problem %q", when, s.Source, s.RouterID, s.Problem)
		}
		if said.Source != addr || said.RouterID != addr {
			t.Errorf("%s: the Speaker says source %q and router ID %q", when, said.Source, said.RouterID)
		}
		return &v1beta1.Speaker{ObjectMeta: metav1.ObjectMeta{Name: "n1"}, Status: f.reporter.newest.Status}
	}
	f := newRun(nil, map[string]string{"example.com/loopback": "203.0.113.1"})
	expect(f, "with the annotation", "203.0.113.1")
	f.annotations = nil
	f.pass(t)
	reported := expect(f, "without it", "203.0.113.1")

	f = newRun(reported, nil)
	expect(f, "after a restart", "203.0.113.1")
	if warnings := strings.Join(f.bgp.desired[0].Warnings, "; "); !strings.Contains(warnings, "node n1 has no annotation example.com/loopback: 203.0.113.1, which it had, goes on") {
		t.Errorf("warnings %q", warnings)
	}
	f.pass(t)
	reported = expect(f, "in the next pass", "203.0.113.1")

	f = newRun(reported, map[string]string{"example.com/loopback": "203.0.113.2"})
	expect(f, "with another annotation after a restart", "203.0.113.2")

	f = newRun(nil, nil)
	if s, said := f.bgp.desired[0], f.reporter.newest.Status.BGP[0]; s.Problem == "" || said.Source != "" || said.RouterID != "" {
		t.Errorf("without an object and an annotation: problem %q, source %q, router ID %q", s.Problem, said.Source, said.RouterID)
	}
	reported.Status.BGP[0].Source, reported.Status.BGP[0].RouterID = "nonsense", "::1"
	if f = newRun(reported, nil); f.bgp.desired[0].Problem == "" {
		t.Errorf("with nonsense in the object: %+v", f.bgp.desired[0])
	}
}

// loopbackWith is the loopback interface with more addresses.
func loopbackWith(addresses ...string) lb.Link {
	link := lb.Link{Name: "lo"}
	for _, text := range addresses {
		addr := netip.MustParseAddr(text)
		link.Addresses = append(link.Addresses, netip.PrefixFrom(addr, addr.BitLen()))
	}
	return link
}

// The source address becomes one that the node does not have: its session goes on from the one before, also after a restart of the speaker. What
// has none from before is not begun, and it is said.
func TestLoop_SourceAddressThatTheNodeDoesNotHave(t *testing.T) {
	from := func(addr string) func(*v1beta1.BGPPeerSpec) {
		return func(s *v1beta1.BGPPeerSpec) { s.SourceAddress = addr }
	}
	const wrong = "sourceAddress: no interface of node n1 has 203.0.113.9"
	for before, source := range map[string]string{"203.0.113.1": "203.0.113.1", "": "invalid IP"} {
		f := newFixture(t)
		f.own = []lb.Link{loopbackWith("203.0.113.1")}
		f.changePeer = from(before)
		f.pass(t)
		expect := func(when string) {
			t.Helper()
			f.changePeer = from("203.0.113.9")
			f.bgp.status = []bgp.Status{{Name: "router", Peer: "router", Address: "192.0.2.1", State: v1beta1.BGPEstablished}}
			for range 2 {
				f.pass(t)
				if s := &f.bgp.desired[0]; s.Source.String() != source || s.Problem != "" || len(s.Warnings) != 1 || !strings.HasPrefix(s.Warnings[0], wrong) {
					t.Errorf("from %q, %s: source %s, problem %q, warnings %q", before, when, s.Source, s.Problem, s.Warnings)
				}
			}
		}
		expect("before a restart")
		reported := &v1beta1.Speaker{ObjectMeta: metav1.ObjectMeta{Name: "n1"}, Status: f.reporter.newest.Status}
		f = newFixture(t)
		f.own, f.reported = []lb.Link{loopbackWith("203.0.113.1")}, reported
		expect("after it")
	}
	f := newFixture(t)
	f.changePeer = from("203.0.113.9")
	if f.pass(t); f.bgp.desired[0].Problem != wrong {
		t.Errorf("a session that never ran has the problem %q", f.bgp.desired[0].Problem)
	}
}

// The first sourceFrom and routerIDFrom of a BGPPeer name what is not there: its session goes on as before, also after a restart of the speaker.
func TestLoop_FirstSourceFromThatIsMisspelt(t *testing.T) {
	var reported *v1beta1.Speaker
	misspell := func(s *v1beta1.BGPPeerSpec) {
		s.SourceFrom, s.RouterIDFrom = &v1beta1.SourceFrom{Interface: "etth0"}, &v1beta1.RouterIDFrom{NodeAnnotation: "example.com/id"}
	}
	for _, run := range []struct {
		when    string
		changes []func(*v1beta1.BGPPeerSpec)
	}{
		{"before a restart", []func(*v1beta1.BGPPeerSpec){nil, misspell, misspell}},
		{"after it", []func(*v1beta1.BGPPeerSpec){misspell, misspell}},
	} {
		f := newFixture(t)
		f.reported = reported
		f.bgp.status = []bgp.Status{{Name: "router", Peer: "router", Address: "192.0.2.1", State: v1beta1.BGPEstablished}}
		for _, f.changePeer = range run.changes {
			f.pass(t)
			s, said := &f.bgp.desired[0], &f.reporter.newest.Status.BGP[0]
			if s.Problem != "" || s.Source.IsValid() || s.RouterID.String() != "192.0.2.11" {
				t.Errorf("%s: source %s, router ID %s, problem %q", run.when, s.Source, s.RouterID, s.Problem)
			}
			if f.changePeer != nil && (said.Source != "0.0.0.0" || said.RouterID != "192.0.2.11" || len(s.Warnings) != 2) {
				t.Errorf("%s: the Speaker says source %q and router ID %q; warnings %q", run.when, said.Source, said.RouterID, s.Warnings)
			}
		}
		reported = &v1beta1.Speaker{ObjectMeta: metav1.ObjectMeta{Name: "n1"}, Status: f.reporter.newest.Status}
	}
	f := newFixture(t)
	f.changePeer = misspell
	if f.pass(t); f.bgp.desired[0].Problem == "" {
		t.Error("a session that never ran is begun")
	}
}

// A Node object has no InternalIP for a moment: established sessions would end if they had another BGP identifier.
func TestLoop_RouterIDOutlivesALostInternalIP(t *testing.T) {
	f := newFixture(t)
	f.bgp.status = []bgp.Status{{Name: "router", Peer: "router", Address: "192.0.2.1", State: v1beta1.BGPEstablished}}
	for _, f.noInternalIP = range []bool{false, true, true, false} {
		f.pass(t)
		if got := f.bgp.desired[0].RouterID.String(); got != "192.0.2.11" {
			t.Errorf("no InternalIP: %t: router ID %s", f.noInternalIP, got)
		}
	}
	f.noInternalIP, f.bgp.status = true, nil
	if f.pass(t); f.bgp.desired[0].RouterID.String() == "192.0.2.11" {
		t.Error("without a session the router ID is that of an address which the Node does not have")
	}
}

// One node of those that a BGPPeer selects has no such interface. That is said of the session; the speaker is ready.
func TestLoop_InterfaceOfAPeerThatTheNodeDoesNotHave(t *testing.T) {
	f := newFixture(t)
	f.routerProblems = map[string]error{"eth9": errors.New("there is no such interface")}
	f.pass(t)
	if got, want := f.bgp.desired[0].Problem, "no router can be looked for on interface eth9: there is no such interface"; got != want {
		t.Errorf("problem %q, want %q", got, want)
	}
	if ready := f.ready(); ready.Status != metav1.ConditionTrue {
		t.Errorf("Ready: %s: %s", ready.Status, ready.Message)
	}
}
