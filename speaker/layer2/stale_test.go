package layer2

import (
	"fmt"
	"net/netip"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mdlayher/ndp"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"golang.org/x/sys/unix"

	"github.com/daymark-lb/daymark/internal/bubble"
	"github.com/daymark-lb/daymark/internal/core/lb"
	"github.com/daymark-lb/daymark/internal/netnstest"
)

// TestResponder_SaysNothingWhileStale: no answer, no defence, no announcement. When it is no longer stale, everything
// continues.
func TestResponder_SaysNothingWhileStale(t *testing.T) {
	s := newSegment(t, "near0")
	var stale atomic.Bool
	r := beginFast(t, Config{Stale: stale.Load})
	arps, ndps, ours := s.listen(t, unix.ETH_P_ARP), s.listen(t, unix.ETH_P_IPV6), s.mac(t)
	mustSet(t, r, on([]string{"near0"}, vip4, vip6))
	receive(t, arps, "the announcement of the IPv4 address", equalTo(gratuitousARP(ours, vip4)[1]))
	receive(t, ndps, "the announcement of the IPv6 address", equalTo(unsolicitedAdvertisement(ours, vip6)[0]))

	stale.Store(true)
	r.Announce([]netip.Addr{vip4, vip6})
	mustSet(t, r, append(on([]string{"near0"}, vip4, vip6, vip4b), probed([]string{"near0"}, vip6b)...))
	send(t, arps, request(ours, client4, vip4))
	send(t, arps, request(broadcast, vip4, vip4))
	send(t, ndps, solicit(ours, client6, vip6, vip6))
	send(t, ndps, advertise(allNodes, vip6, allNodes6, vip6, false, link(ndp.Target, client)))
	for _, m := range []*familyMetrics{r.metrics.ipv4, r.metrics.ipv6} {
		netnstest.Eventually(t, "the frames are dropped", func() error {
			if n := testutil.ToFloat64(m.droppedStale); n != 2 {
				return fmt.Errorf("%v were", n)
			}
			return nil
		})
		if said, probed := testutil.ToFloat64(m.gratuitous), testutil.ToFloat64(m.probes); said > 2 || probed > 0 {
			t.Errorf("%v announcements, %v probes", said, probed)
		}
	}
	if got := r.Conflicts(); len(got) > 0 {
		t.Errorf("conflicts: %v", got)
	}

	stale.Store(false)
	receive(t, arps, "the announcement that was put off", butNot(t, arpAnswer(ours), gratuitousARP(ours, vip4)[0]))
	receive(t, arps, "the announcement of the new address", equalTo(gratuitousARP(ours, vip4b)[0]))
	receive(t, ndps, "the announcement of the probed address", equalTo(unsolicitedAdvertisement(ours, vip6b)[0]))
	send(t, arps, request(ours, client4, vip4))
	receive(t, arps, "an answer", equalTo(arpAnswer(ours)))
	if n := testutil.ToFloat64(r.metrics.of(lb.IPv6).probes); n < probeNum {
		t.Errorf("taken after %v probes", n)
	}
}

func TestAnnouncer_PostponesWhileStale(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		var stale atomic.Bool
		a, r := runAnnouncer(t, half, stale.Load), newRecorder()
		stale.Store(true)
		a.add(r, []netip.Addr{vip6})
		time.Sleep(5 * time.Second)
		synctest.Wait()
		if got := r.of(vip6); len(got) > 0 {
			t.Fatalf("announced after %v", got)
		}
		stale.Store(false)
		time.Sleep(5 * time.Second)
		synctest.Wait()
		got := r.of(vip6)
		if len(got) != 4 || got[0] < 5*time.Second || got[0] > 5*time.Second+staleInterval {
			t.Fatalf("announced after %v", got)
		}
		// The repeats are not lost.
		for i, want := range []time.Duration{time.Second, time.Second, 2 * time.Second} {
			if gap := got[i+1] - got[i]; gap != want {
				t.Errorf("announcement %d came after another %v", i+1, gap)
			}
		}
	})
}

func TestAnnouncer_RestartBeginsAgainForWhatIsGivenAlone(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		a, r := runAnnouncer(t, half, nil), newRecorder()
		other := vip6b.Next()
		a.add(r, []netip.Addr{other, vip6})
		time.Sleep(10 * time.Second)
		a.restart([]netip.Addr{vip6b, vip6}) // vip6b is not announced.
		time.Sleep(5 * time.Second)
		synctest.Wait()
		want := []time.Duration{0, 1, 2, 4, 10, 11, 12, 14}
		for i := range want {
			want[i] *= time.Second
		}
		if got := r.of(vip6); !slices.Equal(got, want) {
			t.Errorf("the address was announced after %v, want %v", got, want)
		}
		if got := r.of(other); !slices.Equal(got, want[:4]) {
			t.Errorf("an address that was not given was announced after %v", got)
		}
		if got := r.of(vip6b); len(got) > 0 {
			t.Errorf("an address that is not announced was, after %v", got)
		}
	})
}
