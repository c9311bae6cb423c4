package layer2

import (
	"context"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// senderRecorder is a sender that records when it announced.
type senderRecorder struct {
	mu    sync.Mutex
	begin time.Time
	times map[netip.Addr][]time.Duration
}

func newRecorder() *senderRecorder {
	return &senderRecorder{begin: time.Now(), times: map[netip.Addr][]time.Duration{}}
}

func (r *senderRecorder) announce(addr netip.Addr) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.times[addr] = append(r.times[addr], time.Since(r.begin))
}

func (r *senderRecorder) of(addr netip.Addr) []time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.times[addr])
}

// runAnnouncer runs an announcer on the fake clock of a synctest bubble.
func runAnnouncer(t *testing.T, jitter func() float64, stale func() bool) *announcer {
	if stale == nil {
		stale = func() bool { return false }
	}
	a := newAnnouncer(time.Minute, stale)
	if jitter != nil {
		a.jitter = jitter
	}
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { a.run(ctx) })
	t.Cleanup(func() {
		cancel()
		running.Wait()
	})
	return a
}

func half() float64 { return 0.5 }

func TestAnnouncer_AtOnceThenSoonThenPeriodically(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, r := runAnnouncer(t, half, nil), newRecorder()
		a.add(r, []netip.Addr{vip4})
		time.Sleep(3 * time.Minute)
		synctest.Wait()
		want := []time.Duration{
			0, time.Second, 2 * time.Second, 4 * time.Second, 34 * time.Second, 94 * time.Second, 154 * time.Second,
		}
		if got := r.of(vip4); !slices.Equal(got, want) {
			t.Errorf("announced after %v, want %v", got, want)
		}
	})
}

func TestAnnouncer_StopsForWhatIsRemoved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, r, other := runAnnouncer(t, half, nil), newRecorder(), newRecorder()
		a.add(r, []netip.Addr{vip4, vip6})
		a.add(other, []netip.Addr{vip4})
		time.Sleep(500 * time.Millisecond)
		a.remove(r, vip4)
		a.remove(r, vip4) // Removing twice is the same as once.
		a.removeSender(other)
		time.Sleep(3 * time.Second)
		synctest.Wait()
		if got := r.of(vip4); len(got) != 1 {
			t.Errorf("the removed address was announced after %v", got)
		}
		if got := other.of(vip4); len(got) != 1 {
			t.Errorf("the forgotten socket announced after %v", got)
		}
		if got := r.of(vip6); len(got) != 3 {
			t.Errorf("the address that stayed was announced after %v", got)
		}

		// Added again, it starts from the beginning.
		a.add(r, []netip.Addr{vip4})
		time.Sleep(1500 * time.Millisecond)
		synctest.Wait()
		if got := r.of(vip4); len(got) != 3 || got[1] != 3500*time.Millisecond {
			t.Errorf("taken over again, it was announced after %v", got)
		}
	})
}

// TestAnnouncer_BoundsBursts: ten thousand addresses are announced within a fraction of a second, a hundred in each
// millisecond. Later they are spread over the interval.
func TestAnnouncer_BoundsBursts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, r := runAnnouncer(t, nil, nil), newRecorder()
		const many = 10_000
		addresses := make([]netip.Addr, many)
		for i := range addresses {
			addresses[i] = netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)})
		}
		a.add(r, addresses)
		time.Sleep(10 * time.Minute)
		synctest.Wait()

		perMillisecond, perSecond := map[time.Duration]int{}, map[time.Duration]int{}
		for _, addr := range addresses {
			times := r.of(addr)
			if len(times) == 0 || times[0] > 200*time.Millisecond {
				t.Fatalf("%v was announced after %v", addr, times)
			}
			for _, at := range times {
				perMillisecond[at.Truncate(time.Millisecond)]++
				if at > 2*time.Minute {
					perSecond[at.Truncate(time.Second)]++
				}
			}
		}
		for at, count := range perMillisecond {
			if count > maxBurst {
				t.Errorf("%d announcements in the millisecond after %v", count, at)
			}
		}
		// 10,000 in 60 s are 167 a second.
		for at, count := range perSecond {
			if count > 300 {
				t.Errorf("%d announcements in the second after %v", count, at)
			}
		}
	})
}
