package layer2

import (
	"encoding/binary"
	"net/netip"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/daymark-lb/daymark/internal/bubble"
)

// message is an update that a recorder records.
type message struct {
	*senderRecorder

	host int
}

// messages returns that many updates by way of a recorder.
func messages(by *senderRecorder, many int) []update {
	all := make([]update, many)
	for i := range all {
		all[i] = message{by, i}
	}
	return all
}

// TestAnnouncer_TellsSomeTimesOnly: at once, after each wait, and then no more; told again, it begins again.
func TestAnnouncer_TellsSomeTimesOnly(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		a := runAnnouncer(t, func() float64 { return 0.5 }, nil)
		told := newRecorder()
		a.tell([]update{told}, vip4, telling, []time.Duration{0, time.Second})
		time.Sleep(10 * time.Minute)
		if want := []time.Duration{0, 0, time.Second}; !slices.Equal(told.of(vip4), want) {
			t.Errorf("told at %v, want %v", told.of(vip4), want)
		}
		a.tell([]update{told}, vip4, telling, []time.Duration{time.Second})
		time.Sleep(500 * time.Millisecond)
		a.tell([]update{told}, vip4, telling, []time.Duration{time.Second})
		time.Sleep(10 * time.Minute)
		begin := 10 * time.Minute
		want := []time.Duration{0, 0, time.Second, begin, begin + time.Second/2, begin + 3*time.Second/2}
		if !slices.Equal(told.of(vip4), want) {
			t.Errorf("told at %v, want %v", told.of(vip4), want)
		}
		a.mu.Lock()
		defer a.mu.Unlock()
		if len(a.schedules) > 0 || len(a.updates) > 0 || len(a.untold) > 0 {
			t.Error("it is not forgotten")
		}
	})
}

// TestAnnouncer_ClientsAreToldOnceBeforeAnyIsToldTwice, and before other nodes are told of them.
func TestAnnouncer_ClientsAreToldOnceBeforeAnyIsToldTwice(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		var going atomic.Bool
		a, clients, nodes := runAnnouncer(t, half, func() bool { return !going.Load() }), newRecorder(), newRecorder()
		a.tell(messages(nodes, 1000), vip4, introducing, []time.Duration{time.Second})
		a.tell(messages(clients, 2000), vip4, telling, []time.Duration{0, time.Second})
		a.tell(messages(clients, 2000), vip4, telling, []time.Duration{0, time.Second}) // They wait already.
		if a.untold[vip4] != 2000 {
			t.Errorf("%d clients wait", a.untold[vip4])
		}
		going.Store(true)
		time.Sleep(time.Minute)
		synctest.Wait()
		got := clients.of(vip4)
		if len(got) != 6000 || got[1999] > 2*time.Second {
			t.Errorf("%d updates, the last client is told the first time after %v", len(got), got[1999])
		}
		if introduced := nodes.of(vip4); len(introduced) != 2000 || introduced[0] < got[1999] {
			t.Errorf("%d introductions, the first one after %v, the last client is told after %v", len(introduced), introduced[0], got[1999])
		}
	})
}

// TestAnnouncer_WhatIsLessUrgentWaits: to tell very many clients again delays no repeat, and is put off by no further telling.
func TestAnnouncer_WhatIsLessUrgentWaits(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		a, clients, address := runAnnouncer(t, half, nil), newRecorder(), newRecorder()
		a.add(address, []netip.Addr{vip6})
		for range 4 {
			a.tell(messages(clients, 10_000), vip4, periodic, []time.Duration{0, time.Second})
			time.Sleep(time.Second)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		got := address.of(vip6)
		for i, want := range []time.Duration{0, time.Second, 2 * time.Second, 4 * time.Second} {
			if late := got[i] - want; late > 100*time.Millisecond {
				t.Errorf("announcement %d is %v late", i, late)
			}
		}
		if all := clients.of(vip4); len(all) < 30_000 || len(all) > 33_000 {
			t.Errorf("%d updates", len(all))
		}
	})
}

// TestAnnouncer_AnUnsharedAddressDoesNotWaitForClients: it is announced as if there were no shared address on the interface, however many
// clients have to be told, and other nodes of them.
func TestAnnouncer_AnUnsharedAddressDoesNotWaitForClients(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		var going atomic.Bool
		a := runAnnouncer(t, half, func() bool { return !going.Load() })
		address, clients, nodes := newRecorder(), newRecorder(), newRecorder()
		a.tell(messages(nodes, 30_000), vip4b, introducing, []time.Duration{time.Second})
		a.tell(messages(clients, 1000), vip4, telling, []time.Duration{time.Second})
		addresses := many6(100)
		a.add(address, addresses)
		going.Store(true)
		time.Sleep(3 * time.Minute)
		synctest.Wait()
		for n, want := range []time.Duration{20, 2500, 3500, 5500} {
			if latest := address.latest(t, addresses, n); latest > want*time.Millisecond {
				t.Errorf("the last one is announced for the %d. time after %v", n+1, latest)
			}
		}
		if told := clients.of(vip4); len(told) != 2000 || told[999] > 1200*time.Millisecond {
			t.Errorf("%d updates, the last client is told after %v", len(told), told[999])
		}
		if introduced := nodes.of(vip4b); len(introduced) != 60_000 {
			t.Errorf("%d introductions", len(introduced))
		}
	})
}

// TestAnnouncer_PeriodicAnnouncementsDoNotWaitForIntroductions, nor do they come less often for them.
func TestAnnouncer_PeriodicAnnouncementsDoNotWaitForIntroductions(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		a, address, nodes := runAnnouncer(t, half, nil), newRecorder(), newRecorder()
		a.add(address, []netip.Addr{vip6})
		time.Sleep(3 * time.Second)
		a.tell(messages(nodes, maxIntroductions), vip4, introducing, []time.Duration{time.Second})
		a.mu.Lock()
		if interval := a.periodicInterval(a.queues["eth0"]); interval != time.Minute {
			t.Errorf("announced once in %v", interval)
		}
		a.mu.Unlock()
		time.Sleep(3 * time.Minute)
		synctest.Wait()
		want := []time.Duration{
			0, time.Second, 2 * time.Second, 4 * time.Second, 34 * time.Second, 94 * time.Second, 154 * time.Second,
		}
		got := address.of(vip6)
		if len(got) != len(want) {
			t.Fatalf("announced after %v, want %v", got, want)
		}
		for i := range want {
			if late := got[i] - want[i]; late > 100*time.Millisecond {
				t.Errorf("announcement %d is %v late", i, late)
			}
		}
	})
}

// TestAnnouncer_ClientsAreNoUnannouncedAddresses: they are not counted as such.
func TestAnnouncer_ClientsAreNoUnannouncedAddresses(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		a, r := runAnnouncer(t, half, nil), newRecorder()
		a.tell(messages(r, 5000), vip4, telling, []time.Duration{time.Second})
		time.Sleep(time.Second)
		synctest.Wait()
		if got := testutil.ToFloat64(a.unannounced); got != 0 {
			t.Errorf("%v addresses are not announced", got)
		}
		a.add(r, []netip.Addr{vip4, vip4b})
		a.wake <- struct{}{}
		synctest.Wait()
		if got := testutil.ToFloat64(a.unannounced); got != 2 {
			t.Errorf("%v addresses are not announced, want 2", got)
		}
	})
}

// TestAnnouncer_ForgetsTheUpdatesOfAClosedSocket: they could not be sent.
func TestAnnouncer_ForgetsTheUpdatesOfAClosedSocket(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		a, closed, other := runAnnouncer(t, half, nil), newRecorder(), newRecorder()
		a.tell(messages(closed, 500), vip4, telling, []time.Duration{time.Second})
		a.tell(messages(other, 500), vip4, telling, []time.Duration{time.Second})
		synctest.Wait()
		before := len(closed.of(vip4))
		a.removeSender(closed)
		time.Sleep(time.Minute)
		synctest.Wait()
		if got := closed.of(vip4); len(got) != before || before > 200 {
			t.Errorf("it sent %d updates, and %d before it was closed", len(got), before)
		}
		if got := other.of(vip4); len(got) != 1000 {
			t.Errorf("the other one sent %d", len(got))
		}
		a.mu.Lock()
		defer a.mu.Unlock()
		if len(a.updates) > 0 || len(a.untold) > 0 || a.queues["eth0"].len() > 0 {
			t.Errorf("left: %d, untold %v, %d in the queue", len(a.updates), a.untold, a.queues["eth0"].len())
		}
	})
}

// TestFailOvers_OfSharedAddressesAreMeasuredToTheLastClient that is told.
func TestFailOvers_OfSharedAddressesAreMeasuredToTheLastClient(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		a, r := runAnnouncer(t, half, nil), newRecorder()
		a.failOvers.add(map[netip.Addr]time.Time{vip4: time.Now(), vip4b: time.Now()}, time.Now())
		a.tell(messages(r, 2100), vip4, telling, []time.Duration{time.Second})
		a.allTold(vip4)
		a.allTold(vip4b) // It has no client.
		time.Sleep(time.Minute)
		synctest.Wait()
		if count, sum := observed(t, a.failOvers.duration); count != 2 || sum < 1.99 || sum > 2.1 {
			t.Errorf("%d fail-overs in %v s, want one of 2 s and one of 0", count, sum)
		}
	})
}

// manyAddresses are that many.
func manyAddresses(many int) []netip.Addr {
	all := make([]netip.Addr, many)
	for i := range all {
		b := [4]byte{198, 18}
		binary.BigEndian.PutUint16(b[2:], uint16(i))
		all[i] = netip.AddrFrom4(b)
	}
	return all
}

// restartTime is how long it takes to restart addresses while many clients are told, at best.
func restartTime(addresses []netip.Addr, clients int) time.Duration {
	best := time.Hour
	for range 3 {
		a, r := newAnnouncer(time.Minute, DefaultAnnouncementRate, func() bool { return false }, newMetrics(nil)), newRecorder()
		a.add(r, addresses)
		a.tell(messages(r, clients), vip4, telling, []time.Duration{time.Second})
		begin := time.Now()
		a.restart(addresses)
		best = min(best, time.Since(begin))
	}
	return best
}

// TestAnnouncer_RestartDoesNotLookAtClients: there are many, and the receivers wait for it.
func TestAnnouncer_RestartDoesNotLookAtClients(t *testing.T) {
	addresses := manyAddresses(2000)
	without, with := restartTime(addresses, 0), restartTime(addresses, 16_384)
	if with > 20*without+50*time.Millisecond {
		t.Errorf("%v with clients to tell, %v without", with, without)
	}
}

// BenchmarkAnnouncer_RestartWhileClientsAreTold: a partition heals, and 10,000 addresses are announced again.
func BenchmarkAnnouncer_RestartWhileClientsAreTold(b *testing.B) {
	addresses := manyAddresses(10_000)
	a, r := newAnnouncer(time.Minute, 1e9, func() bool { return false }, newMetrics(nil)), newRecorder()
	a.add(r, addresses)
	for b.Loop() {
		b.StopTimer()
		for announced := false; !announced; {
			next, _ := a.next(time.Now())
			announced = next == nil
		}
		a.tell(messages(r, maxAllClients), vip4, telling, []time.Duration{time.Second})
		b.StartTimer()
		a.restart(addresses)
	}
}
