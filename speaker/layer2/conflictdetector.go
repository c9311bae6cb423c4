package layer2

import (
	"log/slog"
	"maps"
	"math/rand/v2"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/daymark-lb/daymark/internal/core/announce"
	"github.com/daymark-lb/daymark/internal/core/lb"
)

// timerGranularity is the precision of the detector's timer: what is due within it is done together.
const timerGranularity = 10 * time.Millisecond

// vip is a desired address on one interface, with its state there: what is one address to us may have a foreign owner on one segment and be
// free on another. One that is removed and added again gets a new one.
type vip struct {
	addr netip.Addr
	on   string
	// held: the address is answered. The receivers read it for every request.
	held atomic.Bool
	// sharing is how the address is shared; nil: it never is. The receivers read it, too.
	sharing atomic.Pointer[announce.Sharing]
	// acd is guarded by the mutex of the conflictDetector.
	acd acd
	// queued is the time of its acd for which it is in the queue of the conflictDetector; guarded by the same.
	queued time.Time
	// kernelsAnswer as in announce.Layer2Address, guarded by the same.
	kernelsAnswer bool
	// looksAgain: the answers of others are a conflict, so it is worth while to probe from time to time. It is read by the announcer.
	looksAgain atomic.Bool
}

// conflictDetector runs Address Conflict Detection for all desired addresses.
type conflictDetector struct {
	log     *slog.Logger
	metrics *metrics
	// jitter returns numbers in [0, 1).
	jitter func() float64
	// wake says that pending has a new address.
	wake chan struct{}

	mu sync.Mutex
	// vips of each desired address, in the order of its interfaces.
	vips map[netip.Addr][]*vip
	// left are interfaces that were taken from addresses which were answered there, and stayed on others.
	left map[placeKey]leftPlace
	// pending are those with something due: few, most of the time.
	pending map[*vip]bool
	// queue has those of pending, in the order in which they are due.
	queue dueQueue
	// released were left to other hosts, and are still announced for a moment.
	released []*vip
}

func newConflictDetector(log *slog.Logger, m *metrics, rate int) *conflictDetector {
	return &conflictDetector{
		log: log, metrics: m, jitter: rand.Float64, wake: make(chan struct{}, 1),
		vips: map[netip.Addr][]*vip{}, left: map[placeKey]leftPlace{}, pending: map[*vip]bool{}, queue: newDueQueue(rate),
	}
}

// restartProbing probes addresses from the beginning, because interfaces were added.
func (d *conflictDetector) restartProbing(added []*vip) {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := time.Now()
	for _, v := range added {
		if d.desired(v) {
			v.acd.restart(now)
			d.reschedule(v)
		}
	}
	notify(d.wake)
}

// dueNow is what has to be done about addresses now.
type dueNow struct {
	// probes to send, as far as the budgets go.
	probes []*vip
	// free were found free and are held from now on, released were left to other hosts.
	free, released []*vip
	// ended: a conflict about a held address is over.
	ended bool
}

// The order in which a budget is spent: rounds of probes that have begun come first, so that of thousands of new addresses some are
// ready soon, and looks for those that are ready come last.
const (
	turnOfOthers = iota
	turnOfFirstProbes
	turnOfLooks
	turns
)

// turnOf is when an address has its turn among those that are due, and whether it needs a probe then.
func (d *acd) turnOf(now time.Time) (turn int, probe bool) {
	switch probe := d.probeDue(now); {
	case d.lookDue(now):
		return turnOfLooks, true
	case probe && d.probes == 0:
		return turnOfFirstProbes, true
	default:
		return turnOfOthers, probe
	}
}

// due returns what has to be done now.
func (d *conflictDetector) due(now time.Time) (do dueNow) {
	d.mu.Lock()
	defer d.mu.Unlock()
	do.released, d.released = d.released, nil
	d.dueLater(now, &do)
	for _, name := range slices.Sorted(maps.Keys(d.queue.lines)) {
		d.dueOn(now, name, &do)
	}
	return do
}

// step does what is due about one address, and adds what is left to do. The caller holds mu.
func (d *conflictDetector) step(now time.Time, v *vip, do *dueNow) {
	host := v.acd.conflict
	switch v.acd.step(now, d.jitter()) {
	case doProbe, doLook:
		do.probes = append(do.probes, v)
	case doHold:
		v.held.Store(true)
		do.free = append(do.free, v)
		if v.acd.conflict == nil {
			d.conflictEnded(v, host)
		}
	case doEndConflict:
		do.ended = true
		d.conflictEnded(v, host)
	case doNothing:
	}
}

// probeFailed records that the probe of an address could not be sent.
func (d *conflictDetector) probeFailed(v *vip) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.queue.giveBack(v.on)
	if d.desired(v) {
		v.acd.probeFailed(time.Now())
		d.reschedule(v)
	}
}

// addressInUse records that a foreign host, or another node of the cluster, uses an address. began: a conflict begins with it. defend: the address has
// to be defended.
func (d *conflictDetector) addressInUse(u addressUse, by owner, interfaceName string) (began, defend bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	v := d.vip(u.addr, interfaceName)
	if v == nil || by.other() && (v.acd.holding || v.kernelsAnswer) {
		return false, false
	}
	if v.shared() != nil && v.acd.conflict == nil {
		v.acd.provenAt = time.Time{} // Several nodes answer for it, and the one that let go would leave it to the others.
	}
	user := user{u.by, by, interfaceName}
	if u.probe {
		began = v.acd.probedBy(time.Now(), user, d.jitter())
	} else {
		began, defend = v.acd.addressInUse(time.Now(), user, d.jitter())
	}
	if v.held.Load() && !v.acd.holding {
		v.held.Store(false)
		d.released = append(d.released, v)
		notify(d.wake)
	}
	d.reschedule(v)
	if began {
		d.conflictBegan(v)
		d.log.Warn("another host uses an address of ours", "address", u.addr, "mac", u.by.String(), "interface", interfaceName,
			"held", v.acd.holding, "node", by.node, "nodeInterface", by.interfaceName)
	}
	return began, defend
}

// clearConflicts ends the conflicts with hosts that belong to the cluster, and reports whether there were any.
func (d *conflictDetector) clearConflicts(inCluster func(mac) bool) (ended bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := time.Now()
	for v := range d.pending {
		host := v.acd.conflict
		if v.acd.clearConflict(now, inCluster) {
			ended = true
			d.conflictEnded(v, host)
			d.reschedule(v)
		}
	}
	if ended {
		notify(d.wake)
	}
	return ended
}

// conflictBegan counts a conflict, once for each address. The caller holds mu.
func (d *conflictDetector) conflictBegan(v *vip) {
	if m := d.metrics.of(lb.FamilyOf(v.addr)); !d.disputedElsewhere(v) {
		m.conflictsBegun.Inc()
		m.conflicts.Inc()
	}
}

// conflictEnded counts and logs the end of a conflict; nil: there was none. The caller holds mu.
func (d *conflictDetector) conflictEnded(v *vip, host *conflictingHost) {
	if host == nil || !host.certain {
		return
	}
	if !d.disputedElsewhere(v) {
		d.metrics.of(lb.FamilyOf(v.addr)).conflicts.Dec()
	}
	d.log.Info("the conflict about an address is over", "address", v.addr, "mac", host.mac.String(), "interface", v.on, "since", host.since)
}

// reschedule keeps pending and the queue up to date for one address and wakes detectConflicts if the address is new there. The time
// of one that was pending already is known to it. The caller holds mu.
func (d *conflictDetector) reschedule(v *vip) {
	if v.acd.due.IsZero() {
		delete(d.pending, v)
		v.queued = time.Time{}
		return
	}
	d.schedule(v)
	if !d.pending[v] {
		d.pending[v] = true
		notify(d.wake)
	}
}
