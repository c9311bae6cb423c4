package layer2

import (
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"github.com/daymark-lb/daymark/internal/bubble"
)

func TestFailOvers_AreMeasuredToTheFirstAnnouncement(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		a, r := runAnnouncer(t, half, nil), newRecorder()
		silent := time.Now()
		time.Sleep(120 * time.Millisecond)
		given := netip.MustParseAddr("192.0.2.77")
		a.failOvers.add(map[netip.Addr]time.Time{given: silent.Add(-failOverTimeout)}, silent)
		a.failOvers.add(map[netip.Addr]time.Time{vip4: silent}, time.Now())
		a.failOvers.add(nil, time.Now()) // a pass that takes nothing over does not forget
		a.add(r, []netip.Addr{vip4, vip6, given})
		time.Sleep(5 * time.Minute)
		synctest.Wait()
		if count, sum := observed(t, a.failOvers.duration); count != 1 || sum < 0.12 || sum > 0.13 {
			t.Errorf("%d fail-overs in %v s, want the one of %s in 0.12 s", count, sum, vip4)
		}
	})
}

// observed is how often a histogram was told something, and the sum.
func observed(t *testing.T, h prometheus.Histogram) (count uint64, sum float64) {
	t.Helper()
	var seen dto.Metric
	if err := h.Write(&seen); err != nil {
		t.Fatal(err)
	}
	return seen.GetHistogram().GetSampleCount(), seen.GetHistogram().GetSampleSum()
}
