package gossip

import (
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

func TestMetrics_ExpectNobodyOnANodeThatIsDown(t *testing.T) {
	registry := prometheus.NewPedanticRegistry()
	m := New(Config{Node: "a", Registerer: registry})
	m.Set(map[string]ExpectedPeer{"a": {}, "b": {}, "c": {Down: true}})
	want := `# HELP daymark_gossip_members_expected Speakers that there should be on nodes that are up, this one included.
# TYPE daymark_gossip_members_expected gauge
daymark_gossip_members_expected 2
`
	if err := testutil.GatherAndCompare(registry, strings.NewReader(want), "daymark_gossip_members_expected"); err != nil {
		t.Error(err)
	}
}
