package layer2

import (
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/bubble"
	"github.com/daymark-lb/daymark/internal/core/announce"
	"github.com/daymark-lb/daymark/internal/core/lb"
	"github.com/daymark-lb/daymark/internal/core/shares"
)

// TestConflictDetector_LeavesNothingThatIsDue: whatever happens to addresses, what is due is done by the next look, but for probes that
// there is no budget for, and the next look is in time.
func TestConflictDetector_LeavesNothingThatIsDue(t *testing.T) {
	for seed := range uint64(20) {
		t.Run(strconv.FormatUint(seed, 10), func(t *testing.T) {
			bubble.Test(t, func(t *testing.T) { testNothingLeft(t, rand.New(rand.NewPCG(seed, 0))) })
		})
	}
}

func testNothingLeft(t *testing.T, random *rand.Rand) {
	d := newConflictDetector(slog.New(slog.DiscardHandler), newMetrics(nil), 100)
	d.jitter = random.Float64
	all := many(300)
	foreign := mac{2, 0, 0, 0, 0, 9}
	for range 2000 {
		addr := all[random.IntN(len(all))]
		switch random.IntN(100) {
		case 0:
			d.setAddresses(someAddresses(random, all))
		case 1:
			d.restartProbing(slices.Collect(maps.Keys(d.pending)))
		case 2:
			d.clearConflicts(func(mac) bool { return true })
		case 3, 4, 5, 6:
			d.addressInUse(addressUse{addr: addr, by: foreign, probe: random.IntN(3) == 0}, owner{}, anyInterface(random))
		case 7:
			d.probeFailed(&vip{addr: addr, on: "eth0"}) // not desired any more
		}
		now := time.Now()
		do := d.due(now)
		budgets := map[string]float64{} // Without what is given back below.
		for name, l := range d.queue.lines {
			budgets[name] = l.budget.tokens
		}
		for _, v := range do.probes {
			if random.IntN(50) == 0 {
				d.probeFailed(v)
			}
		}
		wait := d.untilNext(now)
		checkNothingLeft(t, d, now, wait, budgets)
		time.Sleep(min(wait, time.Duration(random.IntN(int(time.Second)))))
	}
}

var someInterfaces = [][]string{{"eth0"}, {"eth0"}, {"eth1"}, {"eth0", "eth1"}}

func anyInterface(random *rand.Rand) string { return []string{"eth0", "eth1"}[random.IntN(2)] }

// someAddresses are some of the addresses, as they may be desired.
func someAddresses(random *rand.Rand, all []netip.Addr) (some []announce.Layer2Address) {
	detections := []v1beta1.ConflictDetection{"", v1beta1.ConflictProbe, v1beta1.ConflictWarn, v1beta1.ConflictOff}
	for _, addr := range all {
		if random.IntN(3) > 0 {
			some = append(some, announce.Layer2Address{
				Addr: addr, Interfaces: someInterfaces[random.IntN(len(someInterfaces))], Probe: random.IntN(4) > 0, OnTrial: random.IntN(2) == 0,
				KernelsAnswer: random.IntN(20) == 0, Detection: detections[random.IntN(len(detections))],
			})
		}
	}
	return some
}

func checkNothingLeft(t *testing.T, d *conflictDetector, now time.Time, wait time.Duration, budgets map[string]float64) {
	t.Helper()
	d.mu.Lock()
	defer d.mu.Unlock()
	var disputed float64
	for addr, places := range d.vips {
		if slices.ContainsFunc(places, func(v *vip) bool { return v.acd.conflict != nil && v.acd.conflict.certain }) {
			disputed++
		}
		for _, v := range places {
			checkNothingLeftFor(t, d, now, wait, budgets, v)
		}
		if len(places) == 0 {
			t.Fatalf("%s has no interface", addr)
		}
	}
	if got := testutil.ToFloat64(d.metrics.of(lb.IPv4).conflicts); got != disputed {
		t.Fatalf("the metric counts %v conflicts, and there are %v", got, disputed)
	}
}

func checkNothingLeftFor(t *testing.T, d *conflictDetector, now time.Time, wait time.Duration, budgets map[string]float64, v *vip) {
	t.Helper()
	addr, due := v.addr, v.acd.due
	if d.pending[v] == due.IsZero() {
		t.Fatalf("%s is due %v, pending: %v", addr, due, d.pending[v])
	}
	_, probe := v.acd.turnOf(now)
	budget, waits := budgets[v.on]
	switch {
	case due.IsZero():
	case due.After(now) && due.Sub(now) < wait && wait > timerGranularity:
		t.Fatalf("%s is due in %v, and the next look is in %v", addr, due.Sub(now), wait)
	case !due.After(now) && (!probe || !waits || budget >= 1):
		t.Fatalf("%s was left, with a budget of %v (probe: %v)", addr, budget, probe)
	case !due.After(now) && wait > time.Second/100+time.Millisecond:
		t.Fatalf("%s waits for a budget, and the next look is in %v", addr, wait)
	}
}

// The probes of more addresses than the budget has fail on an interface without a socket, again and again.
func TestConflictDetector_AnInterfaceThatCannotSendTakesNoBudget(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		d := newConflictDetector(slog.New(slog.DiscardHandler), newMetrics(nil), 100)
		var desired []announce.Layer2Address
		for _, addr := range many(1000) {
			desired = append(desired, announce.Layer2Address{Addr: addr, Interfaces: []string{"eth1"}, Probe: true})
		}
		look := func(long time.Duration) {
			for end := time.Now().Add(long); time.Now().Before(end); time.Sleep(d.untilNext(time.Now())) {
				for _, v := range d.due(time.Now()).probes {
					if v.on == "eth1" {
						d.probeFailed(v)
					}
				}
			}
		}
		d.setAddresses(desired)
		look(3 * time.Second)
		d.setAddresses(append(desired, announce.Layer2Address{Addr: vip4, Interfaces: []string{"eth0"}, Probe: true}))
		look(time.Second)
		if !d.holds(vip4) {
			t.Error("an address of another interface is not held after a second")
		}
	})
}

// Each interface has a budget of its own: to probe on three takes as long as on one.
func TestConflictDetector_EachInterfaceHasABudget(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		interfaces := []string{"eth0", "eth1", "eth2"}
		d := newConflictDetector(slog.New(slog.DiscardHandler), newMetrics(nil), 100)
		var desired []announce.Layer2Address
		for _, addr := range many(300) {
			desired = append(desired, announce.Layer2Address{Addr: addr, Interfaces: interfaces, Probe: true})
		}
		d.setAddresses(desired)
		sent := map[string]*senderRecorder{}
		for _, name := range interfaces {
			sent[name] = &senderRecorder{}
		}
		begin, held := time.Now(), 0
		for ; held < len(desired)*len(interfaces); time.Sleep(d.untilNext(time.Now())) {
			do := d.due(time.Now())
			for _, v := range do.probes {
				sent[v.on].all = append(sent[v.on].all, time.Since(begin))
			}
			held += len(do.free)
		}
		if took := time.Since(begin); took > 10*time.Second {
			t.Errorf("900 probes on each of three interfaces at 100 a second took %v", took)
		}
		for name, frames := range sent {
			if most := frames.mostWithin(time.Second); most > 110 {
				t.Errorf("%d probes in a second on %s", most, name)
			}
		}
		time.Sleep(time.Minute)
		d.due(time.Now())
		if d.due(time.Now()); len(d.queue.lines) != 0 {
			t.Errorf("%d interfaces are remembered that nothing waits for", len(d.queue.lines))
		}
	})
}

// An interface that was just added to a shared address does not know yet how it is shared.
func TestConflictDetector_ServesWithOthersOnAnAddedInterface(t *testing.T) {
	d := newConflictDetector(slog.New(slog.DiscardHandler), newMetrics(nil), 100)
	address := announce.Layer2Address{Addr: vip4, Interfaces: []string{"eth1"}, Sharing: &announce.Sharing{
		Table: shares.Divide(shares.Table{}, []string{"n1", "n2"}),
	}}
	d.setAddresses([]announce.Layer2Address{address})
	d.setSharing([]announce.Layer2Address{address})
	address.Interfaces = []string{"eth0", "eth1"}
	d.setAddresses([]announce.Layer2Address{address})
	if !d.servesWith(addressUse{addr: vip4}, "n2") {
		t.Error("the other node counts as a rival")
	}
}

// BenchmarkConflictDetector_NewAddresses is what the detector itself takes for so many new addresses, from the first probe until all are
// proven, by a clock of its own. Nothing in it grows with the square of their number.
func BenchmarkConflictDetector_NewAddresses(b *testing.B) {
	for _, count := range []int{1000, 10000, 30000} {
		b.Run(fmt.Sprint(count), func(b *testing.B) {
			var desired []announce.Layer2Address
			for _, addr := range many(count) {
				desired = append(desired, announce.Layer2Address{Addr: addr, Interfaces: []string{"eth0"}, Probe: true})
			}
			for b.Loop() {
				d := newConflictDetector(slog.New(slog.DiscardHandler), newMetrics(nil), DefaultAnnouncementRate)
				d.setAddresses(desired)
				for now := time.Now(); len(d.pending) > 0; now = now.Add(d.untilNext(now)) {
					d.due(now)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N*count), "µs/address")
		})
	}
}
