package reconcile

import (
	"reflect"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

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
	s.leader.leading = nil
	exports("without the lease, and before another pass", stands)
	if _, err := s.Reconcile(t.Context(), loop.Wake{}); err != nil {
		t.Fatal(err)
	}
	if !reflect.ValueOf(s.planner).IsZero() || s.metrics.figures.Load() != nil {
		t.Error("who does not lead any more remembers who had which address")
	}
	s.leader.leading, s.leader.term = t.Context(), 2
	exports("in a new term, before its first pass", leads)
}
