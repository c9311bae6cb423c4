package reconcile

import (
	"encoding/json"
	"fmt"
	"strconv"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/tenanttest"
)

// BenchmarkLoop_TenantEdit is what the largest edit of a Service costs the controller, in each way that a user of one namespace
// has: all from the informer's transform to what the writer is given, with twenty pools. B-kept is the size of what the cache keeps.
func BenchmarkLoop_TenantEdit(b *testing.B) {
	for _, way := range append(tenanttest.Ways, tenanttest.WithinBounds) {
		b.Run(way, func(b *testing.B) {
			s := newScene(Config{})
			for i := range 20 {
				pool := &v1beta1.IPAddressPool{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprint("pool-", i), ResourceVersion: "1"}}
				pool.UID = types.UID(pool.Name)
				pool.Spec.Addresses = []v1beta1.AddressRange{v1beta1.AddressRange(fmt.Sprintf("203.0.113.%d/32", i))}
				s.cache.Put(pool)
			}
			options := CacheOptions(nil, daymarkNamespace, s.classes)
			from := tenanttest.Service(way)
			var edited corev1.Service
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				edited = *from
				edited.ResourceVersion = strconv.Itoa(i)
				if err := s.cache.PutAs(&edited, options); err != nil {
					b.Fatal(err)
				}
				if _, err := s.pass(b.Context()); err != nil {
					b.Fatal(err)
				}
			}
			kept, err := json.Marshal(&edited)
			if err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(float64(len(kept)), "B-kept")
		})
	}
}
