package reconcile

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/daymark-lb/daymark/internal/core/announce"
	"github.com/daymark-lb/daymark/internal/core/ipam"
	"github.com/daymark-lb/daymark/internal/core/lb"
	"github.com/daymark-lb/daymark/internal/loop"
)

// retryAfter is when a pass looks again after a write was refused because its object had changed. The change itself
// wakes the loop; this is for the case that it was seen already.
const retryAfter = 100 * time.Millisecond

// Config of a loop.
type Config struct {
	// Namespace that Daymark runs in.
	Namespace string
	Classes   lb.Classes
	// Leader says whether this process may work. Nil: it always may.
	Leader *Leader
	// Options of the speakers, which the condition Announced depends on.
	Options    announce.Options
	Log        *slog.Logger
	Registerer prometheus.Registerer
}

// Loop is the controller's loop.
type Loop struct {
	namespace string
	classes   lb.Classes
	log       *slog.Logger
	now       func() time.Time
	client    client.Client
	// direct reads past the cache.
	direct  client.Reader
	herald  *herald
	options announce.Options
	metrics *metrics

	kinds   *kinds
	overlay overlay
	memory  ipam.Memory
	// cost of looking and deciding.
	cost loop.Cost
	// counted is when the counts of each pool were last written.
	counted map[string]time.Time
	// again is when to look again without being woken, from the pass that runs; 0 for never.
	again  time.Duration
	leader *Leader
	// term of leadership that the fields before belong to.
	term int
	// current: the cache is known to show all that was written before this process became the leader.
	current bool
	// behind are the Services that the cache does not show yet as they were when this process became the leader; nil before
	// they are known.
	behind map[types.UID]sighting
	// unwritable is the message about the gossip key that was logged last.
	unwritable string
}

// Add makes a loop and adds it to a manager, which runs it.
func Add(m manager.Manager, c Config) (*Loop, error) {
	l := &Loop{
		namespace: c.Namespace, classes: c.Classes, log: c.Log, now: time.Now,
		client: m.GetClient(), direct: m.GetAPIReader(), herald: newHerald(m.GetClient(), c.Log),
		options: c.Options, leader: c.Leader, metrics: newMetrics(c.Registerer),
		kinds: newKinds(m.GetCache()), overlay: overlay{}, counted: map[string]time.Time{},
	}
	if err := m.Add(l.herald); err != nil {
		return nil, fmt.Errorf("add to the manager: %w", err)
	}
	wiring := loop.Wiring{Name: "controller", Kinds: watched(), Cost: &l.cost}
	if l.leader != nil {
		wiring.Wakes = append(wiring.Wakes, l.leader.Changes())
	}
	return l, wiring.Add(m, l)
}

// Reconcile is one pass, if this process leads.
func (l *Loop) Reconcile(ctx context.Context, _ loop.Wake) (again reconcile.Result, err error) {
	if l.leader == nil {
		return l.pass(ctx)
	}
	err = l.leader.Work(func(ctx context.Context, term int) error {
		if term != l.term {
			// Another may have worked meanwhile: nothing that was remembered holds.
			l.term, l.current, l.behind, l.overlay, l.memory = term, false, nil, overlay{}, ipam.Memory{}
		}
		var err error
		again, err = l.pass(ctx)
		return err
	})
	return again, err
}

func (l *Loop) pass(ctx context.Context) (reconcile.Result, error) {
	began := l.now()
	defer l.metrics.timePass(began)
	l.again = 0
	s, err := l.look(ctx)
	if errors.Is(err, errBehind) {
		l.log.Debug("waiting for the cache", "error", err)
		return reconcile.Result{RequeueAfter: retryAfter}, nil
	}
	if err != nil {
		return reconcile.Result{}, fmt.Errorf("look at the cluster: %w", err)
	}
	plan := ipam.Compute(s.AddressWorld(l.now(), l.classes, l.memory))
	l.memory = plan.Memory

	world := s.announced.ReportedWorld(l.classes, l.options)
	explainer := announce.NewExplainer(&world)
	intents, err := l.intents(s, &plan, explainer)
	l.cost.Observe(l.now().Sub(began))

	// What cannot be written must not keep the rest from being written.
	err = errors.Join(err, l.write(ctx, intents), l.reportObjects(ctx, s, &plan, explainer.OverriddenAttributes(world.Services)), l.ensureGossipKey(ctx, s.Secrets))
	l.metrics.show(&plan)
	return l.next(&plan, err)
}

// look reads the caches, with our own writes laid over them.
func (l *Loop) look(ctx context.Context) (*snapshot, error) {
	s, err := l.kinds.read(ctx)
	if err != nil {
		return nil, err
	}
	if err := l.catchUp(ctx, s.services); err != nil {
		return nil, err
	}
	s.setServices(l.overlay.lay(s.services))
	return s, nil
}

// next says when to look again without being woken: when something is due, and soon after a conflict. After any other
// error the queue decides, which asks again within seconds (internal/loop), so what is due comes that much later at most.
func (l *Loop) next(plan *ipam.Plan, err error) (reconcile.Result, error) {
	if !plan.Next.IsZero() {
		l.lookAgain(plan.Next.Sub(l.now()))
	}
	if isConflict(err) {
		l.log.Debug("an object changed under a write", "error", err)
		l.lookAgain(retryAfter)
		err = nil
	}
	return reconcile.Result{RequeueAfter: l.again}, err
}

// lookAgain asks for a pass after some time, if none is asked for before.
func (l *Loop) lookAgain(after time.Duration) {
	after = max(after, time.Millisecond)
	if l.again == 0 || after < l.again {
		l.again = after
	}
}

// The API server refuses Events with longer notes and conditions with longer messages; the second is our own limit.
const (
	maxNote    = 1024
	maxMessage = 4096
)

// shorten cuts a text to a number of bytes, and shows that it did.
func shorten(text string, limit int) string {
	const mark = " ..."
	if len(text) <= limit {
		return text
	}
	cut := limit - len(mark)
	for cut > 0 && text[cut]&0xc0 == 0x80 { // not in the middle of a rune
		cut--
	}
	return text[:cut] + mark
}
