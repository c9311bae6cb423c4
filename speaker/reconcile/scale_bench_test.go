package reconcile

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/core/announce"
	"github.com/daymark-lb/daymark/internal/core/lb"
	"github.com/daymark-lb/daymark/internal/cputime"
	"github.com/daymark-lb/daymark/internal/informer"
	"github.com/daymark-lb/daymark/internal/informer/informertest"
	"github.com/daymark-lb/daymark/internal/loop"
	"github.com/daymark-lb/daymark/speaker/gossip"
	"github.com/daymark-lb/daymark/speaker/layer2"
)

// steadyLinks are links that stay the same, as those of a node do.
type steadyLinks struct {
	fakeLinks
	links []lb.Link
}

func (l steadyLinks) Links() ([]lb.Link, bool) { return l.links, true }

// answering is layer 2 that answers for all that it is told to.
type answering struct{ *fakeLayer2 }

func (l answering) Set(ctx context.Context, desired []announce.Layer2Address) error {
	now, before := make([]layer2.Held, len(desired)), l.held
	for i := range desired {
		for len(before) > 0 && before[0].Addr.Less(desired[i].Addr) {
			before = before[1:]
		}
		if now[i] = (layer2.Held{Addr: desired[i].Addr, Interfaces: desired[i].Interfaces, Since: time.Now()}); len(before) > 0 && before[0].Addr == now[i].Addr {
			now[i].Since = before[0].Since
		}
	}
	l.held = now
	return l.fakeLayer2.Set(ctx, desired)
}

// settle passes until the speaker answers for a number of addresses, the others have heard that it has announced them, and it is too late
// for another host to object: before that it holds nothing, and remembers what it will not later.
func (s *crashScene) settle(b *testing.B, addresses int) {
	b.Helper()
	const trial = 4 * time.Second
	since, last := time.Now(), time.Now()
	for time.Since(last) < trial {
		time.Sleep(200 * time.Millisecond)
		s.calls, s.gossip.sent = nil, gossip.LocalState{}
		s.objects.stale.Store(true)
		if _, err := s.Reconcile(b.Context(), loop.Wake{}); err != nil {
			b.Fatal(err)
		}
		if len(s.layer2.held) != addresses || len(s.gossip.sent.Claims) > 0 {
			last = time.Now()
		}
		if time.Since(since) > 5*time.Minute {
			b.Fatalf("it answers for %d addresses and not for %d", len(s.layer2.held), addresses)
		}
	}
}

// newScaleScene is a speaker, alone among three nodes, that announces half of some Services by layer 2 and half by BGP.
func newScaleScene(b *testing.B, services int) *crashScene {
	b.Helper()
	classes := lb.Classes{Name: v1beta1.LoadBalancerClass, Classless: true}
	options := informer.SpeakerOptions(nil, "daymark-system", classes, "n1")
	s := &crashScene{fixture: newFixture(b), cache: informertest.New(), options: &options}
	s.putObjects(services)
	kinds := newListers(s.cache, noSpeakers{}, "n1", "daymark-system")
	s.objects = &reading{read: func(ctx context.Context) (*snapshot, error) { return kinds.read(ctx, classes, announce.Options{}) }}
	s.read = s.objects.next
	links, _ := s.exec.Links.Links()
	s.exec.Links, s.exec.Layer2 = steadyLinks{fakeLinks{s.fixture}, links}, answering{&s.layer2}
	return s
}

// BenchmarkLoop_OneChanged is what a pass of a speaker costs, by the number of Services: when an endpoint of one of them has changed,
// when there is one more, when a Node has another annotation that nobody reads, when this node
// has another address on a link, and when an object has changed that concerns none.
func BenchmarkLoop_OneChanged(b *testing.B) {
	for _, services := range []int{1000, 10000, 100000} {
		b.Run(strconv.Itoa(services), func(b *testing.B) { benchmarkOneChanged(b, newScaleScene(b, services)) })
	}
}

func benchmarkOneChanged(b *testing.B, s *crashScene) {
	pass := func(b *testing.B) {
		b.Helper()
		s.calls = nil
		s.objects.stale.Store(true)
		if _, err := s.Reconcile(b.Context(), loop.Wake{}); err != nil {
			b.Fatal(err)
		}
	}
	links, _ := s.exec.Links.Links()
	for name, change := range map[string]func(){
		"endpoint": func() {
			at := s.edits * 7 % len(s.slices)
			edited := s.slices[at].DeepCopy()
			edited.ResourceVersion = strconv.Itoa(2 + s.edits)
			edited.Endpoints[s.edits%3].Conditions.Ready = ptr.To(s.edits%2 == 0)
			s.slices[at] = edited
			s.put(edited)
		},
		"Service": func() { s.putService(named(fmt.Sprint("more", s.edits)), len(s.slices)) },
		"annotation of a Node": func() {
			node := &corev1.Node{ObjectMeta: named("n3")}
			node.ResourceVersion = strconv.Itoa(100 + s.edits)
			node.Annotations = map[string]string{"example.com/seen": strconv.Itoa(s.edits)}
			node.Status.Conditions = []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue}}
			s.cache.Put(node)
		},
		"address of the node": func() {
			bridge := lb.Link{Name: "br-lan", Index: 99, Up: true}
			bridge.Addresses = []netip.Prefix{netip.PrefixFrom(netip.AddrFrom4([4]byte{172, 31, byte(s.edits), 1}), 24)}
			s.exec.Links = steadyLinks{fakeLinks{s.fixture}, append(slices.Clone(links), bridge)}
		},
		"nothing": func() {},
	} {
		b.Run(name, func(b *testing.B) {
			s.edits++
			change() // The first change of a kind is not like those that follow, nor are those while an address is on trial.
			s.settle(b, (len(s.slices)+1)/2)
			b.ReportAllocs()
			began := cputime.Used(b)
			for b.Loop() {
				s.edits++
				change()
				pass(b)
			}
			cputime.Report(b, began)
		})
	}
}
