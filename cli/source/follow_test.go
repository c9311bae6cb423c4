package source

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
)

// following plays an API server with one Service, that adds another one as soon as somebody watches. Nodes may not be read, and
// ServiceCIDRs are not known.
func following(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	list := corev1.ServiceList{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "ServiceList"}, ListMeta: metav1.ListMeta{ResourceVersion: "1"}}
	list.Items = []corev1.Service{*service("shop", "a")}
	switch query := r.URL.Query(); {
	case r.URL.Path == "/api/v1/nodes":
		w.WriteHeader(http.StatusForbidden)
		_ = json.NewEncoder(w).Encode(metav1.Status{
			TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Status"}, Status: "Failure", Code: 403, Reason: metav1.StatusReasonForbidden,
		})
	case r.URL.Path == "/apis/networking.k8s.io/v1/servicecidrs":
		w.WriteHeader(http.StatusNotFound)
		_ = json.NewEncoder(w).Encode(metav1.Status{
			TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Status"}, Status: "Failure", Code: 404, Reason: metav1.StatusReasonNotFound,
		})
	case query.Get("sendInitialEvents") != "":
		w.WriteHeader(http.StatusUnprocessableEntity)
		_ = json.NewEncoder(w).Encode(metav1.Status{
			TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Status"}, Status: "Failure", Code: 422, Reason: metav1.StatusReasonInvalid,
		})
	case query.Get("watch") == "":
		_ = json.NewEncoder(w).Encode(list)
	default:
		added := service("shop", "b")
		added.ResourceVersion = "2"
		_ = json.NewEncoder(w).Encode(map[string]any{"type": "ADDED", "object": added})
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	}
}

func TestCluster_FollowsChanges(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(following))
	t.Cleanup(server.Close)
	from, err := NewCluster(&rest.Config{Host: server.URL}, func() time.Time { return written })
	if err != nil {
		t.Fatal(err)
	}
	queries := []Query{{Kind: Services, Namespace: "shop"}, {Kind: Nodes, Optional: true}, {Kind: ServiceCIDRs}}
	all, err := from.Follow(t.Context(), time.Millisecond, queries...)
	if err != nil {
		t.Fatal(err)
	}
	limit := time.After(30 * time.Second)
	for {
		select {
		case objects := <-all:
			if names := keys(objects); len(names) == 2 && names[1] == "Service shop/b" {
				return
			}
		case <-limit:
			t.Fatal("the second Service is not seen")
		}
	}
}

// followerOf follows kinds whose objects are in stores.
func followerOf(stores ...cache.Store) *follower {
	f := &follower{cluster: &cluster{now: func() time.Time { return written }, config: &rest.Config{}}}
	for _, store := range stores {
		all := &followed{store: store}
		all.changed.Store(true)
		f.all = append(f.all, all)
	}
	return f
}

func storeOf(objects ...runtime.Object) cache.Store {
	store := cache.NewStore(cache.MetaNamespaceKeyFunc)
	for _, o := range objects {
		_ = store.Add(o) // Its name can be read.
	}
	return store
}

// What has not changed is kept, and the whole is what it would be if all was put together anew.
func TestFollower_ObjectsAreWhatIsInTheStores(t *testing.T) {
	node := func(name string) *corev1.Node {
		return &corev1.Node{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Node"}, ObjectMeta: metav1.ObjectMeta{Name: name}}
	}
	one, other, nodes := storeOf(), storeOf(), storeOf(node("n2"), node("n1"))
	f := followerOf(nodes, one, other) // The services of the two are partly the same.
	random := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		i := random.IntN(2)
		store, object := []cache.Store{one, other}[i], service([]string{"shop", "blog"}[random.IntN(2)], fmt.Sprint("s", random.IntN(9)))
		object.ResourceVersion = fmt.Sprint(random.IntN(3))
		if random.IntN(3) == 0 {
			_ = store.Delete(object)
		} else {
			_ = store.Update(object)
		}
		f.all[1+i].changed.Store(true)
		var answers []answer
		for _, s := range []cache.Store{nodes, one, other} {
			var items []runtime.Object
			for _, item := range s.List() {
				items = append(items, item.(runtime.Object))
			}
			answers = append(answers, answer{items: items})
		}
		f.whole = map[string]bool{"": true} // Of which kinds all are read is known from the start.
		if diff := cmp.Diff(collect(answers, written, ""), f.objects()); diff != "" {
			t.Fatalf("want -, got +:\n%s", diff)
		}
	}
}

// BenchmarkFollower_OneServiceChanged is what a change of one of 10,000 Services costs that have a slice of endpoints each, from the
// change to all objects in order.
func BenchmarkFollower_OneServiceChanged(b *testing.B) {
	services, endpoints := storeOf(), storeOf()
	for i := range 10_000 {
		s := service("shop", fmt.Sprint("s", i))
		_ = services.Add(s)
		slice := &discoveryv1.EndpointSlice{ObjectMeta: s.ObjectMeta}
		slice.GetObjectKind().SetGroupVersionKind(EndpointSlices.GroupVersionKind)
		_ = endpoints.Add(slice)
	}
	f := followerOf(services, endpoints)
	for b.Loop() {
		_ = services.Update(service("shop", "s1"))
		f.all[0].changed.Store(true)
		f.objects()
	}
}
