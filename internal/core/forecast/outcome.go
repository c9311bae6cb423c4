package forecast

import (
	"net/netip"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/daymark-lb/daymark/internal/core/announce"
	"github.com/daymark-lb/daymark/internal/core/cluster"
	"github.com/daymark-lb/daymark/internal/core/ipam"
	"github.com/daymark-lb/daymark/internal/core/lb"
	"github.com/daymark-lb/daymark/internal/core/status"
)

// Settings are the flags of the programs that change what they decide.
type Settings struct {
	Classes   lb.Classes
	Options   announce.Options
	PoolGrace time.Duration
	// EvenOut: the speakers even out a spread that has become uneven.
	EvenOut bool
}

// Outcome is what a cluster comes to when its objects are left as they are.
type Outcome struct {
	settings Settings
	objects  *cluster.Objects
	// written is what the controller has written into each Service.
	written map[lb.Key]status.Service
	memory  ipam.Memory
	// started is when the objects were changed, and now when the last of what follows has happened.
	started, now time.Time
	releases     map[lb.Key]map[netip.Addr]release

	// routers of each node.
	routers   map[string][]*router
	world     announce.World
	explainer *announce.Explainer
	held
	// others is held as if the nodes that are cut off took nothing over.
	others held
	// cuts are those that the speakers report at the start.
	cuts cuts
	// planned is what each node announces by BGP; nil: nobody has asked yet.
	planned map[string]*node
	// unknown are addresses whose holder no report names, because a report has no room for all.
	unknown map[netip.Addr]bool
	// guessed are shared addresses of which the reports do not say which node answers how many clients.
	guessed map[netip.Addr]bool
}

// Start returns what a cluster comes to as it is. Its objects may be in any order, and are not changed.
func Start(objects []runtime.Object, now time.Time, settings Settings) *Outcome {
	o := &Outcome{settings: settings, started: now}
	o.objects, o.written = cluster.Parse(objects), writtenIn(objects)
	o.routers = o.allRouters(nil)
	o.noteEstablished()
	o.run(true)
	return o
}

// Next returns what the cluster comes to from there when its objects have been replaced by others. What the controller has written into
// Services by then is in them already.
func (o *Outcome) Next(objects []runtime.Object) *Outcome {
	next := &Outcome{settings: o.settings, started: o.now, memory: o.memory, held: o.held, others: o.others, cuts: o.cuts, unknown: o.unknown, guessed: o.guessed}
	next.objects, next.written = cluster.Parse(objects), writtenIn(objects)
	for i, s := range next.objects.Services {
		if known, found := o.written[s.Key]; found {
			next.objects.Services[i], next.written[s.Key] = known.In(s), known
		}
	}
	next.routers = next.allRouters(o.routers)
	next.assumeSessions(o)
	next.run(false)
	return next
}

func writtenIn(objects []runtime.Object) map[lb.Key]status.Service {
	written := map[lb.Key]status.Service{}
	for _, object := range objects {
		if s, ok := object.(*corev1.Service); ok {
			written[lb.Key{Namespace: s.Namespace, Name: s.Name}] = status.ParseService(s)
		}
	}
	return written
}

// run lets the controller decide, then the speakers. First: who holds what is as the speakers report.
func (o *Outcome) run(first bool) {
	o.now = o.started
	o.settleAddresses()
	o.world = o.objects.ReportedWorld(o.settings.Classes, o.settings.Options)
	o.world.Links = withSubnets(o.world.Links, o.objects.Speakers)
	o.explainer = announce.NewExplainer(&o.world)
	o.elect(first)
}

// Unknown is how many addresses there are of which no report names the holder, because reports have no room for all. Nothing is said of
// who will hold them.
func (o *Outcome) Unknown() int { return len(o.unknown) }
