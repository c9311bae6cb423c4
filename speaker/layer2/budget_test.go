package layer2

import (
	"log/slog"
	"net/netip"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"golang.org/x/sys/unix"

	"github.com/daymark-lb/daymark/internal/bubble"
	"github.com/daymark-lb/daymark/internal/core/announce"
)

// many returns so many addresses of 10.0.0.0/8.
func many(count int) []netip.Addr {
	addresses := make([]netip.Addr, count)
	for i := range addresses {
		addresses[i] = netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})
	}
	return addresses
}

// many6 returns so many addresses of 2001:db8::/32.
func many6(count int) []netip.Addr {
	addresses := make([]netip.Addr, count)
	for i, addr := range many(count) {
		b := addr.As4()
		addresses[i] = netip.AddrFrom16([16]byte{0x20, 1, 0xd, 0xb8, 12: b[0], b[1], b[2], b[3]})
	}
	return addresses
}

// latest returns when the last of the addresses was announced for the n-th time, from 0 on.
func (r *senderRecorder) latest(t *testing.T, addresses []netip.Addr, n int) time.Duration {
	t.Helper()
	var latest time.Duration
	for _, addr := range addresses {
		times := r.of(addr)
		if len(times) <= n {
			t.Fatalf("%v was announced after %v only", addr, times)
		}
		latest = max(latest, times[n])
	}
	return latest
}

// mostWithin returns the most frames in any span of that length.
func (r *senderRecorder) mostWithin(span time.Duration) int {
	most := 0
	for from, to := 0, 0; to < len(r.all); to++ {
		for r.all[to]-r.all[from] >= span {
			from++
		}
		most = max(most, to-from+1)
	}
	return most
}

// TestAnnouncer_TakesOverThousandsWithinItsBudget: 5,000 addresses are announced for the first time within 5 s and for the
// last time within 26 s, though no more than 1,000 frames a second are sent, and 100 at once.
func TestAnnouncer_TakesOverThousandsWithinItsBudget(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		a, r := runAnnouncer(t, nil, nil), newRecorder()
		addresses := many(5000)
		a.add(r, addresses)
		time.Sleep(time.Second)
		synctest.Wait()
		if n := testutil.ToFloat64(a.unannounced); n < 3800 || n > 4000 {
			t.Errorf("%v unannounced addresses after a second", n)
		}
		time.Sleep(29 * time.Second)
		synctest.Wait()
		if n := testutil.ToFloat64(a.unannounced); n != 0 {
			t.Errorf("%v unannounced addresses at the end", n)
		}
		for n, want := range []time.Duration{0: 5 * time.Second, 4: 26 * time.Second} {
			if latest := r.latest(t, addresses, n); want > 0 && latest > want {
				t.Errorf("announced %d times after %v", n+1, latest)
			}
		}
		for span, most := range map[time.Duration]int{time.Millisecond: 100, time.Second: 1100, 10 * time.Second: 10_100} {
			if got := r.mostWithin(span); got > most {
				t.Errorf("%d frames in %v", got, span)
			}
		}
	})
}

func TestAnnouncer_ASingleAddressDoesNotWaitForThousands(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		a, r := runAnnouncer(t, nil, nil), newRecorder()
		addresses := many(5001)
		a.add(r, addresses[:5000])
		time.Sleep(time.Second)
		single := addresses[5000:]
		a.add(r, single)
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if latest := r.latest(t, single, 0); latest > time.Second+2*paceInterval {
			t.Errorf("announced after %v", latest)
		}
		if latest := r.latest(t, addresses, 0); latest > 5*time.Second+2*paceInterval {
			t.Errorf("the others were announced after %v", latest)
		}
	})
}

func TestAnnouncer_FamiliesShareTheBudget(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		a, r4, r6 := runAnnouncer(t, nil, nil), newRecorder(), newRecorder()
		addresses4, addresses6 := many(2000), many6(2000)
		a.add(r4, addresses4)
		a.add(r6, addresses6)
		time.Sleep(20 * time.Second)
		synctest.Wait()
		half4, half6 := r4.latest(t, addresses4[:1000], 0), r6.latest(t, addresses6[:1000], 0)
		if (half4 - half6).Abs() > 100*time.Millisecond {
			t.Errorf("half of the IPv4 addresses were announced after %v, of the IPv6 addresses after %v", half4, half6)
		}
		all := senderRecorder{all: slices.Sorted(slices.Values(append(r4.all, r6.all...)))}
		if got := all.mostWithin(time.Second); got > 1100 {
			t.Errorf("%d frames in a second", got)
		}
	})
}

func TestAnnouncer_EachInterfaceHasABudget(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		a, r, other := runAnnouncer(t, nil, nil), newRecorder(), newRecorder()
		other.on = "eth1"
		addresses := many(2000)
		a.add(r, addresses)
		a.add(other, addresses)
		time.Sleep(20 * time.Second)
		synctest.Wait()
		for _, r := range []*senderRecorder{r, other} {
			if latest := r.latest(t, addresses, 0); latest > 2*time.Second {
				t.Errorf("on %s announced after %v", r.on, latest)
			}
		}
	})
}

// TestAnnouncer_PeriodicAnnouncementsAreSpread: 10,000 addresses in 60 s are 167 a second, in every second.
func TestAnnouncer_PeriodicAnnouncementsAreSpread(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		a, r := runAnnouncer(t, nil, nil), newRecorder()
		a.add(r, many(10_000))
		time.Sleep(3 * time.Minute)
		// While thousands more are announced, the periodic announcements wait. They do not come together afterwards.
		more := many(15_000)[10_000:]
		a.add(r, more)
		time.Sleep(30 * time.Second)
		for _, addr := range more {
			a.remove(r, addr)
		}
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		perSecond := map[time.Duration]int{}
		for _, at := range r.all {
			if quiet := at > 2*time.Minute && at < 3*time.Minute || at > 5*time.Minute; quiet {
				perSecond[at.Truncate(time.Second)]++
			}
		}
		for at, count := range perSecond {
			if count > 300 {
				t.Errorf("%d announcements in the second after %v", count, at)
			}
		}
	})
}

// TestAnnouncer_PeriodicAnnouncementsUseHalfTheBudget: at 10 frames a second, 1,000 addresses are announced every 200 s.
func TestAnnouncer_PeriodicAnnouncementsUseHalfTheBudget(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		a, r := runAnnouncer(t, nil, nil), newRecorder()
		a.rate = 10
		addresses := many(1000)
		a.add(r, addresses)
		time.Sleep(time.Hour)
		synctest.Wait()
		count := 0
		for _, at := range r.all {
			if at > 40*time.Minute {
				count++
			}
		}
		if count < 5400 || count > 6600 {
			t.Errorf("%d announcements in 20 minutes", count)
		}
		if most := r.mostWithin(time.Second); most > 11 {
			t.Errorf("%d frames in a second", most)
		}
	})
}

// TestResponder_AnnouncesWithinItsBudget looks from the far end of a cable: 400 addresses are announced in 300 ms, the first 100
// at once.
func TestResponder_AnnouncesWithinItsBudget(t *testing.T) {
	s := newSegment(t, "near0")
	r := begin(t, Config{Log: slog.New(slog.DiscardHandler)})
	arps := s.listen(t, unix.ETH_P_ARP)
	from := time.Now()
	mustSet(t, r, on([]string{"near0"}, many(400)...))
	announced := map[netip.Addr]bool{}
	receive(t, arps, "the first announcement of each address", func(frame []byte) bool {
		if p, ok := parseARP(frame); ok && p.sender == p.target && !p.reply {
			announced[p.sender] = true
		}
		return len(announced) == 400
	})
	if took := time.Since(from); took < 290*time.Millisecond {
		t.Errorf("announced within %v", took)
	}
}

// TestConflictDetector_ProbesWithinItsBudget: of 2,000 new addresses, which take 6,000 probes, a part is held after a second, and
// all after 6 s. Waiting for the budget costs no further probes, and looks for those that are held come last.
func TestConflictDetector_ProbesWithinItsBudget(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		d := newConflictDetector(slog.New(slog.DiscardHandler), newMetrics(nil), 1000)
		var desired []announce.Layer2Address
		for _, addr := range many(2000) {
			desired = append(desired, announce.Layer2Address{Addr: addr, Interfaces: []string{"eth0"}, Probe: true})
		}
		d.setAddresses(desired)
		var sent senderRecorder
		held, looks, begin := 0, 0, time.Now()
		for {
			do := d.due(time.Now())
			for _, v := range do.probes {
				sent.all = append(sent.all, time.Since(begin))
				if d.holds(v.addr) {
					looks++
				}
			}
			if held += len(do.free); time.Since(begin) > time.Second && held < 250 {
				t.Fatalf("%d addresses are held after %v", held, time.Since(begin))
			}
			if held == len(desired) {
				break
			}
			time.Sleep(d.untilNext(time.Now()))
		}
		if took := time.Since(begin); len(sent.all)-looks != 3*len(desired) || took > 6500*time.Millisecond {
			t.Errorf("%d probes in %v", len(sent.all), took)
		}
		if most := sent.mostWithin(time.Second); most > 1100 {
			t.Errorf("%d probes in a second", most)
		}
	})
}
