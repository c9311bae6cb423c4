package reconcile

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	toolscache "k8s.io/client-go/tools/cache"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/config"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/core/announce"
	"github.com/daymark-lb/daymark/internal/core/election"
	"github.com/daymark-lb/daymark/internal/core/lb"
	"github.com/daymark-lb/daymark/internal/informer"
	"github.com/daymark-lb/daymark/internal/informer/informertest"
	"github.com/daymark-lb/daymark/internal/loop"
	"github.com/daymark-lb/daymark/speaker/gossip"
)

// crashScene is the speaker of one of three nodes, with its loop as a manager runs it, and executors that do nothing. One half of the
// Services is announced by layer 2, the other half by BGP; a quarter has externalTrafficPolicy Local.
type crashScene struct {
	*fixture
	cache *informertest.Cache
	// options of the cache; nil: it keeps whole objects.
	options *cache.Options
	objects *reading
	slices  []*discoveryv1.EndpointSlice
	handler chan toolscache.ResourceEventHandler
	event   toolscache.ResourceEventHandler
	edits   int
	members *crashGossip
	held    *crashLayer2
}

// crashGossip is a gossip of three speakers, of which n2 comes and goes.
type crashGossip struct {
	fakeGossip
	mu              sync.Mutex
	urgent, changes chan struct{}
}

func (g *crashGossip) Set(gossip.Desired) error { return nil }
func (g *crashGossip) Urgent() <-chan struct{}  { return g.urgent }
func (g *crashGossip) View() gossip.View {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.view
}

func (g *crashGossip) Broadcast(local gossip.LocalState) {
	if len(local.Claims) > 0 {
		g.learn(local.Claims)
	}
}

// learn takes claims over. Views that were given out do not change.
func (g *crashGossip) learn(claims []election.Claim) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.view.Claims, g.view.ClaimsVersion = maps.Clone(g.view.Claims), g.view.ClaimsVersion+1
	for _, claim := range claims {
		g.view.Claims.Learn(claim)
	}
}

// setAlive says which nodes are alive, and with which incarnation all but n1 are.
func (g *crashGossip) setAlive(incarnation uint64, alive ...string) {
	g.mu.Lock()
	g.view.Alive, g.view.Peers = alive, map[string]gossip.Peer{}
	for _, node := range alive {
		g.view.Peers[node] = gossip.Peer{Incarnation: incarnation, StateKnown: true, State: gossip.State{Known: true, Links: links()}}
	}
	g.view.Peers["n1"] = gossip.Peer{Incarnation: 1}
	g.mu.Unlock()
	notify(g.changes)
	notify(g.urgent)
}

// crashLayer2 tells when an address is given to it.
type crashLayer2 struct {
	fakeLayer2
	mu      sync.Mutex
	awaited map[netip.Addr]bool
	got     chan time.Time
	now     []announce.Layer2Address
}

func (l *crashLayer2) Set(_ context.Context, desired []announce.Layer2Address) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.now = slices.Clone(desired)
	if slices.ContainsFunc(desired, func(a announce.Layer2Address) bool { return l.awaited[a.Addr] }) {
		l.awaited = nil
		l.got <- time.Now()
	}
	return nil
}

// holds are the addresses that it answers for.
func (l *crashLayer2) holds() map[netip.Addr]bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	held := make(map[netip.Addr]bool, len(l.now))
	for i := range l.now {
		held[l.now[i].Addr] = true
	}
	return held
}

func (l *crashLayer2) await(addresses map[netip.Addr]bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.awaited = addresses
}

// crashEvents is a manager's cache that hands out what its one informer has to call.
type crashEvents struct {
	cache.Cache
	toolscache.ResourceEventHandlerRegistration
	handler chan toolscache.ResourceEventHandler
}

func (crashEvents) Start(ctx context.Context) error       { <-ctx.Done(); return nil }
func (crashEvents) WaitForCacheSync(context.Context) bool { return true }
func (crashEvents) HasSynced() bool                       { return true }
func (c crashEvents) GetInformer(context.Context, client.Object, ...cache.InformerGetOption) (cache.Informer, error) {
	return crashInformer{crashEvents: c}, nil
}

type crashInformer struct {
	cache.Informer
	crashEvents
}

func (crashInformer) HasSynced() bool { return true }
func (i crashInformer) AddEventHandlerWithOptions(handler toolscache.ResourceEventHandler, _ toolscache.HandlerOptions) (toolscache.ResourceEventHandlerRegistration, error) {
	i.handler <- handler
	return i.crashEvents, nil
}

func crashAddress(i int) netip.Addr {
	return netip.AddrFrom4([4]byte{198, byte(18 + i%2), byte(i >> 9), byte(i >> 1)})
}

func newCrashScene(b *testing.B, services int) *crashScene {
	b.Helper()
	s := &crashScene{fixture: newFixture(b), cache: informertest.New(), handler: make(chan toolscache.ResourceEventHandler, 1)}
	s.members = &crashGossip{fakeGossip: s.gossip, urgent: make(chan struct{}, 1), changes: make(chan struct{}, 1)}
	s.members.at = s.gossip.Address()
	s.held = &crashLayer2{got: make(chan time.Time, 1)}
	s.members.view.Version = 2
	s.putObjects(services)
	cfg, classes := Config{Node: "n1", Log: slog.New(slog.DiscardHandler)}, lb.Classes{Name: v1beta1.LoadBalancerClass, Classless: true}
	kinds := newListers(s.cache, noSpeakers{}, "n1", "daymark-system")
	exec := s.exec
	exec.Gossip, exec.Layer2, exec.BGP = s.members, s.held, crashBGP{&s.bgp}
	s.objects = &reading{read: func(ctx context.Context) (*snapshot, error) { return kinds.read(ctx, classes, announce.Options{}) }}
	s.Loop = newLoop(cfg, exec, NewWriters("n1", "daymark-system", nil, cfg.Log), s.objects.next)
	s.members.setAlive(1, "n1", "n2", "n3")
	s.start(b)
	return s
}

type crashBGP struct{ *fakeBGP }

func (crashBGP) Set(context.Context, []announce.Session) error { return nil }

func (s *crashScene) putObjects(services int) {
	for _, kind := range informer.Kinds() {
		_, _ = s.cache.GetInformer(context.Background(), kind)
	}
	for i := 1; i <= 3; i++ {
		node := fmt.Sprint("n", i)
		s.cache.Put(&corev1.Node{ObjectMeta: named(node), Status: corev1.NodeStatus{Conditions: []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue}}}})
		endpoint := lb.SpeakerEndpoint{Node: node, Address: netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, byte(10 + i)}), 7946)}
		slice := endpoint.Slice("daymark-system", &lb.Node{Name: node})
		slice.UID, slice.ResourceVersion = types.UID("speaker-"+node), "1"
		s.cache.Put(slice)
	}
	pool := func(name string, ranges v1beta1.AddressRange) {
		s.cache.Put(&v1beta1.IPAddressPool{ObjectMeta: named(name), Spec: v1beta1.IPAddressPoolSpec{Addresses: []v1beta1.AddressRange{ranges}}})
	}
	pool("lan", "198.18.0.0/16")
	pool("wan", "198.19.0.0/16")
	s.cache.Put(&v1beta1.L2Advertisement{ObjectMeta: named("l2"), Spec: v1beta1.L2AdvertisementSpec{AdvertisementSelectors: v1beta1.AdvertisementSelectors{IPAddressPools: []string{"lan"}}}})
	s.cache.Put(&v1beta1.BGPAdvertisement{ObjectMeta: named("bgp"), Spec: v1beta1.BGPAdvertisementSpec{AdvertisementSelectors: v1beta1.AdvertisementSelectors{IPAddressPools: []string{"wan"}}}})
	s.cache.Put(&v1beta1.BGPPeer{ObjectMeta: named("router"), Spec: v1beta1.BGPPeerSpec{MyASN: 64512, PeerASN: ptr.To(int64(64513)), PeerAddress: "192.0.2.1"}})
	for i := range services {
		s.putService(named(fmt.Sprint("s", i)), i)
	}
}

// named is the metadata of an object that was never edited.
func named(name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Name: name, UID: types.UID(name), ResourceVersion: "1"}
}

// put puts an object into the cache, as its options have it.
func (s *crashScene) put(object client.Object) {
	if s.options == nil {
		s.cache.Put(object)
		return
	}
	copied, _ := object.DeepCopyObject().(client.Object)
	_ = s.cache.PutAs(copied, *s.options) // of these objects there is no error
}

func (s *crashScene) putService(named metav1.ObjectMeta, i int) {
	named.Namespace = "default"
	addr := crashAddress(i).String()
	service := &corev1.Service{ObjectMeta: named, Spec: corev1.ServiceSpec{
		Type: corev1.ServiceTypeLoadBalancer, IPFamilies: []corev1.IPFamily{corev1.IPv4Protocol},
		ExternalTrafficPolicy: corev1.ServiceExternalTrafficPolicyCluster,
	}}
	if i%4 == 0 {
		service.Spec.ExternalTrafficPolicy = corev1.ServiceExternalTrafficPolicyLocal
	}
	service.Status.LoadBalancer.Ingress = []corev1.LoadBalancerIngress{{IP: addr}}
	pool := []string{"lan", "wan"}[i%2]
	service.Status.Conditions = []metav1.Condition{
		{Type: v1beta1.ConditionAddressAssigned}, {Type: v1beta1.ConditionProvenance, Message: fmt.Sprintf("class=%s %s=%s", v1beta1.LoadBalancerClass, addr, pool)},
	}
	s.put(service)
	slice := &discoveryv1.EndpointSlice{ObjectMeta: named, AddressType: discoveryv1.AddressTypeIPv4}
	slice.Labels = map[string]string{discoveryv1.LabelServiceName: named.Name}
	for n := 1; n <= 3; n++ {
		slice.Endpoints = append(slice.Endpoints, discoveryv1.Endpoint{
			Addresses: []string{fmt.Sprintf("203.0.113.%d", n)}, NodeName: ptr.To(fmt.Sprint("n", n)), Conditions: discoveryv1.EndpointConditions{Ready: ptr.To(true)},
		})
	}
	s.put(slice)
	s.slices = append(s.slices, slice)
}

// start runs the loop until the benchmark ends, and waits until this node holds its part of the addresses.
func (s *crashScene) start(b *testing.B) {
	b.Helper()
	m, err := manager.New(&rest.Config{Host: "http://127.0.0.1:1"}, manager.Options{
		Metrics: server.Options{BindAddress: "0"}, HealthProbeBindAddress: "0", Logger: logr.Discard(), Controller: config.Controller{SkipNameValidation: ptr.To(true)},
		NewCache:       func(*rest.Config, cache.Options) (cache.Cache, error) { return crashEvents{handler: s.handler}, nil },
		MapperProvider: func(*rest.Config, *http.Client) (meta.RESTMapper, error) { return meta.NewDefaultRESTMapper(nil), nil },
	})
	if err != nil {
		b.Fatal(err)
	}
	wiring := loop.Wiring{
		Name: "speaker", Kinds: []client.Object{&discoveryv1.EndpointSlice{}}, Cost: &s.cost, UrgentCost: &s.costOfMembers, Stale: &s.objects.stale,
		Wakes: []<-chan struct{}{s.members.changes}, Urgent: []<-chan struct{}{s.members.urgent},
	}
	if err := wiring.Add(m, s.Loop); err != nil {
		b.Fatal(err)
	}
	ended := make(chan error)
	go func() { ended <- m.Start(b.Context()) }()
	b.Cleanup(func() { <-ended })
	s.event = <-s.handler
	for len(s.held.holds()) < len(s.slices)/2/4 {
		time.Sleep(10 * time.Millisecond)
	}
	s.returns(2)
}

// change changes the readiness of an endpoint of one Service, ten times a second until ctx ends.
func (s *crashScene) change(ctx context.Context) {
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
			return
		case <-time.After(100 * time.Millisecond):
		}
		s.edits++
		at := s.edits * 7 % len(s.slices)
		before, edited := s.slices[at], s.slices[at].DeepCopy()
		edited.ResourceVersion = strconv.Itoa(1 + s.edits)
		edited.Endpoints[s.edits%3].Conditions.Ready = ptr.To(s.edits%2 == 0)
		s.slices[at] = edited
		s.cache.Put(edited)
		s.event.OnUpdate(before, edited)
	}
}

// crash takes n2 away, and returns how long it takes until the first of its addresses is answered here.
func (s *crashScene) crash(b *testing.B, incarnation uint64) time.Duration {
	b.Helper()
	own := s.held.holds()
	lost := map[netip.Addr]bool{}
	for addr, claim := range s.members.View().Claims {
		lost[addr] = claim.Node == "n2" && !own[addr]
	}
	s.held.await(lost)
	began := time.Now()
	s.members.setAlive(incarnation, "n1", "n3")
	return (<-s.held.got).Sub(began)
}

// returns has n2 and n3 alive, with the third of the addresses that each of them holds.
func (s *crashScene) returns(incarnation uint64) {
	var claims []election.Claim
	known := s.members.View().Claims
	for i := 0; i < len(s.slices); i += 2 {
		addr := crashAddress(i)
		if node := i / 2 % 3; node != 0 {
			claims = append(claims, election.Claim{Addr: addr, Node: fmt.Sprint("n", node+1), Incarnation: incarnation, Term: known[addr].Term + 1, Announced: true})
		}
	}
	s.members.setAlive(incarnation, "n1", "n2", "n3")
	s.members.learn(claims)
	notify(s.members.urgent)
}

// BenchmarkLoop_CrashInALargeCluster is the time from when the gossip of a speaker loses another one to when its layer 2 is given the
// first address of that, with 10,000 Services: while nothing else happens (quiet), and while an EndpointSlice changes every 100 ms
// (churning).
func BenchmarkLoop_CrashInALargeCluster(b *testing.B) {
	for _, services := range []int{10000, 100000} {
		for name, churns := range map[string]bool{"quiet": false, "churning": true} {
			b.Run(fmt.Sprintf("%d-%s", services, name), func(b *testing.B) {
				s := newCrashScene(b, services)
				ctx, stop := context.WithCancel(b.Context())
				defer stop()
				if churns {
					go s.change(ctx)
				}
				var took []time.Duration
				for incarnation := uint64(3); b.Loop(); incarnation++ {
					time.Sleep(700*time.Millisecond + rand.N(700*time.Millisecond)) // at any point of a pass
					took = append(took, s.crash(b, incarnation-1))
					s.returns(incarnation)
				}
				slices.Sort(took)
				b.ReportMetric(0, "ns/op")
				b.ReportMetric(took[len(took)/2].Seconds()*1000, "ms-median")
				b.ReportMetric(took[len(took)-1].Seconds()*1000, "ms-most")
			})
		}
	}
}
