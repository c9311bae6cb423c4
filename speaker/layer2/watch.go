package layer2

import (
	"log/slog"
	"math/rand/v2"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/daymark-lb/daymark/internal/core/announce"
	"github.com/daymark-lb/daymark/internal/core/lb"
)

// grain is how exactly the watch keeps its times: what falls due within it is done together.
const grain = 10 * time.Millisecond

// vip is an address that was asked for; one that went and came again is another one.
type vip struct {
	// held: it is answered. The receivers read it for every question.
	held atomic.Bool
	// acd is guarded by the watch.
	acd acd
}

// watch knows for each address that was asked for whether it is ours to answer.
type watch struct {
	log     *slog.Logger
	metrics *metrics
	// scatter returns numbers in [0, 1).
	scatter func() float64
	// wake tells that something has become due.
	wake chan struct{}

	mu   sync.Mutex
	vips map[netip.Addr]*vip
	// busy are those that have something due: few, most of the time.
	busy map[netip.Addr]*vip
}

func newWatch(log *slog.Logger, m *metrics) *watch {
	return &watch{
		log: log, metrics: m, scatter: rand.Float64, wake: make(chan struct{}, 1),
		vips: map[netip.Addr]*vip{}, busy: map[netip.Addr]*vip{},
	}
}

// follow makes the watch know these addresses and no others, and sorts them by socket.
func (w *watch) follow(addresses []announce.Layer2Address) map[place]table {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := time.Now()
	vips, want := make(map[netip.Addr]*vip, len(addresses)), map[place]table{}
	for _, address := range addresses {
		v := w.vips[address.Addr]
		if v == nil {
			v = &vip{acd: newACD(now, address.Probe)}
			v.held.Store(v.acd.holding)
			w.vips[address.Addr] = v
			w.plan(address.Addr, v)
		}
		vips[address.Addr] = v
		for _, name := range address.Interfaces {
			where := place{name: name, family: lb.FamilyOf(address.Addr)}
			if want[where] == nil {
				want[where] = table{}
			}
			want[where][address.Addr] = v
		}
	}
	for addr, v := range w.vips {
		if vips[addr] == nil {
			w.ended(addr, v.acd.rival)
			delete(w.busy, addr)
		}
	}
	w.vips = vips
	return want
}

// restart looks for owners anew where interfaces have come.
func (w *watch) restart(addresses []netip.Addr) {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := time.Now()
	for _, addr := range addresses {
		if v := w.vips[addr]; v != nil {
			v.acd.restart(now)
			w.plan(addr, v)
		}
	}
	signal(w.wake)
}

// due returns what is to be done now: at most a burst of addresses to probe, all addresses that were found free, which
// are held from now on, and whether a conflict is over.
func (w *watch) due(now time.Time) (probes, taken []netip.Addr, settled bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for addr, v := range w.busy {
		if len(probes) == burst && v.acd.unsure(now) {
			continue // It comes next. What needs no probe need not wait.
		}
		rival := v.acd.rival
		switch v.acd.step(now, w.scatter()) {
		case doProbe:
			probes = append(probes, addr)
		case doTake:
			v.held.Store(true)
			taken = append(taken, addr)
			w.ended(addr, rival)
		case doSettle:
			settled = true
			w.ended(addr, rival)
		case doNothing:
		}
		w.plan(addr, v)
	}
	return probes, taken, settled
}

// unheard notes that no interface could carry the probe of an address.
func (w *watch) unheard(addr netip.Addr) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if v := w.vips[addr]; v != nil {
		v.acd.unheard(time.Now())
	}
}

// claimed notes the claim of a foreign host: began, when a conflict begins with it; defend, when the address is to be
// defended.
func (w *watch) claimed(c claim, on string) (began, defend bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	v := w.vips[c.addr]
	if v == nil {
		return false, false
	}
	if c.probe {
		began = v.acd.probedBy(time.Now(), c.by, on, w.scatter())
	} else {
		began, defend = v.acd.claimed(time.Now(), c.by, on, w.scatter())
	}
	w.plan(c.addr, v)
	if began {
		m := w.metrics.of(lb.FamilyOf(c.addr))
		m.contested.Inc()
		m.conflicts.Inc()
		w.log.Warn("a foreign host has an address of ours", "address", c.addr, "mac", c.by.String(), "interface", on,
			"held", v.acd.holding)
	}
	return began, defend
}

// pardon ends the conflicts with hosts that turned out to be friends; it reports whether there were any.
func (w *watch) pardon(friend func(mac) bool) (some bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := time.Now()
	for addr, v := range w.busy {
		rival := v.acd.rival
		if v.acd.pardon(now, friend) {
			some = true
			w.ended(addr, rival)
			w.plan(addr, v)
		}
	}
	if some {
		signal(w.wake)
	}
	return some
}

// next is how long to wait for what is due next.
func (w *watch) next(now time.Time) time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	wait := time.Hour // Whatever falls due earlier wakes us.
	for _, v := range w.busy {
		wait = min(wait, v.acd.due.Sub(now))
	}
	return max(wait, grain)
}

// ended says that a conflict is over, if there was one.
func (w *watch) ended(addr netip.Addr, rival *rival) {
	if rival == nil {
		return
	}
	w.metrics.of(lb.FamilyOf(addr)).conflicts.Dec()
	w.log.Info("the conflict over an address is over", "address", addr, "mac", rival.mac.String(), "since", rival.since)
}

// plan keeps the list of those that have something due, and tells of one that is new there; what is not, was waited
// for. The caller holds mu.
func (w *watch) plan(addr netip.Addr, v *vip) {
	if v.acd.due.IsZero() {
		delete(w.busy, addr)
		return
	}
	if w.busy[addr] != v {
		w.busy[addr] = v
		signal(w.wake)
	}
}
