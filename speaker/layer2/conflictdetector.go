package layer2

import (
	"log/slog"
	"math/rand/v2"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/core/announce"
	"github.com/daymark-lb/daymark/internal/core/lb"
)

// timerGranularity is the precision of the detector's timer: what is due within it is done together.
const timerGranularity = 10 * time.Millisecond

// vip is a desired address with its state. An address that is removed and added again gets a new one.
type vip struct {
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

	mu   sync.Mutex
	vips map[netip.Addr]*vip
	// pending are the addresses with something due: few, most of the time.
	pending map[netip.Addr]*vip
	// queue has those of pending, in the order in which they are due.
	queue dueQueue
	// budget for probes. An interface sends no more than all of them.
	budget budget
	// released were left to other hosts, and are still announced for a moment.
	released []netip.Addr
}

func newConflictDetector(log *slog.Logger, m *metrics, rate int) *conflictDetector {
	return &conflictDetector{
		log: log, metrics: m, jitter: rand.Float64, wake: make(chan struct{}, 1),
		vips: map[netip.Addr]*vip{}, pending: map[netip.Addr]*vip{}, budget: newBudget(rate, time.Now()),
	}
}

// setAddresses makes the detector follow these addresses and no others. It returns them by socket.
func (d *conflictDetector) setAddresses(addresses []announce.Layer2Address) map[socketKey]addressSet {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := time.Now()
	vips, byKey := make(map[netip.Addr]*vip, len(addresses)), map[socketKey]addressSet{}
	for _, address := range addresses {
		v := d.vips[address.Addr]
		if v == nil {
			v = &vip{acd: newACD(now, address.Probe, address.Detection)}
			v.acd.late = address.Withheld
			if address.OnTrial {
				v.acd.goOnProving(now)
			}
			v.held.Store(v.acd.holding)
			d.vips[address.Addr] = v
			d.reschedule(address.Addr, v)
		}
		if v.acd.detection != address.Detection {
			v.acd.setDetection(now, address.Detection)
			d.reschedule(address.Addr, v)
			notify(d.wake)
		}
		d.setKernelsAnswer(now, address.Addr, v, address.KernelsAnswer)
		v.looksAgain.Store(address.Detection != v1beta1.ConflictOff && !address.KernelsAnswer)
		vips[address.Addr] = v
		for _, name := range address.Interfaces {
			key := socketKey{name: name, family: lb.FamilyOf(address.Addr)}
			if byKey[key] == nil {
				byKey[key] = addressSet{}
			}
			byKey[key][address.Addr] = v
		}
	}
	for addr, v := range d.vips {
		if vips[addr] == nil {
			d.conflictEnded(addr, v.acd.conflict)
			delete(d.pending, addr)
		}
	}
	d.vips = vips
	return byKey
}

// setKernelsAnswer notes whether the kernels of other nodes answer for an address, which ends a conflict with one of them. The caller
// holds mu.
func (d *conflictDetector) setKernelsAnswer(now time.Time, addr netip.Addr, v *vip, answer bool) {
	v.kernelsAnswer = answer
	if host := v.acd.conflict; answer && v.acd.endConflictWithNode(now) {
		d.conflictEnded(addr, host)
		d.reschedule(addr, v)
		notify(d.wake)
	}
}

// kernelsAnswer reports whether the kernels of other nodes answer for an address.
func (d *conflictDetector) kernelsAnswer(addr netip.Addr) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	v := d.vips[addr]
	return v != nil && v.kernelsAnswer
}

// restartProbing probes addresses from the beginning, because interfaces were added.
func (d *conflictDetector) restartProbing(addresses []netip.Addr) {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := time.Now()
	for _, addr := range addresses {
		if v := d.vips[addr]; v != nil {
			v.acd.restart(now)
			d.reschedule(addr, v)
		}
	}
	notify(d.wake)
}

// dueNow is what has to be done about addresses now.
type dueNow struct {
	// probes to send, as far as the budget goes.
	probes []netip.Addr
	// free were found free and are held from now on, released were left to other hosts.
	free, released []netip.Addr
	// ended: a conflict about a held address is over.
	ended bool
}

// The order in which the budget is spent: rounds of probes that have begun come first, so that of thousands of new addresses some are
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
	for current := range turns {
		if !d.dueInTurn(now, current, &do) {
			break // What finds no budget stays due; the next call is soon.
		}
	}
	return do
}

// step does what is due about one address, and adds what is left to do. The caller holds mu.
func (d *conflictDetector) step(now time.Time, addr netip.Addr, v *vip, do *dueNow) {
	host := v.acd.conflict
	switch v.acd.step(now, d.jitter()) {
	case doProbe, doLook:
		do.probes = append(do.probes, addr)
	case doHold:
		v.held.Store(true)
		do.free = append(do.free, addr)
		if v.acd.conflict == nil {
			d.conflictEnded(addr, host)
		}
	case doEndConflict:
		do.ended = true
		d.conflictEnded(addr, host)
	case doNothing:
	}
}

// probeFailed records that no interface could send the probe of an address.
func (d *conflictDetector) probeFailed(addr netip.Addr) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if v := d.vips[addr]; v != nil {
		v.acd.probeFailed(time.Now())
		d.reschedule(addr, v)
	}
}

// holds reports whether an address is answered.
func (d *conflictDetector) holds(addr netip.Addr) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	v := d.vips[addr]
	return v != nil && v.acd.holding
}

// addressInUse records that a foreign host, or another node of the cluster, uses an address. began: a conflict begins with it. defend: the address has
// to be defended.
func (d *conflictDetector) addressInUse(u addressUse, by owner, interfaceName string) (began, defend bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	v := d.vips[u.addr]
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
		d.released = append(d.released, u.addr)
		notify(d.wake)
	}
	d.reschedule(u.addr, v)
	if began {
		m := d.metrics.of(lb.FamilyOf(u.addr))
		m.conflictsBegun.Inc()
		m.conflicts.Inc()
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
	for addr, v := range d.pending {
		host := v.acd.conflict
		if v.acd.clearConflict(now, inCluster) {
			ended = true
			d.conflictEnded(addr, host)
			d.reschedule(addr, v)
		}
	}
	if ended {
		notify(d.wake)
	}
	return ended
}

// conflictEnded counts and logs the end of a conflict; nil: there was none.
func (d *conflictDetector) conflictEnded(addr netip.Addr, host *conflictingHost) {
	if host == nil || !host.certain {
		return
	}
	d.metrics.of(lb.FamilyOf(addr)).conflicts.Dec()
	d.log.Info("the conflict about an address is over", "address", addr, "mac", host.mac.String(), "since", host.since)
}

// reschedule keeps pending and the queue up to date for one address and wakes detectConflicts if the address is new there. The time
// of one that was pending already is known to it. The caller holds mu.
func (d *conflictDetector) reschedule(addr netip.Addr, v *vip) {
	if v.acd.due.IsZero() {
		delete(d.pending, addr)
		v.queued = time.Time{}
		return
	}
	d.schedule(addr, v)
	if d.pending[addr] != v {
		d.pending[addr] = v
		notify(d.wake)
	}
}
