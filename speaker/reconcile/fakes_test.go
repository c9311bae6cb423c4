package reconcile

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/core/announce"
	"github.com/daymark-lb/daymark/internal/core/election"
	"github.com/daymark-lb/daymark/internal/core/handover"
	"github.com/daymark-lb/daymark/internal/core/lb"
	"github.com/daymark-lb/daymark/internal/core/proxyhealth"
	"github.com/daymark-lb/daymark/internal/loop"
	"github.com/daymark-lb/daymark/speaker/bfd"
	"github.com/daymark-lb/daymark/speaker/bgp"
	"github.com/daymark-lb/daymark/speaker/gossip"
	"github.com/daymark-lb/daymark/speaker/layer2"
	"github.com/daymark-lb/daymark/speaker/proxycheck"
)

var vip = netip.MustParseAddr("192.0.2.200")

// fixture is a Loop on node n1 with executors that record what they are told. The cluster has two nodes, a layer-2
// address, a router watched by BFD, and a health-check port.
type fixture struct {
	*Loop
	// calls in order, of all executors, by name.
	calls []string
	// failing are the calls that fail.
	failing map[string]bool
	// unread is the error of reading the caches.
	unread error
	// own are more links of this node. newestLeaving is the version of the newest Service that is to be withdrawn. linksUnknown:
	// the network interfaces are not known yet.
	own           []lb.Link
	newestLeaving uint64
	linksUnknown  bool
	// noPassword: the BGPPeer names a Secret that does not exist.
	noPassword bool
	// kubeletStopped: the API server takes n2 for down.
	kubeletStopped bool
	// routerProblems say why no router can be looked for on some interfaces; the BGPPeer has its router on eth9 then.
	routerProblems map[string]error
	// sourceAnnotation: the BGPPeer takes source and router ID from the annotation of that name, and n1 has these annotations.
	sourceAnnotation string
	annotations      map[string]string
	// drained: n1 has the annotation daymark.io/drain.
	drained bool
	// noInternalIP: the Node object of n1 has no address.
	noInternalIP bool
	// changePeer changes the BGPPeer; nil: it stays as it is.
	changePeer func(*v1beta1.BGPPeerSpec)

	// proxy is what the service proxy answers; unasked: nothing yet. ports is what the health checks were told last.
	proxy         proxycheck.Result
	unasked       bool
	holdDown      time.Duration   // of the BFDProfile
	draining      time.Duration   // of connections, by the L2Advertisement
	drainingByBGP time.Duration   // and by the BGPAdvertisement
	addressesOfN2 []netip.Addr    // that Kubernetes has
	sharing       v1beta1.Sharing // by the L2Advertisement
	ports         proxyhealth.Ports
	// reported is this node's Speaker object; nil: there is none.
	reported *v1beta1.Speaker

	connections fakeConnections
	gossip      fakeGossip
	others      fakeOthers
	layer2      fakeLayer2
	bgp         fakeBGP
	bfd         fakeBFD
}

func newFixture(t testing.TB) *fixture {
	t.Helper()
	f := &fixture{failing: map[string]bool{}}
	f.gossip = fakeGossip{fixture: f, view: gossip.View{
		Known: true, Alive: []string{"n1"}, Claims: election.Claims{}, Peers: map[string]gossip.Peer{"n1": {Incarnation: 1}},
	}}
	f.connections.fixture = f
	f.layer2, f.bgp, f.bfd = fakeLayer2{fixture: f}, fakeBGP{fixture: f}, fakeBFD{fixture: f}
	cfg := Config{Node: "n1", Log: slog.New(slog.DiscardHandler), Registerer: prometheus.NewRegistry()}
	f.Loop = newLoop(cfg, Executors{
		Links: fakeLinks{f}, Gossip: &f.gossip, Layer2: &f.layer2, Unnumbered: fakeUnnumbered{f}, BGP: &f.bgp, BFD: &f.bfd, Health: fakeHealth{f}, Proxy: fakeProxy{f},
		Connections: &f.connections,
	}, NewWriters("n1", "daymark-system", nil, cfg.Log), f.cluster)
	f.Loop.others = &f.others
	return f
}

// call records a call and returns its error.
func (f *fixture) call(name string) error {
	f.calls = append(f.calls, name)
	if f.failing[name] {
		return errors.New(name + " fails")
	}
	return nil
}

// pass runs the loop once and returns when it wants to run again.
func (f *fixture) pass(t *testing.T) time.Duration {
	t.Helper()
	f.calls = nil
	result, err := f.Reconcile(t.Context(), loop.Wake{})
	if err != nil {
		t.Fatal(err)
	}
	return result.RequeueAfter
}

// addNode says that n2 is alive and knows the others.
func (f *fixture) addNode() {
	f.gossip.view.Alive = []string{"n1", "n2"}
	f.gossip.view.Peers["n2"] = gossip.Peer{Incarnation: 1, StateKnown: true, State: gossip.State{Known: true, Links: links()}}
}

// removeNode says that n2 is not alive.
func (f *fixture) removeNode() {
	f.gossip.view.Alive = []string{"n1"}
	delete(f.gossip.view.Peers, "n2")
}

// ready is the condition that was last reported.
func (f *fixture) ready() metav1.Condition { return f.reporter.newest.conditions[0] }

func links() []lb.Link {
	return []lb.Link{{Name: "eth0", Index: 2, Up: true, MAC: "02:00:00:00:00:01", Addresses: []netip.Prefix{netip.MustParsePrefix("192.0.2.11/24")}}}
}

// cluster is what the caches hold.
func (f *fixture) cluster(context.Context) (*snapshot, error) {
	if f.unread != nil {
		return nil, f.unread
	}
	key := lb.Key{Namespace: "default", Name: "web"}
	asn := int64(64513)
	var password *v1beta1.SecretReference
	if f.noPassword {
		password = &v1beta1.SecretReference{Name: "nowhere"}
	}
	spec := v1beta1.BGPPeerSpec{MyASN: 64512, PeerASN: &asn, PeerAddress: "192.0.2.1", BFDProfile: "fast", PasswordSecret: password}
	if f.sourceAnnotation != "" {
		spec.SourceFrom = &v1beta1.SourceFrom{NodeAnnotation: f.sourceAnnotation}
		spec.RouterIDFrom = &v1beta1.RouterIDFrom{NodeAnnotation: f.sourceAnnotation}
	}
	if f.routerProblems != nil {
		spec.PeerAddress, spec.Interface = "", "eth9"
	}
	if f.changePeer != nil {
		f.changePeer(&spec)
	}
	internal := []netip.Addr{netip.MustParseAddr("192.0.2.11")}
	if f.noInternalIP {
		internal = nil
	}
	return &snapshot{
		leaving:   f.newestLeaving,
		own:       f.reported,
		speakers:  map[string]netip.AddrPort{"n1": f.gossip.Address(), "n2": {}},
		published: map[string]netip.AddrPort{"n1": f.gossip.Address()},
		world: announce.World{
			Nodes:    []*lb.Node{{Name: "n1", Annotations: f.annotations, Addresses: internal, Draining: f.drained}, {Name: "n2", Down: f.kubeletStopped, Addresses: f.addressesOfN2}},
			Services: []*lb.Service{{Key: key, LoadBalancer: true, Managed: true, Ingress: []netip.Addr{vip}, HealthCheckNodePort: 30100}},
			Endpoints: map[lb.Key]lb.Endpoints{key: lb.NewEndpointSlice(key, []lb.Endpoint{
				{Addr: netip.MustParseAddr("203.0.113.1"), Node: "n1", Ready: true},
			}).Endpoints},
			Pools: lb.NewPools([]*lb.Pool{lb.ParsePool(&v1beta1.IPAddressPool{
				ObjectMeta: metav1.ObjectMeta{Name: "lan"}, Spec: v1beta1.IPAddressPoolSpec{Addresses: []v1beta1.AddressRange{"192.0.2.200/32"}},
			})}),
			L2Advertisements: []*lb.L2Advertisement{lb.ParseL2Advertisement(&v1beta1.L2Advertisement{
				ObjectMeta: metav1.ObjectMeta{Name: "l2"},
				Spec:       v1beta1.L2AdvertisementSpec{ConnectionDraining: metav1.Duration{Duration: f.draining}, Sharing: f.sharing},
			})},
			BGPAdvertisements: []*lb.BGPAdvertisement{lb.ParseBGPAdvertisement(&v1beta1.BGPAdvertisement{
				ObjectMeta: metav1.ObjectMeta{Name: "bgp"}, Spec: v1beta1.BGPAdvertisementSpec{ConnectionDraining: metav1.Duration{Duration: f.drainingByBGP}},
			})},
			Peers: []*lb.Peer{lb.ParsePeer(&v1beta1.BGPPeer{
				ObjectMeta: metav1.ObjectMeta{Name: "router"},
				Spec:       spec,
			})},
			BFDProfiles: map[string]*lb.BFDProfile{"fast": {Name: "fast", HoldDown: f.holdDown}},
		},
	}, nil
}

// fakeOthers are the service proxies of other nodes.
type fakeOthers struct {
	asked  []string
	states []proxyhealth.State
}

func (o *fakeOthers) Set(nodes []string)                  { o.asked = nodes }
func (o *fakeOthers) States() ([]proxyhealth.State, bool) { return o.states, o.states != nil }
func (o *fakeOthers) Changes() <-chan struct{}            { return nil }

type fakeLinks struct{ f *fixture }

func (l fakeLinks) Links() ([]lb.Link, bool)       { return append(links(), l.f.own...), !l.f.linksUnknown }
func (l fakeLinks) Gateways() ([]lb.Gateway, bool) { return nil, true }
func (l fakeLinks) StrictReversePath(string) bool  { return false }
func (l fakeLinks) Changes() <-chan struct{}       { return nil }

// fakeGossip delivers what is broadcast to itself, as to the others.
type fakeGossip struct {
	fixture *fixture
	view    gossip.View
	sent    gossip.LocalState
	desired gossip.Desired
	off     bool
	// at is where it listens; invalid: at the address of eth0.
	at netip.AddrPort
}

func (g *fakeGossip) Set(desired gossip.Desired) error {
	g.desired = desired
	return g.fixture.call("gossip")
}

func (g *fakeGossip) View() gossip.View {
	_ = g.fixture.call("view")
	return g.view
}

func (g *fakeGossip) Address() netip.AddrPort {
	if g.at.IsValid() {
		return g.at
	}
	return netip.MustParseAddrPort("192.0.2.11:7946")
}

func (g *fakeGossip) Off() bool                { return g.off }
func (g *fakeGossip) Changes() <-chan struct{} { return nil }
func (g *fakeGossip) Urgent() <-chan struct{}  { return nil }
func (g *fakeGossip) Broadcast(local gossip.LocalState) {
	_ = g.fixture.call("broadcast")
	g.sent = local
	for _, claim := range local.Claims {
		g.view.ClaimsVersion++
		g.view.Claims.Learn(claim)
	}
}

type fakeLayer2 struct {
	fixture *fixture
	desired []announce.Layer2Address
	// stuck is what Alive returns.
	stuck   error
	unable  []layer2.Unable
	macs    []announce.NodeMAC
	held    []layer2.Held
	inUse   []layer2.Conflict
	asked   []announce.Layer2Question
	answers map[election.Question]election.Answer
	rivals  []election.Rival
	// defended are all addresses that were announced against rivals.
	defended []netip.Addr
	// failedOver is the last argument of FailedOver that was not empty.
	failedOver map[netip.Addr]time.Time
	// listened are the interfaces that were listened on last for who traces.
	listened []string
	// announced are the addresses that were announced once more.
	announced []netip.Addr
}

func (l *fakeLayer2) Set(_ context.Context, desired []announce.Layer2Address) error {
	l.desired = desired
	return l.fixture.call("layer2")
}
func (l *fakeLayer2) UpdateClusterMACs(macs []announce.NodeMAC)      { l.macs = macs }
func (l *fakeLayer2) Ask(questions []announce.Layer2Question)        { l.asked = questions }
func (l *fakeLayer2) Alive() error                                   { return l.stuck }
func (l *fakeLayer2) Search([]election.Search)                       {}
func (l *fakeLayer2) Answers() map[election.Question]election.Answer { return l.answers }
func (l *fakeLayer2) Rivals() []election.Rival                       { return l.rivals }
func (l *fakeLayer2) Listen(_ []netip.Addr, on []string)             { l.listened = on }
func (l *fakeLayer2) Defend(addresses []netip.Addr)                  { l.defended = append(l.defended, addresses...) }

func (l *fakeLayer2) FailedOver(since map[netip.Addr]time.Time) {
	if len(since) > 0 {
		l.failedOver = since
	}
}

func (l *fakeLayer2) Announce(addresses []netip.Addr) {
	_ = l.fixture.call("announce")
	l.announced = append(l.announced, addresses...)
}
func (l *fakeLayer2) Held() []layer2.Held          { return l.held }
func (l *fakeLayer2) Conflicts() []layer2.Conflict { return l.inUse }
func (l *fakeLayer2) Unable() []layer2.Unable      { return l.unable }
func (l *fakeLayer2) Changes() <-chan struct{}     { return nil }
func (l *fakeLayer2) Urgent() <-chan struct{}      { return nil }

type fakeUnnumbered struct{ f *fixture }

func (u fakeUnnumbered) Set(context.Context, []string) error { return u.f.call("unnumbered") }
func (u fakeUnnumbered) Routers() map[string]netip.Addr      { return nil }
func (u fakeUnnumbered) Problems() map[string]error          { return u.f.routerProblems }
func (u fakeUnnumbered) Changes() <-chan struct{}            { return nil }

type fakeBGP struct {
	fixture *fixture
	desired []announce.Session
	closed  []string
	hurried []string
	// mu guards status: a speaker that leaves reads it beside the loop.
	mu     sync.Mutex
	status []bgp.Status
}

func (b *fakeBGP) Set(_ context.Context, desired []announce.Session) error {
	b.desired = desired
	return b.fixture.call("bgp")
}
func (b *fakeBGP) BFDDown(session, _ string) { b.closed = append(b.closed, session) }

func (b *fakeBGP) BFDUp(session string)     { b.hurried = append(b.hurried, session) }
func (b *fakeBGP) Changes() <-chan struct{} { return nil }

func (b *fakeBGP) Status() []bgp.Status {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.status)
}

// setBehind says whether the first router has not been sent all.
func (b *fakeBGP) setBehind(behind bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.status[0].Behind = behind
}

type fakeBFD struct {
	fixture *fixture
	desired []announce.BFDSession
	status  []bfd.Status
}

func (b *fakeBFD) Set(_ context.Context, desired []announce.BFDSession) error {
	b.desired = desired
	return b.fixture.call("bfd")
}
func (b *fakeBFD) Status() []bfd.Status     { return b.status }
func (b *fakeBFD) Changes() <-chan struct{} { return nil }

type fakeHealth struct{ f *fixture }

func (h fakeHealth) Set(_ context.Context, _ []announce.HealthPort, _ announce.HealthPaths, ports proxyhealth.Ports) error {
	h.f.ports = ports
	return h.f.call("health")
}

// fakeConnections keeps what it is told last.
type fakeConnections struct {
	fixture *fixture
	plan    handover.Plan
	kept    handover.Plan
	left    map[netip.Addr]int
	silent  []netip.Addr
	answer  []netip.Addr
	keptErr error
	unable  string
	only    lb.Family
	unsure  bool
	refused []string
	beside  string
}

func (c *fakeConnections) Set(_ context.Context, plan handover.Plan) error {
	c.plan = plan
	return c.fixture.call("connections")
}
func (c *fakeConnections) Kept() (handover.Plan, error) { return c.kept, c.keptErr }
func (c *fakeConnections) Left() map[netip.Addr]int     { return c.left }
func (c *fakeConnections) Unreachable() []netip.Addr    { return c.silent }
func (c *fakeConnections) Answered() []netip.Addr       { return c.answer }
func (c *fakeConnections) Unable() string               { return c.unable }
func (c *fakeConnections) Only() lb.Family              { return c.only }
func (c *fakeConnections) Sure() bool                   { return !c.unsure }
func (c *fakeConnections) Refused() []string            { return c.refused }
func (c *fakeConnections) Beside() string               { return c.beside }
func (c *fakeConnections) Changes() <-chan struct{}     { return nil }

type fakeProxy struct{ f *fixture }

func (p fakeProxy) Set([]netip.Addr)                  {}
func (p fakeProxy) Result() (proxycheck.Result, bool) { return p.f.proxy, !p.f.unasked }
func (p fakeProxy) Changes() <-chan struct{}          { return nil }

// noSpeakers is an API server without Speaker objects.
type noSpeakers struct{ client.Reader }

func (noSpeakers) List(context.Context, client.ObjectList, ...client.ListOption) error { return nil }
