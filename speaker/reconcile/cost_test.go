package reconcile

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/bubble"
	"github.com/daymark-lb/daymark/internal/core/announce"
	"github.com/daymark-lb/daymark/internal/core/lb"
	"github.com/daymark-lb/daymark/internal/core/proxyhealth"
	"github.com/daymark-lb/daymark/internal/informer"
	"github.com/daymark-lb/daymark/speaker/bgp"
	"github.com/daymark-lb/daymark/speaker/gossip"
	"github.com/daymark-lb/daymark/speaker/layer2"
)

// cost of something to the API server.
type cost struct {
	// writes of objects, leases among them, and what they cause: events on watches, and their bytes.
	writes, leases, events, bytes int
	// at is when each write came that was not one of a Lease.
	at []time.Time
}

// few is the most writes that a node that joins or leaves may cost besides its own: of three monitors, and of one that becomes a monitor.
const few = 5

// within is how many of the writes came within a time.
func (c *cost) within(since time.Time, d time.Duration) int {
	return len(slices.DeleteFunc(slices.Clone(c.at), func(at time.Time) bool { return at.Sub(since) > d }))
}

// fullest is how many of the writes came in the fullest stretch of some length.
func (c *cost) fullest(length time.Duration) (most int) {
	for i := range c.at {
		n := 0
		for n+i < len(c.at) && c.at[i+n].Sub(c.at[i]) < length {
			n++
		}
		most = max(most, n)
	}
	return most
}

// countingAPI is an API server in memory that counts. Who watches an object is asked of the options that the programs' caches have.
type countingAPI struct {
	client.Client
	watchers []cache.Options

	mu      sync.Mutex
	objects map[string]client.Object
	version int
	cost
}

func keyOf(object client.Object, key client.ObjectKey) string {
	return fmt.Sprintf("%T %s", object, key)
}

func (a *countingAPI) Get(_ context.Context, key client.ObjectKey, into client.Object, _ ...client.GetOption) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	found, ok := a.objects[keyOf(into, key)]
	if !ok {
		return apierrors.NewNotFound(schema.GroupResource{}, key.Name)
	}
	switch to := into.(type) {
	case *v1beta1.Speaker:
		found.(*v1beta1.Speaker).DeepCopyInto(to)
	case *coordinationv1.Lease:
		found.(*coordinationv1.Lease).DeepCopyInto(to)
	case *discoveryv1.EndpointSlice:
		found.(*discoveryv1.EndpointSlice).DeepCopyInto(to)
	}
	return nil
}

func (a *countingAPI) Create(_ context.Context, object client.Object, _ ...client.CreateOption) error {
	object.SetUID(types.UID(object.GetName()))
	return a.write(object)
}

func (a *countingAPI) Update(_ context.Context, object client.Object, _ ...client.UpdateOption) error {
	return a.write(object)
}
func (a *countingAPI) Status() client.SubResourceWriter { return countedStatuses{api: a} }

type countedStatuses struct {
	client.SubResourceWriter
	api *countingAPI
}

func (s countedStatuses) Update(_ context.Context, object client.Object, _ ...client.SubResourceUpdateOption) error {
	return s.api.write(object)
}

// write counts a write, and who sees it.
func (a *countingAPI) write(object client.Object) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.version++
	object.SetResourceVersion(strconv.Itoa(a.version))
	stored, _ := object.DeepCopyObject().(client.Object)
	a.objects[keyOf(object, client.ObjectKeyFromObject(object))] = stored
	length, err := onTheWire(object)
	if err != nil {
		return err
	}
	seen := 0
	for i := range a.watchers {
		if watches(&a.watchers[i], object) {
			seen++
		}
	}
	a.writes, a.events, a.bytes = a.writes+1, a.events+seen, a.bytes+seen*length
	if _, lease := object.(*coordinationv1.Lease); lease {
		a.leases++
	} else {
		a.at = append(a.at, time.Now())
	}
	return nil
}

// onTheWire is how many bytes an object takes on a watch: protobuf where its kind has that, as the caches ask for it, and otherwise JSON.
func onTheWire(object client.Object) (int, error) {
	if own, is := object.(interface{ Size() int }); is {
		return own.Size(), nil
	}
	text, err := json.Marshal(object)
	return len(text), err
}

// watches reports whether a cache with some options, which has the kinds that both programs read, sees an object.
func watches(options *cache.Options, object client.Object) bool {
	if !slices.ContainsFunc(informer.Kinds(), func(kind client.Object) bool { return fmt.Sprintf("%T", kind) == fmt.Sprintf("%T", object) }) {
		return false
	}
	for kind, by := range options.ByObject {
		if fmt.Sprintf("%T", kind) == fmt.Sprintf("%T", object) && by.Field != nil {
			return by.Field.Matches(fields.Set{"metadata.name": object.GetName(), "metadata.namespace": object.GetNamespace()})
		}
	}
	return true
}

// largeCluster is speakers, each with its loop and its writers, on nodes that are all alike.
type largeCluster struct {
	*testing.T
	api       *countingAPI
	nodes     []*lb.Node
	speakers  []*simSpeaker
	alive     []string
	published map[string]netip.AddrPort
	// peers as the gossip knows them.
	peers map[string]gossip.Peer
}

// simSpeaker is the speaker of a node. What its executors report is set by the test.
type simSpeaker struct {
	*Loop
	cluster  *largeCluster
	name     string
	address  netip.AddrPort
	held     []layer2.Held
	sessions []bgp.Status
	gone     bool
	end      context.CancelFunc
	fixture
}

func newLargeCluster(t *testing.T, size int) *largeCluster {
	c := &largeCluster{
		T: t, api: &countingAPI{objects: map[string]client.Object{}}, published: map[string]netip.AddrPort{}, peers: map[string]gossip.Peer{},
	}
	for range 2 { // the replicas of the controller
		c.api.watchers = append(c.api.watchers, informer.Options(nil, namespace, lb.Classes{}))
	}
	for range size {
		c.add()
	}
	c.settle()
	c.settle() // Now that all have met, most are no monitors any more.
	return c
}

// add adds a node and its speaker.
func (c *largeCluster) add() *simSpeaker {
	i := len(c.speakers)
	name := fmt.Sprintf("node-%04d.example.net", i)
	s := &simSpeaker{
		cluster: c, name: name, address: netip.AddrPortFrom(netip.AddrFrom4([4]byte{198, 18, byte(i >> 8), byte(i)}), 7946),
		sessions: []bgp.Status{{Name: "tor", Peer: "tor", Address: "192.0.2.1", State: v1beta1.BGPEstablished, IPv4: 100}},
	}
	c.nodes = append(c.nodes, &lb.Node{Name: name, UID: types.UID(name)})
	c.speakers = append(c.speakers, s)
	c.alive = append(c.alive, name)
	c.published[name] = s.address
	c.peers[name] = gossip.Peer{Incarnation: 1, StateKnown: true, State: gossip.State{Known: true}}
	c.api.watchers = append(c.api.watchers, informer.SpeakerOptions(nil, namespace, lb.Classes{}, name))
	s.start()
	return s
}

// start runs the writers of a speaker that has just started.
func (s *simSpeaker) start() {
	s.gone = false
	f := &s.fixture
	f.proxyAnswers(proxyhealth.Working, "it works")
	f.layer2, f.bfd = fakeLayer2{fixture: f}, fakeBFD{fixture: f}
	log := slog.New(slog.DiscardHandler)
	s.Loop = newLoop(Config{Node: s.name, Namespace: namespace, Log: log}, Executors{
		Links: fakeLinks{f}, Gossip: simGossip{s}, Layer2: simLayer2{&f.layer2, s}, Unnumbered: fakeUnnumbered{f}, BGP: simBGP{&fakeBGP{fixture: f}, s},
		BFD: &f.bfd, Health: fakeHealth{f}, Proxy: fakeProxy{f}, Connections: &fakeConnections{fixture: f},
	}, NewWriters(s.name, namespace, s.cluster.api, log), s.look)
	s.memory.connections.decided = true // as passes do, of which there are none here
	ctx, end := context.WithCancel(s.cluster.Context())
	s.end = end
	go func() { _ = s.Start(ctx) }()
}

// look is what the caches of the speaker hold.
func (s *simSpeaker) look(context.Context) (*snapshot, error) {
	c := s.cluster
	c.api.mu.Lock()
	defer c.api.mu.Unlock()
	own, _ := c.api.objects[keyOf(&v1beta1.Speaker{}, client.ObjectKey{Name: s.name})].(*v1beta1.Speaker)
	published := c.published
	if c.api.objects[keyOf(&discoveryv1.EndpointSlice{}, client.ObjectKey{Namespace: namespace, Name: v1beta1.SpeakerObjectName(s.name)})] == nil {
		published = map[string]netip.AddrPort{}
	}
	return &snapshot{world: announce.World{Nodes: c.nodes}, own: own, published: published, speakers: c.published}, nil
}

type simGossip struct{ s *simSpeaker }

func (g simGossip) Set(gossip.Desired) error    { return nil }
func (g simGossip) Address() netip.AddrPort     { return g.s.address }
func (g simGossip) Broadcast(gossip.LocalState) {}
func (g simGossip) Off() bool                   { return false }
func (g simGossip) Changes() <-chan struct{}    { return nil }
func (g simGossip) Urgent() <-chan struct{}     { return nil }
func (g simGossip) View() gossip.View {
	return gossip.View{Known: true, Alive: g.s.cluster.alive, Peers: g.s.cluster.peers}
}

type simLayer2 struct {
	*fakeLayer2
	s *simSpeaker
}

func (l simLayer2) Held() []layer2.Held { return l.s.held }

type simBGP struct {
	*fakeBGP
	s *simSpeaker
}

func (b simBGP) Status() []bgp.Status { return b.s.sessions }

// pass has every speaker run a pass, as an event does that all of them see.
func (c *largeCluster) pass() {
	for _, s := range c.speakers {
		if s.gone {
			continue
		}
		s.tell()
	}
}

// tell is the part of a pass that tells others what has been seen.
func (s *simSpeaker) tell() {
	seen, err := s.Loop.look(s.cluster.Context())
	if err != nil {
		s.cluster.Fatal(err)
	}
	s.judgeProxies(seen, time.Now())
	s.report(seen, nil, nil, s.observe(seen))
}

// run lets time pass. The monitors look every five seconds, the others when something happens.
func (c *largeCluster) run(d time.Duration) {
	c.pass()
	for end := time.Now().Add(d); time.Now().Before(end); {
		time.Sleep(5 * time.Second)
		for _, s := range c.speakers[:min(len(c.speakers), 6)] {
			if s.renewer.newest.Observing && !s.gone {
				s.tell()
			}
		}
	}
	synctest.Wait()
}

// settle lets time pass until all is written.
func (c *largeCluster) settle() { c.run(time.Minute + time.Duration(len(c.speakers))*3/2*countsShare) }

// of is what an event costs until all that follows from it is written.
func (c *largeCluster) of(event func()) (cost, time.Time) {
	c.api.mu.Lock()
	c.api.cost = cost{}
	c.api.mu.Unlock()
	began := time.Now()
	event()
	c.settle()
	c.api.mu.Lock()
	defer c.api.mu.Unlock()
	return c.api.cost, began
}

// crash ends the speaker of a node, as the others see it.
func (c *largeCluster) crash(s *simSpeaker) {
	s.end()
	s.gone = true
	c.alive = slices.DeleteFunc(slices.Clone(c.alive), func(name string) bool { return name == s.name })
}

func (c *largeCluster) restart(s *simSpeaker) {
	c.crash(s)
	c.pass()
	time.Sleep(3 * time.Second)
	c.alive = append(c.alive, s.name)
	slices.Sort(c.alive)
	c.sessions(10, 11, func(b *bgp.Status) { b.Since = time.Now() })
	s.start()
}

// clusterEvents are what is counted. At once is how many writes are made within five seconds, in all how many follow: each speaker's
// counts at most, which come later, at ten a second. SeenByAll: each speaker sees one of the writes. Sessions: they come within seconds, 500
// in each.
var clusterEvents = []struct {
	name          string
	atOnce, inAll func(size int) int
	seenByAll     bool
	sessions      bool
	event         func(*largeCluster)
}{
	{"nothing", none, none, false, false, func(*largeCluster) {}},
	{"new Service, layer 2", one, one, false, false, func(c *largeCluster) {
		s := c.speakers[7]
		s.held = append(slices.Clone(s.held), layer2.Held{Addr: vip, Interfaces: []string{"eth0"}, Since: time.Now()})
	}},
	{"new Service, BGP", none, all, false, false, func(c *largeCluster) { c.sessions(0, len(c.speakers), func(s *bgp.Status) { s.IPv4++ }) }},
	{"Service deleted, BGP", none, all, false, false, func(c *largeCluster) { c.sessions(0, len(c.speakers), func(s *bgp.Status) { s.IPv4-- }) }},
	{"session down", one, one, false, false, func(c *largeCluster) {
		c.sessions(8, 9, func(s *bgp.Status) { s.State, s.IPv4, s.LastError = v1beta1.BGPActive, 0, "hold timer expired" })
	}},
	{"session up again", one, one, false, false, func(c *largeCluster) {
		c.sessions(8, 9, func(s *bgp.Status) { s.State, s.IPv4, s.LastError = v1beta1.BGPEstablished, 100, "" })
	}},
	{"router of 40 nodes down", forty, forty, false, false, func(c *largeCluster) {
		c.sessions(5, 5+forty(len(c.speakers)), func(s *bgp.Status) { s.State, s.IPv4, s.LastError = v1beta1.BGPActive, 0, "hold timer expired" })
	}},
	{"router of all nodes down", none, all, false, true, func(c *largeCluster) {
		c.sessions(0, len(c.speakers), func(s *bgp.Status) { s.State, s.IPv4, s.LastError = v1beta1.BGPActive, 0, "hold timer expired" })
	}},
	{"BGPPeer edited, all sessions begin anew", none, all, false, true, func(c *largeCluster) {
		c.sessions(0, len(c.speakers), func(s *bgp.Status) {
			s.State, s.IPv4, s.LastError, s.HoldTime, s.Since = v1beta1.BGPEstablished, 100, "", time.Minute, time.Now()
		})
	}},
	{"node joins", func(int) int { return 3 }, func(int) int { return 4 + few }, true, false, func(c *largeCluster) { c.add() }},
	{"node crashes", none, atMostFew, false, false, func(c *largeCluster) { c.crash(c.speakers[9]) }},
	{"monitor crashes", none, atMostFew, false, false, func(c *largeCluster) { c.crash(c.speakers[1]) }},
	{"all service proxies fail", none, all, false, false, func(c *largeCluster) {
		for _, s := range c.speakers {
			s.proxyAnswers(proxyhealth.Failing, "it answers 503")
		}
		c.pass()
		time.Sleep(proxyhealth.FailTime)
	}},
	{"speaker restarts", one, func(int) int { return 1 + 2*few }, false, false, func(c *largeCluster) { c.restart(c.speakers[10]) }},
}

func none(int) int       { return 0 }
func one(int) int        { return 1 }
func all(size int) int   { return size + 5 }
func atMostFew(int) int  { return few }
func forty(size int) int { return min(40, size-5) }

// sessions changes those of some speakers.
func (c *largeCluster) sessions(from, to int, change func(*bgp.Status)) {
	for _, s := range c.speakers[from:to] {
		s.sessions = slices.Clone(s.sessions)
		change(&s.sessions[0])
	}
}

// An event may cost a write of each speaker that it concerns. What concerns all is spread over time, and no event makes each speaker
// see a write of each other one.
func TestCost_OfEventsInALargeCluster(t *testing.T) {
	sizes := []int{10, 100}
	if text := os.Getenv("DAYMARK_TEST_NODES"); text != "" { // for docs/large-clusters.md
		size, _ := strconv.Atoi(text)
		sizes = []int{size}
	}
	for _, size := range sizes {
		t.Run(strconv.Itoa(size)+" nodes", func(t *testing.T) { costOfEvents(t, size) })
	}
}

func costOfEvents(t *testing.T, size int) {
	bubble.Test(t, func(t *testing.T) {
		c := newLargeCluster(t, size)
		for _, e := range clusterEvents {
			got, began := c.of(func() { e.event(c) })
			atOnce, later := got.within(began, 5*time.Second), len(got.at)
			t.Logf("%s: %d writes at once, %d in all, at most %d in 10 s, %d renewals, %d events, %d bytes", e.name, atOnce, later, got.fullest(10*time.Second), got.leases, got.events, got.bytes)
			// Counts make ten writes a second, give or take.
			if most := e.atOnce(size); !e.sessions && atOnce > most+min(e.inAll(size), 100) || most > 0 && atOnce < most {
				t.Errorf("%s: %d writes at once, want %d", e.name, atOnce, most)
			}
			if later > e.inAll(size) {
				t.Errorf("%s: %d writes, want %d", e.name, later, e.inAll(size))
			}
			if rate := got.fullest(10*time.Second) - e.atOnce(size); !e.sessions && rate > 200 {
				t.Errorf("%s: %d writes within 10 s", e.name, rate)
			}
			if rate := got.fullest(time.Second); e.sessions && rate > 700 {
				t.Errorf("%s: %d writes within 1 s", e.name, rate)
			}
			if most := 3*later + size + 10; !e.seenByAll && got.events > 3*later || got.events > most {
				t.Errorf("%s: %d events on watches of %d writes", e.name, got.events, later)
			}
			if minutes := int(time.Since(began).Minutes()) + 1; got.leases > 36*minutes+10 {
				t.Errorf("%s: %d renewals in %d minutes", e.name, got.leases, minutes)
			}
		}
		costOfKubelets(t, c)
	})
}
