package reconcile

import (
	"context"
	"log/slog"
	"maps"
	"net/netip"
	"testing"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/core/announce"
	"github.com/daymark-lb/daymark/internal/core/lb"
	"github.com/daymark-lb/daymark/internal/informer"
	"github.com/daymark-lb/daymark/internal/informer/informertest"
)

const namespace = "daymark-system"

// speakerObjects is an API server that has Speaker objects, and counts how often it is asked for them.
type speakerObjects struct {
	client.Reader
	items []v1beta1.Speaker
	lists int
}

func (s *speakerObjects) List(_ context.Context, list client.ObjectList, _ ...client.ListOption) error {
	s.lists++
	list.(*v1beta1.SpeakerList).Items = s.items
	return nil
}

// gossiping is a Speaker object as the version before writes it.
func gossiping(node, address string) v1beta1.Speaker {
	return v1beta1.Speaker{ObjectMeta: metav1.ObjectMeta{Name: node}, Status: v1beta1.SpeakerStatus{GossipAddress: address}}
}

// peerScene is a cache as the speaker of n1 has it, of some nodes.
type peerScene struct {
	*testing.T
	cache *informertest.Cache
	api   *speakerObjects
	kinds *listers
}

func newPeerScene(t *testing.T, nodes ...string) *peerScene {
	s := &peerScene{T: t, cache: informertest.New(), api: &speakerObjects{}}
	for _, node := range nodes {
		s.cache.Put(&corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: node, UID: types.UID(node), ResourceVersion: "1"}})
	}
	s.kinds = newListers(s.cache, s.api, "n1", namespace)
	return s
}

// put puts the EndpointSlice of a speaker into the cache, after a change.
func (s *peerScene) put(node, address string, change func(*discoveryv1.EndpointSlice)) {
	s.Helper()
	slice := lb.SpeakerEndpoint{Node: node, Address: netip.MustParseAddrPort(address)}.Slice(namespace, &lb.Node{Name: node})
	change(slice)
	slice.UID, slice.ResourceVersion = types.UID(slice.Namespace+slice.Name), address
	if err := s.cache.PutAs(slice, informer.SpeakerOptions(nil, namespace, lb.Classes{}, "n1")); err != nil {
		s.Fatal(err)
	}
}

func unchanged(*discoveryv1.EndpointSlice) {}

// want checks which speakers n1 knows of, "" for one whose address is not known.
func (s *peerScene) want(want map[string]string) {
	s.Helper()
	seen, err := s.kinds.read(s.Context(), lb.Classes{}, announce.Options{})
	if err != nil {
		s.Fatal(err)
	}
	got := map[string]string{}
	for node, address := range seen.speakers {
		got[node] = ""
		if address.IsValid() {
			got[node] = address.String()
		}
	}
	if !maps.Equal(got, want) {
		s.Errorf("it knows of %v, want %v", got, want)
	}
}

func TestPeers_AreFoundByTheirEndpointSlices(t *testing.T) {
	s := newPeerScene(t, "n1", "n2", "n3")
	s.put("n2", "192.0.2.12:7946", unchanged)
	s.put("n3", "[2001:db8::13]:7946", unchanged)
	s.want(map[string]string{"n2": "192.0.2.12:7946", "n3": "[2001:db8::13]:7946"})
	s.put("n2", "192.0.2.22:7000", unchanged)
	s.want(map[string]string{"n2": "192.0.2.22:7000", "n3": "[2001:db8::13]:7946"})
	if s.api.lists != 0 {
		t.Error("the Speaker objects of all nodes were read, though all speakers keep an EndpointSlice")
	}
}

func TestPeers_WhatOthersClaimIsIgnored(t *testing.T) {
	s := newPeerScene(t, "n1", "n2")
	s.put("n2", "192.0.2.12:7946", unchanged)
	elsewhere := func(slice *discoveryv1.EndpointSlice) { slice.Namespace = "tenant" }
	s.put("n2", "203.0.113.1:1", elsewhere)
	s.put("n3", "203.0.113.1:2", elsewhere)
	s.put("n4", "203.0.113.1:3", func(slice *discoveryv1.EndpointSlice) { slice.Labels[discoveryv1.LabelManagedBy] = "other" })
	s.put("n5", "203.0.113.1:4", func(slice *discoveryv1.EndpointSlice) { slice.Name = v1beta1.SpeakerObjectName("n6") }) // a speaker for another
	s.put("n7", "203.0.113.1:5", func(slice *discoveryv1.EndpointSlice) { slice.Ports = nil })
	s.put("n8", "203.0.113.1:6", func(slice *discoveryv1.EndpointSlice) { slice.Endpoints = nil })
	s.want(map[string]string{"n2": "192.0.2.12:7946"})
}

// A tenant's slice that looks like that of a speaker is one of the tenant's Service, and nothing else.
func TestPeers_SliceOfATenantCountsForTheTenantsService(t *testing.T) {
	s := newPeerScene(t, "n1")
	s.put("n1", "203.0.113.1:1", func(slice *discoveryv1.EndpointSlice) { slice.Namespace = "tenant" })
	seen, err := s.kinds.read(t.Context(), lb.Classes{}, announce.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if e := seen.world.Endpoints[lb.Key{Namespace: "tenant", Name: v1beta1.SpeakerService}]; !e.AnyServing(lb.IPv4) {
		t.Error("the Service has no endpoint")
	}
}

// In a rolling update the speakers of the version before say only in their Speaker objects where they gossip.
func TestPeers_OfTheVersionBeforeAreFoundAtTheStart(t *testing.T) {
	s := newPeerScene(t, "n1", "n2", "n3", "n4")
	s.api.items = []v1beta1.Speaker{
		gossiping("n1", "192.0.2.11:7946"), gossiping("n2", "192.0.2.12:7946"), gossiping("n3", "192.0.2.13:7946"), gossiping("n4", ""),
		gossiping("gone", "192.0.2.99:7946"),
	}
	s.put("n2", "192.0.2.22:7946", unchanged)
	s.want(map[string]string{"n2": "192.0.2.22:7946", "n3": "192.0.2.13:7946", "n4": ""})
	s.put("n3", "192.0.2.33:7946", unchanged) // It has been updated, too.
	s.want(map[string]string{"n2": "192.0.2.22:7946", "n3": "192.0.2.33:7946", "n4": ""})
	if s.api.lists != 1 {
		t.Errorf("the Speaker objects were read %d times", s.api.lists)
	}
}

// The version before reads status.gossipAddress of all Speaker objects: this one goes on writing it, at once.
func TestPeers_VersionBeforeFindsThisOne(t *testing.T) {
	f := newFixture(t)
	f.pass(t)
	if got := f.reporter.newest.Status.GossipAddress; got != "192.0.2.11:7946" {
		t.Errorf("the Speaker object says %q", got)
	}
	if got := f.reporter.newest.Status.Version; got == "" || len(got) > 128 {
		t.Errorf("its version is %q: without one it is taken for one of that version", got)
	}
	if paceOf(&f.reporter.newest.Status, &v1beta1.SpeakerStatus{}) != now {
		t.Error("it waits")
	}
}

func TestPublisher_KeepsTheEndpointSliceUpToDate(t *testing.T) {
	c := &writes{Client: speakerAPI(t)}
	node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "n1"}}
	for _, object := range []client.Object{node, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}} {
		if err := c.Client.Create(t.Context(), object); err != nil {
			t.Fatal(err)
		}
	}
	p := NewPublisher("n1", namespace, c, slog.New(slog.DiscardHandler))
	four, six := netip.MustParseAddrPort("192.0.2.11:7946"), netip.MustParseAddrPort("[2001:db8::11]:7946")
	for _, step := range []struct {
		name           string
		address, known netip.AddrPort
		writes         int
	}{
		{"it is made", four, netip.AddrPort{}, 1},
		{"a cache that is behind causes no write", four, netip.AddrPort{}, 1},
		{"nor does one that shows it", four, four, 1},
		{"another address is written", netip.MustParseAddrPort("192.0.2.12:7947"), four, 2},
		{"one of the other family is made anew", six, four, 4},
		{"no address changes nothing", netip.AddrPort{}, six, 4},
	} {
		p.Set(Published{Address: step.address, Known: step.known, Owner: &lb.Node{Name: "n1", UID: node.UID}})
		if err := p.write(t.Context()); err != nil {
			t.Fatalf("%s: %v", step.name, err)
		}
		got := &discoveryv1.EndpointSlice{}
		if err := c.Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: "speaker-n1"}, got); err != nil {
			t.Fatalf("%s: %v", step.name, err)
		}
		parsed := lb.ParseEndpointSlice(got).Speaker
		if parsed == nil || step.address.IsValid() && parsed.Address != step.address || parsed.Node != "n1" {
			t.Errorf("%s: it says %+v", step.name, parsed)
		}
		if c.all != step.writes {
			t.Errorf("%s: %d writes, want %d", step.name, c.all, step.writes)
		}
		if len(got.OwnerReferences) != 1 || got.OwnerReferences[0].UID != node.UID {
			t.Errorf("%s: owned by %v, not by the Node", step.name, got.OwnerReferences)
		}
	}
}
