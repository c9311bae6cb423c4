package status

import (
	"net/netip"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/core/announce"
	"github.com/daymark-lb/daymark/internal/core/ipam"
	"github.com/daymark-lb/daymark/internal/core/lb"
)

// The time since when a pool is missed must outlive restarts: it is the last transition of the condition, and moves on when
// another pool goes.
func TestObserved_DesiredHasTheTimeOfAMissingPool(t *testing.T) {
	settings := Settings{Classes: lb.Classes{Name: v1beta1.LoadBalancerClass, Classless: true}}
	explainer := announce.NewExplainer(&announce.World{Pools: lb.NewPools(nil)})
	four, six := &lb.Pool{Name: "four"}, &lb.Pool{Name: "six"}
	seen := Observed{Service: &lb.Service{LoadBalancer: true}}
	for minute, gone := range [][2]bool{{true, false}, {true, true}} {
		since := time.Unix(int64(60*minute), 0)
		a := &ipam.Assignment{Service: seen.Service, MissingSince: since, KeptUntil: since.Add(time.Hour), Addresses: []ipam.Address{
			{Addr: netip.MustParseAddr("192.0.2.1"), Pool: four, Missing: gone[0]},
			{Addr: netip.MustParseAddr("2001:db8::1"), Pool: six, Missing: gone[1]},
		}}
		want := seen.Desired(a, settings, explainer, since.Add(time.Second))
		c := meta.FindStatusCondition(want.Conditions, v1beta1.ConditionProvenance)
		if c == nil || c.Reason != v1beta1.ReasonPoolMissing || !c.LastTransitionTime.Time.Equal(since) {
			t.Fatalf("the condition is %+v, want the time %s", c, since)
		}
		seen = Observed{Service: want.In(seen.Service), Written: want}
		if got := seen.Provenance.MissingSince; !got.Equal(since) {
			t.Errorf("it is read as %s", got)
		}
		if again := seen.Desired(a, settings, explainer, since.Add(time.Minute)); !again.Equal(&want) {
			t.Errorf("it is written again: %+v", again)
		}
	}
}
