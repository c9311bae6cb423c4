package informer

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// informers is one informer whose store the test fills by hand.
type informers struct {
	cache.Informers
	cache.Informer
	store  toolscache.Store
	synced bool
}

func (i *informers) GetInformer(context.Context, client.Object, ...cache.InformerGetOption) (cache.Informer, error) {
	return i, nil
}
func (i *informers) GetStore() toolscache.Store { return i.store }
func (i *informers) HasSynced() bool            { return i.synced }

func (i *informers) put(name, uid string, version int) {
	_ = i.store.Add(&corev1.Service{ObjectMeta: metav1.ObjectMeta{
		Namespace: "default", Name: name, UID: types.UID(uid), ResourceVersion: strconv.Itoa(version),
	}})
}

// fixture returns a Lister of texts that counts how often it parses.
func fixture() (*informers, *Lister[*corev1.Service, string], *int) {
	cluster := &informers{store: toolscache.NewStore(toolscache.MetaNamespaceKeyFunc), synced: true}
	parsed := new(int)
	return cluster, NewLister(cluster, func(s *corev1.Service) string {
		*parsed++
		return s.Name + " " + string(s.UID) + " " + s.ResourceVersion
	}), parsed
}

func TestLister_List(t *testing.T) {
	type step struct {
		name   string
		change func(*informers)
		want   []string
		parsed int // since the step before
	}
	steps := []step{
		{"an empty store is an empty list", func(*informers) {}, nil, 0},
		{"objects come in order of their names", func(c *informers) {
			c.put("b", "1", 1)
			c.put("a", "2", 2)
		}, []string{"a 2 2", "b 1 1"}, 2},
		{"an object that did not change is not parsed again", func(*informers) {}, []string{"a 2 2", "b 1 1"}, 0},
		{"the same version in a new list is not parsed again", func(c *informers) { c.put("b", "1", 1) }, []string{"a 2 2", "b 1 1"}, 0},
		{"only the object that changed is parsed", func(c *informers) { c.put("b", "1", 3) }, []string{"a 2 2", "b 1 3"}, 1},
		{"an object that is gone is gone", func(c *informers) {
			_ = c.store.Delete(&corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "a"}})
		}, []string{"b 1 3"}, 0},
		{"an object deleted and made again is another", func(c *informers) { c.put("b", "3", 3) }, []string{"b 3 3"}, 1},
	}
	cluster, lister, parsed := fixture()
	for _, step := range steps {
		t.Run(step.name, func(t *testing.T) {
			*parsed = 0
			step.change(cluster)
			got, err := lister.List(t.Context())
			if err != nil || !slices.Equal(got, step.want) || *parsed != step.parsed {
				t.Errorf("got %q (%v), %d parsed, want %q, %d parsed", got, err, *parsed, step.want, step.parsed)
			}
		})
	}
}

func TestLister_ListIsNotChangedByTheNext(t *testing.T) {
	cluster, lister, _ := fixture()
	cluster.put("a", "1", 1)
	before, _ := lister.List(t.Context())
	cluster.put("a", "1", 2)
	_, _ = lister.List(t.Context())
	if before[0] != "a 1 1" {
		t.Errorf("the list changed to %q", before)
	}
}

func TestLister_FailsBeforeTheInformerHasSynced(t *testing.T) {
	cluster, lister, _ := fixture()
	cluster.synced = false
	if got, err := lister.List(t.Context()); err == nil {
		t.Errorf("got %v and no error", got)
	}
}

func BenchmarkLister_10kUnchanged(b *testing.B) {
	cluster, lister, _ := fixture()
	for i := range 10_000 {
		cluster.put(fmt.Sprintf("service-%d", i), fmt.Sprintf("8b0c7a52-6a86-4c1e-8c8e-%012d", i), i)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := lister.List(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}
