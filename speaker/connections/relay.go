package connections

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"math"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/daymark-lb/daymark/internal/core/handover"
	"github.com/daymark-lb/daymark/internal/core/lb"
	"github.com/daymark-lb/daymark/internal/progress"
)

const (
	// lease is for how long the kernel keeps what it was told last. A restart of the speaker takes less, with the time to pull an
	// image; a node that died meanwhile is asked in vain for no longer.
	lease = 3 * time.Minute
	// renewals are how many there are in a lease.
	renewals = 6
	// grace is how long what the kernel does stays though it cannot be told whether it still works: kube-proxy may restart or change its
	// mode, and the kernel be short of memory.
	grace = time.Minute
	// retryInterval is when to try again what may have failed for a moment.
	retryInterval = time.Second
	// countInterval is the least time between two counts.
	countInterval = 2 * time.Second
	// tellInterval is the least time between two words of numbers that have changed. That an address has no connection left any more, or has
	// some again, is said at once.
	tellInterval = 10 * time.Second
	// countShare bounds the share of the time that is spent with counting, and with forgetting: one part in so many.
	countShare = 50
)

// DefaultRate is how many packets a second a node passes on at most. With the receive offloads that are usual a packet here is up to
// 64 KiB.
const DefaultRate = 200_000

// Config of a Relay.
type Config struct {
	Log        *slog.Logger
	Registerer prometheus.Registerer
	// Rate is how many packets a second are passed on at most, by family; 0: DefaultRate. Those of one address may be three
	// quarters of them. More are dropped.
	Rate uint64
}

// Relay has the kernel pass packets on. Its methods may be called by several goroutines.
type Relay struct {
	steps   progress.Steps
	log     *slog.Logger
	rate    uint64
	lease   time.Duration
	grace   time.Duration
	changes chan struct{}
	// again has Start try again soon.
	again chan struct{}
	// wake has Start count as soon as it may.
	wake chan struct{}
	// hurry has Start ask the nodes that are silent.
	hurry chan struct{}
	// pass has Start forget what has ended of the addresses with new passages.
	pass chan struct{}
	// written has Start look whether there are tables, and foreign tells it that others have changed them.
	written, foreign chan struct{}
	ports            *ports
	forgetting       forgetting
	mending          mending

	mu sync.Mutex
	// desired is the newest plan; isSet: there is one. Before, the kernel is left as it is.
	desired handover.Plan
	isSet   bool
	// failed: the kernel has not taken the whole plan.
	failed bool
	// doubt is since when it cannot be told whether a service proxy is there; zero: it can. looked: one was seen there.
	doubt  time.Time
	looked bool
	// until is how long each counted address is remembered.
	until map[netip.Addr]time.Time
	// tables are those of the kernel, by family.
	tables [2]*table
	// refused says why a passage of the plan is not laid, by the node that it leads to.
	refused map[netip.Addr]string
	// unable is why nothing is passed on, or not of both families; "": it works, as far as is known. only is the one of which packets are.
	unable string
	only   lb.Family
	// plugin is a network plugin that may serve Services; "": none is seen.
	plugin string
	// asked are the nodes that packets are passed on to, and whether they answer on the segment.
	asked map[netip.Addr]*nextNode
	// left is what was counted last, for addresses that are counted; nil for all: unknown.
	left map[netip.Addr]int
	// due is when to count next at the earliest.
	due time.Time
	// told is when Changes told of numbers; untold: they have changed since.
	told   time.Time
	untold bool
}

// New returns a Relay that leaves the kernel as it is until Set. A nil log means slog's default.
func New(config Config) *Relay {
	if config.Log == nil {
		config.Log = slog.Default()
	}
	if config.Rate == 0 {
		config.Rate = DefaultRate
	}
	r := &Relay{
		log: config.Log, rate: config.Rate, lease: lease, grace: grace,
		changes: make(chan struct{}, 1), wake: make(chan struct{}, 1), again: make(chan struct{}, 1), hurry: make(chan struct{}, 1),
		pass: make(chan struct{}, 1), written: make(chan struct{}, 1), foreign: make(chan struct{}, 1), ports: &ports{},
		tables: [2]*table{newTable(ipv4), newTable(ipv6)}, refused: map[netip.Addr]string{}, asked: map[netip.Addr]*nextNode{},
	}
	for _, t := range r.tables {
		t.ports = r.ports
	}
	if config.Registerer != nil {
		config.Registerer.MustRegister(collector{r})
	}
	return r
}

// Set has the kernel pass on what a plan says, and nothing else; of an empty one nothing is left in the kernel. It may be called
// before Start. Where that cannot work, nothing is passed on, and Unable says why. An error means that the kernel may still do what it
// did before.
func (r *Relay) Set(_ context.Context, plan handover.Plan) error {
	changed, err := r.set(plan)
	if changed {
		r.forgetSoon(plan.Passages, plan.Asked)
	}
	return err
}

// set is Set without what has ended, and tells whether the plan is another.
func (r *Relay) set(plan handover.Plan) (changed bool, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	until, same := r.deadlines(plan.Counted)
	if r.isSet && !r.failed && same && slices.Equal(plan.Passages, r.desired.Passages) {
		r.hasten(plan.Asked)
		return false, nil // The renewal repairs what failed or was changed by others.
	}
	r.hasten(plan.Asked)
	r.desired = handover.Plan{Passages: slices.Clone(plan.Passages), Counted: slices.Clone(plan.Counted), Asked: r.desired.Asked}
	r.isSet = true
	more := false
	for addr := range until {
		if _, known := r.until[addr]; !known {
			more = true
		}
	}
	r.until = until
	maps.DeleteFunc(r.left, func(addr netip.Addr, _ int) bool { _, counted := until[addr]; return !counted })
	if more {
		notify(r.wake)
	}
	return true, r.apply(false)
}

// hasten has Start ask nodes that are silent, more often than others. The caller holds mu.
func (r *Relay) hasten(asked []netip.Addr) {
	if slices.Equal(asked, r.desired.Asked) {
		return
	}
	r.desired.Asked = slices.Clone(asked)
	notify(r.hurry)
}

// deadlines are until when the addresses of a plan are counted, and whether those are the ones of the plan before. Passes say how much
// time is left, so that it differs a little each time. The caller holds mu.
func (r *Relay) deadlines(counted []handover.Counted) (until map[netip.Addr]time.Time, same bool) {
	now := time.Now()
	until, same = make(map[netip.Addr]time.Time, len(counted)), len(counted) == len(r.until)
	for _, c := range counted {
		at := now.Add(c.For)
		if known, is := r.until[c.Addr]; is && at.Sub(known).Abs() < time.Second {
			at = known
		} else {
			same = false
		}
		until[c.Addr] = at
	}
	return until, same
}

// timers are when Start does what.
type timers struct {
	renew, ask                 *time.Ticker
	count, retry, forget, mend *time.Timer
}

func (r *Relay) newTimers() *timers {
	return &timers{
		renew: time.NewTicker(r.lease / renewals), ask: time.NewTicker(askInterval), count: time.NewTimer(countInterval),
		retry: time.NewTimer(retryInterval), forget: time.NewTimer(0), mend: time.NewTimer(math.MaxInt64),
	}
}

func (t *timers) stop() {
	t.renew.Stop()
	t.ask.Stop()
	for _, timer := range []*time.Timer{t.count, t.retry, t.forget, t.mend} {
		timer.Stop()
	}
}

// Start renews what the kernel was told, writes anew what others have changed of it, and counts connections, until ctx ends. What the kernel
// does then goes on for at most lease.
func (r *Relay) Start(ctx context.Context) error {
	t := r.newTimers()
	defer t.stop()
	var w *watch
	defer func() { w.stop() }()
	r.step(r.lookBeside)
	r.step(func() { r.write(false) })
	for r.next(ctx, t) {
		r.step(func() { w = r.watchTables(w) })
	}
	return nil
}

// next waits for what is to be done next, and does it; false: ctx has ended.
func (r *Relay) next(ctx context.Context, t *timers) bool {
	select {
	case <-ctx.Done():
		return false
	case <-t.renew.C:
		r.step(r.lookBeside)
		r.step(r.renew)
	case <-r.again:
		t.retry.Reset(retryInterval)
	case <-t.retry.C:
		r.step(r.retry)
	case <-t.ask.C:
		r.step(r.askNext)
	case <-r.hurry:
		r.step(func() { t.ask.Reset(r.askEvery()); r.askNext() })
	case <-r.pass:
		r.step(func() { t.forget.Reset(r.forgetting.wait()) })
	case <-t.forget.C:
		r.step(r.forgetEnded)
	case <-r.wake:
		r.step(func() { t.count.Reset(r.dueIn()) })
	case <-t.count.C:
		r.step(func() { t.count.Reset(r.count()) })
	case <-r.foreign:
		t.mend.Reset(r.mending.wait())
	case <-t.mend.C:
		r.step(r.mend)
	case <-r.written:
	}
	return true
}

// step takes a step of the loop.
func (r *Relay) step(do func()) {
	defer r.steps.Begin("keeps open connections")()
	do()
}

// Alive returns an error when a step does not come to its end.
func (r *Relay) Alive() error { return r.steps.Stuck(progress.StuckAfter) }

// askEvery is how often nodes are asked.
func (r *Relay) askEvery() time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.desired.Asked) > 0 {
		return hurry
	}
	return askInterval
}

// Kept returns what the kernel still does of an earlier run of the speaker, as a plan: no passages, lease after its end at the latest, the
// addresses that it counted, each until its time is up, and all others with open connections, for unknown time: a run that was killed had
// addresses, and could not say so. It is for the first plan, and needs the right NET_ADMIN.
func (r *Relay) Kept() (handover.Plan, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var plan handover.Plan
	for _, t := range r.tables {
		entries, err := t.read()
		if err != nil {
			return handover.Plan{}, fmt.Errorf("read the table %s of nftables: %w", t.family, err)
		}
		for _, e := range entries {
			if e.next.IsValid() && e.hops > 0 {
				plan.Passages = append(plan.Passages, handover.Passage{Addr: e.addr, Via: e.next, Hops: e.hops})
			}
			if e.moved {
				plan.Counted = append(plan.Counted, handover.Counted{Addr: e.addr, For: time.Until(e.until)})
			}
		}
	}
	plan.Counted = withOpen(plan.Counted)
	return plan, nil
}

// Unable says why nothing is passed on, or only packets of one family, in words for the operator of the node; "": it works as far as is known. Start finds
// it out, and looks again every half minute, also while nothing is to be passed on. Changes tells of a change.
func (r *Relay) Unable() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.unable
}

// Only returns the family of which packets are passed on where, by Unable, those of the other are not; 0: those of both are, or of none.
func (r *Relay) Only() lb.Family {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.only
}

// Sure reports whether what Unable says is certain: not before the first look, nor where rules of a kube-proxy are missing that may just be
// starting.
func (r *Relay) Sure() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.unable != "" || r.looked && r.doubt.IsZero()
}

// Refused says of the next nodes of passages that are not laid why they are not, in order: by the routes of this node they are no neighbors.
func (r *Relay) Refused() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var whys []string
	for _, node := range slices.SortedFunc(maps.Keys(r.refused), netip.Addr.Compare) {
		whys = append(whys, r.refused[node])
	}
	return whys
}

// Left returns how many open TCP connections this node has for each address that is counted. An address that is missing has not been
// counted, or cannot be. Connections from the node's own addresses and its pods are left out: they end with the node.
func (r *Relay) Left() map[netip.Addr]int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return maps.Clone(r.left)
}

// Changes wakes its one receiver after Left, Unable, Only, Sure, Refused, Beside, Unreachable or Answered has changed; of numbers that only grow or shrink only now and then.
func (r *Relay) Changes() <-chan struct{} { return r.changes }

// notify wakes the one receiver of a channel.
func notify(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
