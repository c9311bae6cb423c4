package informer

import (
	"context"
	"fmt"
	"maps"
	"net/netip"
	"reflect"
	"runtime"
	"slices"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	toolscache "k8s.io/client-go/tools/cache"
	"pgregory.net/rapid"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/daymark-lb/daymark/internal/core/lb"
	"github.com/daymark-lb/daymark/internal/informer/informertest"
)

// randomSlice is one of some EndpointSlices of some Services, in one of many versions; or one of a speaker.
func randomSlice(t *rapid.T) *discoveryv1.EndpointSlice {
	name, edit := rapid.IntRange(0, 7).Draw(t, "name"), rapid.IntRange(0, 1000).Draw(t, "edit")
	if name == 0 {
		endpoint := lb.SpeakerEndpoint{Node: "n1", Address: netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, byte(edit)}), 7946)}
		slice := endpoint.Slice("daymark-system", &lb.Node{Name: "n1"})
		slice.UID, slice.ResourceVersion = "speaker", strconv.Itoa(edit)
		return slice
	}
	slice := &discoveryv1.EndpointSlice{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "default", Name: fmt.Sprint("slice-", name), UID: types.UID(fmt.Sprint(name, edit%2)), ResourceVersion: strconv.Itoa(edit),
			Labels: map[string]string{discoveryv1.LabelServiceName: fmt.Sprint("web-", (name+edit/2%2)%3)},
		},
		AddressType: discoveryv1.AddressTypeIPv4,
	}
	for i := range edit % 4 {
		slice.Endpoints = append(slice.Endpoints, discoveryv1.Endpoint{Addresses: []string{fmt.Sprintf("203.0.113.%d", i)}, NodeName: new(fmt.Sprint("n", edit%3))})
	}
	return slice
}

// Whatever has happened to a cache between two looks, what is kept from look to look is what one look would find.
func TestCluster_EndpointsAreThoseOfTheStore(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cache := informertest.New()
		kept := NewCluster(cache, "daymark-system")
		before := map[lb.Key]lb.Endpoints{}
		list := NewLister(cache, lb.ParseEndpointSlice)
		for range rapid.IntRange(1, 8).Draw(t, "looks") {
			for range rapid.IntRange(0, 5).Draw(t, "changes") {
				change(t, cache)
			}
			got, err := kept.List(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			want, err := NewCluster(cache, "daymark-system").List(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want.Endpoints, got.Endpoints); diff != "" {
				t.Fatal(diff)
			}
			for _, endpoints := range []map[lb.Key]lb.Endpoints{before, got.Endpoints} {
				for key := range endpoints {
					if !slices.Contains(got.ChangedEndpoints, key) && !before[key].Equal(got.Endpoints[key]) {
						t.Fatalf("those of %s have changed, and it is not said", key.Name)
					}
				}
			}
			before = maps.Clone(got.Endpoints)
			if diff := cmp.Diff(want.SpeakerAddresses, got.SpeakerAddresses, cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b })); diff != "" {
				t.Fatal(diff)
			}
			checkOrder(t, cache, list)
		}
	})
}

// change makes one change of the EndpointSlices in a cache, or replaces all of them.
func change(t *rapid.T, cache *informertest.Cache) {
	options := Options(nil, "daymark-system", classes)

	switch rapid.IntRange(0, 5).Draw(t, "kind of change") {
	case 0:
		var objects []client.Object
		for range rapid.IntRange(0, 4).Draw(t, "left") {
			objects = append(objects, transformed(t, randomSlice(t), options))
		}
		cache.Replace(&discoveryv1.EndpointSlice{}, objects...)
	case 1, 2:
		cache.Delete(randomSlice(t))
	default:
		if err := cache.PutAs(randomSlice(t), options); err != nil {
			t.Fatal(err)
		}
	}
}

// checkOrder checks that a Lister which has listed before lists what a new one does.
func checkOrder(t *rapid.T, cache *informertest.Cache, list *Lister[*discoveryv1.EndpointSlice, *lb.EndpointSlice]) {
	values := func(l *Lister[*discoveryv1.EndpointSlice, *lb.EndpointSlice]) []*lb.EndpointSlice {
		values, err := l.List(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return values
	}
	if got, want := values(list), values(NewLister(cache, lb.ParseEndpointSlice)); !slices.EqualFunc(got, want, func(a, b *lb.EndpointSlice) bool { return reflect.DeepEqual(a, b) }) {
		t.Fatalf("it lists %v, want %v", got, want)
	}
}

// Beyond lb.MaxEndpoints the slices that count are the first by name, whatever the order in which they came.
func TestEndpoints_JoinCountsTheFirstByName(t *testing.T) {
	web := lb.Key{Namespace: "default", Name: "web"}
	var sorted []*lb.EndpointSlice
	for i := range 3 {
		slice := lb.NewEndpointSlice(web, []lb.Endpoint{{Addr: netip.AddrFrom4([4]byte{203, 0, 113, byte(i)}), Node: fmt.Sprint("n", i), Ready: true}})
		slice.Name, slice.Size = fmt.Sprint("web-", i), lb.MaxEndpoints/2
		sorted = append(sorted, slice)
	}
	e := endpoints{}
	for _, i := range []int{2, 0, 1} {
		got, _ := e.join([]Replacement[*lb.EndpointSlice]{{Now: &sorted[i]}})
		if i == 1 && !got[web].Equal(lb.JoinEndpoints(sorted)) {
			t.Errorf("they are %+v, want %+v", got[web], lb.JoinEndpoints(sorted))
		}
	}
}

// A process that does not look for long forgets no change, and does not remember each.
func TestLister_SeesMoreChangesThanAreNoted(t *testing.T) {
	const many = maxNoted + 100
	cluster, lister, _ := fixture()
	put(cluster, "a", "1", 1)
	if _, err := lister.List(t.Context()); err != nil {
		t.Fatal(err)
	}
	for i := range many {
		put(cluster, fmt.Sprint("b-", i), fmt.Sprint(i), i)
	}
	put(cluster, "c", "2", 2)
	if noted := len(lister.changes.noted); noted > maxNoted {
		t.Errorf("%d changes are remembered", noted)
	}
	got, err := lister.List(t.Context())
	if err != nil || len(got) != many+2 || got[many+1] != "c 2 2" || got[0] != "a 1 1" || got[1] != "b-0 0 0" {
		t.Errorf("it lists %d objects (%v)", len(got), err)
	}
}

// A pass may look in the middle of an informer's replacement of all objects, and so take half of what that notes.
func TestLister_SeesWhatIsGoneWhenItLooksDuringAReplacement(t *testing.T) {
	const count = 1000
	cluster, lister, _ := fixture()
	var rest []client.Object
	for i := range count {
		put(cluster, fmt.Sprint("b-", i), fmt.Sprint(i), i)
		if i > 0 {
			rest = append(rest, &corev1.Service{ObjectMeta: metav1.ObjectMeta{
				Namespace: "default", Name: fmt.Sprint("b-", i), UID: types.UID(fmt.Sprint(i)), ResourceVersion: fmt.Sprint(i),
			}})
		}
	}
	if got, err := lister.List(t.Context()); err != nil || len(got) != count {
		t.Fatalf("it lists %d objects (%v)", len(got), err)
	}
	replaced, looked := 0, make(chan struct{})
	err := lister.informer.AddIndexers(toolscache.Indexers{"look": func(any) ([]string, error) {
		if replaced++; replaced != count+count/2 { // The first are those that are there now.
			return nil, nil
		}
		go func() {
			defer close(looked)
			_, _ = lister.List(context.WithoutCancel(t.Context()))
		}()
		for taken := false; !taken; runtime.Gosched() {
			lister.changes.mu.Lock()
			taken = lister.changes.noted == nil
			lister.changes.mu.Unlock()
		}
		return nil, nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	cluster.Replace(&corev1.Service{}, rest...)
	<-looked
	if got, err := lister.List(t.Context()); err != nil || len(got) != count-1 {
		t.Errorf("after the next look it lists %d objects (%v), want %d", len(got), err, count-1)
	}
}
