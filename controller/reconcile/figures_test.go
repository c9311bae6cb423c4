package reconcile

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/loop"
)

// never leads.
func never() bool { return false }

// figureNames are the metrics that a leader alone exports, and the one that says whether it is one.
var figureNames = []string{
	"daymark_controller_leader", "daymark_pool_addresses", "daymark_pool_services_waiting", "daymark_controller_services", "daymark_controller_speakers_gone",
	"daymark_controller_gossip_key_created_timestamp_seconds",
}

func TestFigures_FollowLeadership(t *testing.T) {
	registry := prometheus.NewPedanticRegistry()
	s := newScene(Config{Leader: &Leader{leading: t.Context(), term: 1}, Registerer: registry})
	exports := func(what, want string) {
		t.Helper()
		if err := testutil.GatherAndCompare(registry, strings.NewReader(want), figureNames...); err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	const (
		about  = "# HELP daymark_controller_leader Whether this controller leads. Of two replicas one does.\n# TYPE daymark_controller_leader gauge\n"
		leads  = about + "daymark_controller_leader 1\n"
		stands = about + "daymark_controller_leader 0\n"
	)
	exports("before the first pass", leads)
	if _, err := s.Reconcile(t.Context(), loop.Wake{}); err != nil {
		t.Fatal(err)
	}
	if got := testutil.ToFloat64(s.metrics.writesPending.WithLabelValues("address")); got != 3 {
		t.Errorf("%v writes of addresses wait, want those of two Services and the gossip key", got)
	}
	s.write()
	if got := testutil.ToFloat64(s.metrics.writesPending.WithLabelValues("address")); got != 0 {
		t.Errorf("%v writes of addresses wait when all are made", got)
	}
	exports("after a pass", leads+`
# HELP daymark_pool_addresses Addresses of a pool by state: assigned to Services, or available to Services that ask now. The leader alone says so.
# TYPE daymark_pool_addresses gauge
daymark_pool_addresses{family="IPv4",pool="blue",state="assigned"} 2
daymark_pool_addresses{family="IPv4",pool="blue",state="available"} 14
# HELP daymark_pool_services_waiting Services that wait for an address because the pool, which serves them, has none left, nor has another. The leader alone says so.
# TYPE daymark_pool_services_waiting gauge
daymark_pool_services_waiting{family="IPv4",pool="blue"} 0
# HELP daymark_controller_services Services that Daymark serves by their conditions AddressAssigned and Announced, with status and reason. The leader alone says so.
# TYPE daymark_controller_services gauge
daymark_controller_services{condition="AddressAssigned",reason="AddressAssigned",status="True"} 2
daymark_controller_services{condition="Announced",reason="NoEndpoint",status="False"} 2
# HELP daymark_controller_speakers_gone Speakers that are gone though their node is ready: what their Speaker objects report is old. The leader alone says so.
# TYPE daymark_controller_speakers_gone gauge
daymark_controller_speakers_gone 0
`)
	s.cache.Delete(&v1beta1.IPAddressPool{ObjectMeta: metav1.ObjectMeta{Name: "blue"}})
	if _, err := s.Reconcile(t.Context(), loop.Wake{}); err != nil {
		t.Fatal(err)
	}
	if got := testutil.ToFloat64(s.metrics.writesPending.WithLabelValues("address")); got == 0 {
		t.Error("no write waits though the pool is gone")
	}
	s.leader.leading = nil
	exports("without the lease, and before another pass", stands)
	if _, err := s.Reconcile(t.Context(), loop.Wake{}); err != nil {
		t.Fatal(err)
	}
	for _, kind := range []string{"address", "text"} {
		if got := testutil.ToFloat64(s.metrics.writesPending.WithLabelValues(kind)); got != 0 {
			t.Errorf("%v writes wait (%s) of who does not lead any more", got, kind)
		}
	}
	if !reflect.ValueOf(s.planner).IsZero() || s.metrics.figures.Load() != nil {
		t.Error("who does not lead any more remembers who had which address")
	}
	s.leader.leading, s.leader.term = t.Context(), 2
	exports("in a new term, before its first pass", leads)
}

// A series that stays when its object is deleted is an alert that nobody can end.
func TestFigures_VanishWithWhatTheyTellOf(t *testing.T) {
	registry := prometheus.NewPedanticRegistry()
	s := newScene(Config{Leader: &Leader{leading: t.Context(), term: 1}, Registerer: registry})
	green := &v1beta1.IPAddressPool{ObjectMeta: metav1.ObjectMeta{Name: "green", UID: "green", ResourceVersion: "1"}}
	green.Spec.Addresses = []v1beta1.AddressRange{"198.51.100.0/28"}
	s.cache.Put(green)
	exports := func(what string, pools, waiting, services int) {
		t.Helper()
		if _, err := s.Reconcile(t.Context(), loop.Wake{}); err != nil {
			t.Fatal(err)
		}
		s.write()
		for name, want := range map[string]int{
			"daymark_pool_addresses": pools, "daymark_pool_services_waiting": waiting, "daymark_controller_services": services,
		} {
			if got, err := testutil.GatherAndCount(registry, name); err != nil || got != want {
				t.Errorf("%s: %d series of %s (%v), want %d", what, got, name, err, want)
			}
		}
	}
	exports("all are there", 4, 2, 2)
	s.cache.Delete(green)
	exports("without a pool", 2, 1, 2)
	for _, name := range []string{"a", "b"} {
		s.cache.Delete(&corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name}})
	}
	exports("without Services", 2, 1, 0)
}

// nodeThatHolds puts a node into the cache that is ready, and the report of its speaker.
func (s *scene) nodeThatHolds(name, owner string, ready corev1.ConditionStatus, held ...string) {
	node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name, UID: types.UID(name), ResourceVersion: "1"}}
	node.Status.Conditions = []corev1.NodeCondition{{Type: corev1.NodeReady, Status: ready}}
	s.cache.Put(node)
	speaker := &v1beta1.Speaker{ObjectMeta: metav1.ObjectMeta{Name: name, UID: types.UID("speaker-" + name), ResourceVersion: fmt.Sprint(1 + len(held))}}
	speaker.OwnerReferences = []metav1.OwnerReference{{Kind: "Node", Name: name, UID: types.UID(owner)}}
	speaker.Status.Conditions = []metav1.Condition{{Type: v1beta1.ConditionMembershipKnown, Status: metav1.ConditionTrue}}
	for _, addr := range held {
		speaker.Status.Layer2.Held = append(speaker.Status.Layer2.Held, v1beta1.HeldAddress{Address: addr})
	}
	speaker.Status.Layer2.IPv4 = int32(len(held))
	s.cache.Put(speaker)
}

func TestFigures_CountHoldersAndWhatReportsAreWorth(t *testing.T) {
	registry := prometheus.NewPedanticRegistry()
	s := newScaleSceneOf(t, Config{Leader: &Leader{leading: t.Context(), term: 1}, Registerer: registry}, 3)
	s.nodeThatHolds("n3", "n3", corev1.ConditionFalse)
	s.nodeThatHolds("n4", "another", corev1.ConditionTrue)
	one, two := s.services[0].Status.LoadBalancer.Ingress[0].IP, s.services[1].Status.LoadBalancer.Ingress[0].IP
	for range 2 { // in the second all is settled
		s.nodeThatHolds("n1", "n1", corev1.ConditionTrue, one, two)
		s.nodeThatHolds("n2", "n2", corev1.ConditionTrue, two)
		if _, err := s.Reconcile(t.Context(), loop.Wake{}); err != nil {
			t.Fatal(err)
		}
		s.store()
	}
	if s.settled.services[0].as == nil {
		t.Fatal("nothing is settled")
	}
	want := `
# HELP daymark_controller_layer2_addresses Addresses of announced Services that one node is to hold by layer 2, by how many nodes report that they hold it: 0, 1, 2+, or unknown, when those that may hold it hold more than they list, or are down. The leader alone says so.
# TYPE daymark_controller_layer2_addresses gauge
daymark_controller_layer2_addresses{holders="0"} 1
daymark_controller_layer2_addresses{holders="1"} 1
daymark_controller_layer2_addresses{holders="2+"} 1
daymark_controller_layer2_addresses{holders="unknown"} 0
# HELP daymark_controller_speaker_reports Speaker objects by what their report is worth: current, speaker_gone, node_down, or old_node when it is older than its node, or its node does not exist. The leader alone says so.
# TYPE daymark_controller_speaker_reports gauge
daymark_controller_speaker_reports{state="current"} 2
daymark_controller_speaker_reports{state="node_down"} 1
daymark_controller_speaker_reports{state="old_node"} 1
daymark_controller_speaker_reports{state="speaker_gone"} 0
`
	if err := testutil.GatherAndCompare(registry, strings.NewReader(want), "daymark_controller_layer2_addresses", "daymark_controller_speaker_reports"); err != nil {
		t.Error(err)
	}
	looked := testutil.CollectAndCount(figuresCollector{s.metrics, func() bool { return true }}, "daymark_controller_last_look_timestamp_seconds")
	if looked != 1 {
		t.Errorf("%d say when the last look was", looked)
	}
}
