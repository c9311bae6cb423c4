package reconcile

import (
	"log/slog"
	"slices"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/bubble"
	"github.com/daymark-lb/daymark/internal/core/status"
)

// reported is the status of a speaker with one held address and one session.
func reported() *v1beta1.SpeakerStatus {
	s := &v1beta1.SpeakerStatus{
		GossipAddress: "192.0.2.11:7946", Members: 1000,
		BGP: []v1beta1.BGPSession{{Peer: "tor", State: v1beta1.BGPEstablished, IPv4: 100, IPv6: 100, Warning: "81 of 100"}},
	}
	s.Layer2.IPv4, s.Layer2.Held = 1, []v1beta1.HeldAddress{{Address: "192.0.2.200"}}
	meta.SetStatusCondition(&s.Conditions, condition(v1beta1.ConditionMembershipKnown, true, status.Known, "n7 cannot be reached"))
	meta.SetStatusCondition(&s.Conditions, condition(v1beta1.ConditionReady, true, status.Ready, "all"))
	meta.SetStatusCondition(&s.Conditions, condition(v1beta1.ConditionServiceProxyUnhealthy, false, status.ProxyWorks, "it works"))
	meta.SetStatusCondition(&s.Conditions, condition(v1beta1.ConditionSafeToStop, false, status.Leaving, "it attracts traffic"))
	return s
}

// What happens to one node is told at once, what happens to all at the same moment is not.
func TestPace_OfChanges(t *testing.T) {
	for _, test := range []struct {
		name   string
		want   pace
		change func(*v1beta1.SpeakerStatus)
	}{
		{"nothing", nothing, func(*v1beta1.SpeakerStatus) {}},
		{"a node joins or crashes", members, func(s *v1beta1.SpeakerStatus) { s.Members-- }},
		{"a node's kubelet is stopped", members, func(s *v1beta1.SpeakerStatus) { s.HeardOnDownNodes = []string{"n7"} }},
		{"somebody else is missing", counts, func(s *v1beta1.SpeakerStatus) {
			meta.SetStatusCondition(&s.Conditions, condition(v1beta1.ConditionMembershipKnown, true, status.Known, ""))
		}},
		{"the service proxies of most nodes fail", counts, func(s *v1beta1.SpeakerStatus) {
			meta.SetStatusCondition(&s.Conditions, condition(v1beta1.ConditionServiceProxyUnhealthy, true, status.ProxyFailsOnMostNodes, "no"))
		}},
		{"that of this node fails, and others are not known", counts, func(s *v1beta1.SpeakerStatus) {
			meta.SetStatusCondition(&s.Conditions, condition(v1beta1.ConditionServiceProxyUnhealthy, true, status.ProxyOthersUnknown, "no"))
		}},
		{"that of this node begins to fail, of which others read", sessions, func(s *v1beta1.SpeakerStatus) {
			meta.SetStatusCondition(&s.Conditions, condition(v1beta1.ConditionServiceProxyUnhealthy, true, status.ProxyFails, "no"))
		}},
		{"that of this node fails", now, func(s *v1beta1.SpeakerStatus) {
			meta.SetStatusCondition(&s.Conditions, condition(v1beta1.ConditionServiceProxyUnhealthy, true, status.ProxyAttractsNothing, "no"))
		}},
		{"a new Service is announced by BGP", counts, func(s *v1beta1.SpeakerStatus) { s.BGP[0].IPv4++ }},
		{"an attribute of a route has changed", counts, func(s *v1beta1.SpeakerStatus) { s.BGP[0].Digest = "0123456789abcdef" }},
		{"the node's next hop is another", counts, func(s *v1beta1.SpeakerStatus) { s.BGP[0].NextHops.IPv4 = []string{"192.0.2.12"} }},
		{"Services of both families are", counts, func(s *v1beta1.SpeakerStatus) { s.BGP[0].IPv6++; s.BGP[0].IPv4++ }},
		{"a Service waits to be withdrawn", withdrawn, func(s *v1beta1.SpeakerStatus) { s.Withdrawn = "7"; s.Members++ }},
		{"a warning has other numbers", counts, func(s *v1beta1.SpeakerStatus) { s.BGP[0].Warning += " more" }},
		{"there is no warning any more", sessions, func(s *v1beta1.SpeakerStatus) { s.BGP[0].Warning = "" }},
		{"a router is tried later", withdrawn, func(s *v1beta1.SpeakerStatus) { s.BGP[0].NextTry = metav1.Unix(1, 0) }},
		{"an address is held", now, func(s *v1beta1.SpeakerStatus) { s.Layer2.Held = append(s.Layer2.Held, v1beta1.HeldAddress{}) }},
		{"the session is lost", sessions, func(s *v1beta1.SpeakerStatus) { s.BGP[0].State, s.BGP[0].IPv4 = v1beta1.BGPActive, 0 }},
		{"the last session is lost, so the node may be stopped", sessions, func(s *v1beta1.SpeakerStatus) {
			s.BGP[0].State = v1beta1.BGPActive
			meta.SetStatusCondition(&s.Conditions, condition(v1beta1.ConditionSafeToStop, true, status.Ready, ""))
		}},
		{"the last connection is over, so the node may be stopped", now, func(s *v1beta1.SpeakerStatus) {
			meta.SetStatusCondition(&s.Conditions, condition(v1beta1.ConditionSafeToStop, true, status.Ready, ""))
		}},
		{"the speaker hears that the node is drained", now, func(s *v1beta1.SpeakerStatus) { s.Drained = new(bool) }},
		{"another session", now, func(s *v1beta1.SpeakerStatus) { s.BGP = append(s.BGP, v1beta1.BGPSession{}) }},
		{"no session", now, func(s *v1beta1.SpeakerStatus) { s.BGP = nil }},
		{"a conflict", now, func(s *v1beta1.SpeakerStatus) { s.Layer2.Conflicts = []v1beta1.AddressConflict{{}} }},
		{"a failure", now, func(s *v1beta1.SpeakerStatus) {
			meta.SetStatusCondition(&s.Conditions, condition(v1beta1.ConditionReady, false, status.Failed, "no"))
		}},
		{"the address of the gossip", now, func(s *v1beta1.SpeakerStatus) { s.GossipAddress = "192.0.2.12:7946" }},
	} {
		t.Run(test.name, func(t *testing.T) {
			before := reported()
			changed := before.DeepCopy()
			test.change(changed)
			if got := paceOf(changed, before); got != test.want {
				t.Errorf("pace %d, want %d", got, test.want)
			}
		})
	}
}

func TestPace_WaitsKeepTheRateOfTheClusterBounded(t *testing.T) {
	for _, test := range []struct {
		pace            pace
		speakers        int
		average, spread time.Duration
	}{
		{counts, 3, 0, 0},
		{counts, 1000, 100 * time.Second, 100 * time.Second},
		{withdrawn, 100, 0, 0},
		{withdrawn, 1000, 10 * time.Second, 10 * time.Second},
		{withdrawn, 5000, 10 * time.Second, 10 * time.Second},
		{now, 1000, 0, 0},
	} {
		var waits []time.Duration
		var sum time.Duration
		for range 1000 {
			waits = append(waits, test.pace.wait(test.speakers))
			sum += waits[len(waits)-1]
		}
		average, spread := sum/1000, slices.Max(waits)-slices.Min(waits)
		if near := test.average / 10; (average-test.average).Abs() > near || (spread-test.spread).Abs() > near {
			t.Errorf("pace %d with %d speakers: waits of %s on average and within %s, want %s and %s",
				test.pace, test.speakers, average, spread, test.average, test.spread)
		}
	}
}

// A change that must be told takes what waits along, and what waits keeps its turn while it goes on changing.
// What all may write at one moment waits longer where there are more of them, and not at all in a small cluster.
func TestPace_GrowsWithTheCluster(t *testing.T) {
	for _, test := range []struct {
		pace          pace
		ten, thousand time.Duration // on average
	}{
		{counts, 0, 100 * time.Second}, {members, 0, 3 * time.Second}, {withdrawn, 0, 10 * time.Second}, {sessions, 0, 2 * time.Second}, {now, 0, 0},
	} {
		for range 100 {
			if got := test.pace.wait(10); got != test.ten {
				t.Errorf("pace %d waits %s among ten", test.pace, got)
			}
			if got := test.pace.wait(1000); got < test.thousand/2 || got > test.thousand*3/2 {
				t.Errorf("pace %d waits %s among a thousand, on average it should be %s", test.pace, got, test.thousand)
			}
		}
	}
}

func TestReporter_CountsWaitTheirTurn(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		r := NewReporter("n1", nil, slog.New(slog.DiscardHandler))
		written := &v1beta1.Speaker{ObjectMeta: metav1.ObjectMeta{UID: "1"}, Status: *reported()}
		set := func(prefixes int32, held string) bool {
			s := reported()
			s.BGP[0].IPv4, s.Layer2.Held[0].Address = prefixes, held
			conditions := s.Conditions
			s.Conditions = nil
			r.Set(Report{Status: *s, conditions: conditions, speakers: 1000})
			return r.await(written)
		}
		if !r.await(written) || r.waiting {
			t.Error("it waits for something before the first report")
		}
		began := time.Now()
		for prefixes := int32(999); set(prefixes, "192.0.2.200"); prefixes-- {
			time.Sleep(time.Second)
		}
		if waited := time.Since(began); waited < 50*time.Second || waited > 151*time.Second {
			t.Errorf("counts that go on changing are written after %s", waited)
		}
		if !set(500, "192.0.2.200") {
			t.Error("the next change does not wait")
		}
		if set(500, "192.0.2.201") {
			t.Error("an address that is held waits")
		}
	})
}
