package informer

import (
	"testing"
	"unsafe"

	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/daymark-lb/daymark/internal/core/lb"
)

// client-go transforms an object again that a stream of all objects has brought: what is kept must be left alone, since all share the
// metadata of an object without any.
func TestKeep_LeavesWhatIsKept(t *testing.T) {
	transform := keep(strip(stripEndpointSlice), lb.ParseEndpointSlice)
	slice := &discoveryv1.EndpointSlice{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web"}}
	once, err := transform(slice)
	if err != nil {
		t.Fatal(err)
	}
	noMeta.Finalizers = []string{"sentinel"} // which the other transform would take away
	defer func() { noMeta.Finalizers = nil }()
	twice, err := transform(once)
	if err != nil || twice != once || len(noMeta.Finalizers) == 0 {
		t.Errorf("transformed again it is %v, error %v, and the shared metadata are %+v", twice, err, noMeta)
	}
}

// A speaker keeps two of them for each Service.
func TestKept_IsSmall(t *testing.T) {
	if size := unsafe.Sizeof(kept[*lb.Service]{}); size > 64 {
		t.Errorf("%d bytes, want 64 at most", size)
	}
}
