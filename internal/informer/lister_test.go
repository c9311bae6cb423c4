package informer

import (
	"fmt"
	"slices"
	"strconv"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/daymark-lb/daymark/internal/informer/informertest"
)

func put(c *informertest.Cache, name, uid string, version int) {
	c.Put(&corev1.Service{ObjectMeta: metav1.ObjectMeta{
		Namespace: "default", Name: name, UID: types.UID(uid), ResourceVersion: strconv.Itoa(version),
	}})
}

// fixture returns a Lister of texts, which counts how often it parses.
func fixture() (*informertest.Cache, *Lister[*corev1.Service, string], *int) {
	cluster := informertest.New()
	parsed := new(int)
	return cluster, NewLister(cluster, func(s *corev1.Service) string {
		*parsed++
		return s.Name + " " + string(s.UID) + " " + s.ResourceVersion
	}), parsed
}

func TestLister_List(t *testing.T) {
	type step struct {
		name   string
		change func(*informertest.Cache)
		want   []string
		parsed int // since the step before
	}
	steps := []step{
		{"an empty store is an empty list", func(*informertest.Cache) {}, nil, 0},
		{"objects come in order of their names", func(c *informertest.Cache) {
			put(c, "b", "1", 1)
			put(c, "a", "2", 2)
		}, []string{"a 2 2", "b 1 1"}, 2},
		{"an object that did not change is not parsed again", func(*informertest.Cache) {}, []string{"a 2 2", "b 1 1"}, 0},
		{"the same version in a new list is not parsed again", func(c *informertest.Cache) { put(c, "b", "1", 1) }, []string{"a 2 2", "b 1 1"}, 0},
		{"only the object that changed is parsed", func(c *informertest.Cache) { put(c, "b", "1", 3) }, []string{"a 2 2", "b 1 3"}, 1},
		{"an object that is gone is gone", func(c *informertest.Cache) {
			c.Delete(&corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "a"}})
		}, []string{"b 1 3"}, 0},
		{"an object deleted and made again is another", func(c *informertest.Cache) { put(c, "b", "3", 3) }, []string{"b 3 3"}, 1},
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
	put(cluster, "a", "1", 1)
	before, _ := lister.List(t.Context())
	put(cluster, "a", "1", 2)
	_, _ = lister.List(t.Context())
	if before[0] != "a 1 1" {
		t.Errorf("the list changed to %q", before)
	}
}

func TestLister_FailsBeforeTheInformerHasSynced(t *testing.T) {
	cluster, lister, _ := fixture()
	cluster.NotSynced = true
	if got, err := lister.List(t.Context()); err == nil {
		t.Errorf("got %v and no error", got)
	}
}

func BenchmarkLister_10kUnchanged(b *testing.B) {
	cluster, lister, _ := fixture()
	for i := range 10_000 {
		put(cluster, fmt.Sprintf("service-%d", i), fmt.Sprintf("8b0c7a52-6a86-4c1e-8c8e-%012d", i), i)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := lister.List(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}

// A store that is filled anew has other objects of the same versions. One that an entry still points to would stay in memory beside them.
func TestLister_PointsToTheObjectsOfTheStore(t *testing.T) {
	cluster, lister, _ := fixture()
	for range 2 {
		put(cluster, "a", "1", 1)
		_, _ = lister.List(t.Context())
	}
	informer, err := cluster.GetInformer(t.Context(), &corev1.Service{})
	if err != nil {
		t.Fatal(err)
	}
	stored := informer.(withStore).GetStore().List()
	if len(stored) != 1 || stored[0] != any(objectOf(lister.sorted[0])) {
		t.Errorf("the entry is of %p, and the store has %p", objectOf(lister.sorted[0]), stored)
	}
}
