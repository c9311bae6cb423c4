package informer

import (
	"strconv"
	"testing"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/core/cluster"
	"github.com/daymark-lb/daymark/internal/core/lb"
	"github.com/daymark-lb/daymark/internal/informer/informertest"
)

// equalScene is a cache with a pool, a node and an EndpointSlice in some version.
func equalScene(version string) (*informertest.Cache, *v1beta1.IPAddressPool, *corev1.Node, *discoveryv1.EndpointSlice) {
	meta := metav1.ObjectMeta{Namespace: "default", Name: "one", UID: "one", ResourceVersion: version}
	pool, n := &v1beta1.IPAddressPool{ObjectMeta: meta}, &corev1.Node{ObjectMeta: meta}
	pool.Namespace, n.Namespace = "", ""
	pool.Spec.Addresses = []v1beta1.AddressRange{"192.0.2.0/24"}
	slice := endpointSlice()
	slice.ObjectMeta = meta
	slice.Labels = map[string]string{discoveryv1.LabelServiceName: "web"}
	return informertest.New(pool, n, slice), pool, n, slice
}

func TestCluster_WhatIsWrittenWithoutAChangeIsTheSame(t *testing.T) {
	objects, pool, n, slice := equalScene("1")
	kinds := NewCluster(objects, "daymark-system")
	before, err := kinds.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	web := lb.Key{Namespace: "default", Name: "web"}
	had := before.Endpoints[web]
	counted, beats, again := pool.DeepCopy(), n.DeepCopy(), slice.DeepCopy()
	counted.ResourceVersion, beats.ResourceVersion, again.ResourceVersion = "2", "2", "2"
	counted.Status.Conditions = []metav1.Condition{{Type: v1beta1.ConditionReady}}
	for _, object := range []client.Object{counted, beats, again} {
		objects.Put(object)
	}
	after, err := kinds.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if after.Pools != before.Pools || after.ParsedPools[0].Value != before.ParsedPools[0].Value || after.ParsedPools[0].Object != counted {
		t.Error("a pool of which the status was written is another, or the object is the old one")
	}
	if after.Nodes[0] != before.Nodes[0] {
		t.Error("a node that was written without a change is another")
	}
	if !after.Endpoints[web].Same(had) {
		t.Error("endpoints of which the slice was written without a change are others")
	}
	edited, drained := counted.DeepCopy(), beats.DeepCopy()
	edited.ResourceVersion, drained.ResourceVersion = "3", "3"
	edited.Spec.Drain, drained.Spec.Unschedulable = true, true
	objects.Put(edited)
	objects.Put(drained)
	if after, err = kinds.List(t.Context()); err != nil || !after.ParsedPools[0].Value.Drain || after.Pools == before.Pools || !after.Nodes[0].Unschedulable {
		t.Errorf("a change is not seen (%v)", err)
	}
}

// Many programs write annotations into Nodes: each would have all Services looked at.
func TestCluster_AnnotationsThatNobodyReadsAreNoChange(t *testing.T) {
	objects, _, n, _ := equalScene("1")
	kinds := NewCluster(objects, "daymark-system")
	version := 1
	annotated := func(key, value string) *lb.Node {
		t.Helper()
		version++
		n = n.DeepCopy()
		n.ResourceVersion = strconv.Itoa(version)
		metav1.SetMetaDataAnnotation(&n.ObjectMeta, key, value)
		objects.Put(n)
		s, err := kinds.List(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return s.Nodes[0]
	}
	first := annotated("cluster.x-k8s.io/machine", "1")
	if annotated("example.com/seen", "a") != first || annotated("example.com/seen", "b") != first {
		t.Error("a node with an annotation that nobody reads is another")
	}
	drained := annotated(v1beta1.AnnotationDrain, "true")
	if !drained.Draining {
		t.Error("the annotation that drains a node is not seen")
	}
	peer := &v1beta1.BGPPeer{ObjectMeta: metav1.ObjectMeta{Name: "tor", UID: "tor", ResourceVersion: "1"}}
	peer.Spec.PeerFrom = &v1beta1.PeerFrom{NodeAnnotation: "example.com/seen"}
	objects.Put(peer)
	routers := annotated("cluster.x-k8s.io/machine", "2")
	if routers.Annotations["example.com/seen"] != "b" || annotated("cluster.x-k8s.io/machine", "3") != routers {
		t.Errorf("an annotation that a BGPPeer names from now on is not there, or others count: %v", routers.Annotations)
	}
	if annotated("example.com/seen", "c").Annotations["example.com/seen"] != "c" {
		t.Error("a change of an annotation that a BGPPeer names is not seen")
	}
	objects.Delete(peer)
	if annotated("example.com/seen", "d").Annotations["example.com/seen"] != "d" {
		t.Error("an annotation that was named once is not read, though the peer may count still")
	}
}

func TestLastGoodObjects_PoolsAreTheSameAsLongAsTheyAre(t *testing.T) {
	remembered := NewLastGoodObjects()
	a, b := &lb.Pool{Name: "a"}, &lb.Pool{Name: "b"}
	both, one := lb.NewPools([]*lb.Pool{a, b}), lb.NewPools([]*lb.Pool{a})
	remembered.SubstitutePools(cluster.Objects{Pools: both})
	first := remembered.SubstitutePools(cluster.Objects{Pools: one}).Pools
	if again := remembered.SubstitutePools(cluster.Objects{Pools: one}).Pools; again != first || first.Gone("b") != b {
		t.Errorf("the pools are others, or forget the one that is gone: %v", first.Gone("b"))
	}
	if back := remembered.SubstitutePools(cluster.Objects{Pools: both}).Pools; back.Named("b") != b {
		t.Error("a pool that is back is not there")
	}
}

func TestOptions_KeepTheValueOfAnEndpointSlice(t *testing.T) {
	options := Options(nil, "daymark-system", classes)
	objects, _, _, slice := equalScene("1")
	want := lb.ParseEndpointSlice(slice)
	put := func(version string, change func(*discoveryv1.EndpointSlice)) any {
		t.Helper()
		edited := slice.DeepCopy()
		edited.ResourceVersion = version
		change(edited)
		if err := objects.PutAs(edited, options); err != nil {
			t.Fatal(err)
		}
		informer, _ := objects.GetInformer(t.Context(), slice)
		item, _, _ := informer.(withStore).GetStore().GetByKey("default/one")
		return item
	}
	lister := NewValueLister(objects, lb.ParseEndpointSlice)
	before := put("2", func(*discoveryv1.EndpointSlice) {})
	list, err := lister.List(t.Context())
	if err != nil || len(list) != 1 {
		t.Fatalf("it lists %v (%v)", list, err)
	}
	same(t, want, list[0])
	k, isKept := before.(*kept[*lb.EndpointSlice])
	if !isKept || k.GetUID() != "one" || k.GetResourceVersion() != "2" || k.GetNamespace() != "default" || k.GetName() != "one" {
		t.Fatalf("the cache keeps %+v", before)
	}
	without := put("3", func(s *discoveryv1.EndpointSlice) { s.Endpoints[0].Zone = nil }).(*kept[*lb.EndpointSlice])
	changed := put("4", func(s *discoveryv1.EndpointSlice) { s.Endpoints = s.Endpoints[:1] }).(*kept[*lb.EndpointSlice])
	if !Unchanged(k, without) || Unchanged(k, changed) || OnlyTextChanged(k, changed) {
		t.Error("a change is not told from none")
	}
	if list, err = lister.List(t.Context()); err != nil || list[0] != changed.value {
		t.Errorf("it lists %v (%v)", list, err)
	}
}
