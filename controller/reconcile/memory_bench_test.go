package reconcile

import (
	"fmt"
	"runtime"
	"testing"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
)

// BenchmarkLoop_Memory100k is how much memory the controller keeps of 100,000 Services that have all they should have, each with an
// EndpointSlice of three endpoints: what its caches keep of the objects as the API server sends them, and then what its passes keep beside.
// The garbage collector lets a process grow by 30 percent more.
func BenchmarkLoop_Memory100k(b *testing.B) {
	const services = 100_000
	for b.Loop() {
		s := newScaleScene(b, services)
		kept := &scaleScene{scene: newScene(Config{})}
		pools, err := s.listers.others.List(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		for _, pool := range pools.ParsedPools {
			kept.cache.Put(pool.Object)
		}
		kept.classes = s.classes
		options, sent := CacheOptions(nil, daymarkNamespace, s.classes), s
		began := heap()
		for i := range sent.services {
			// As the watch decodes them: no two have a text in common.
			service, slice := &corev1.Service{}, &discoveryv1.EndpointSlice{}
			decode(b, sent.services[i], service)
			decode(b, sent.slices[i], slice)
			if err := kept.cache.PutAs(service, options); err != nil {
				b.Fatal(err)
			}
			if err := kept.cache.PutAs(slice, options); err != nil {
				b.Fatal(err)
			}
		}
		cached := heap()
		for range 3 {
			if _, err := kept.pass(b.Context()); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(cached-began)/services, "B/Service-cached")
		b.ReportMetric(float64(heap()-cached)/services, "B/Service-of-passes")
		runtime.KeepAlive(kept)
		runtime.KeepAlive(sent)
	}
}

// heap is the memory in use.
func heap() int64 {
	runtime.GC()
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return int64(stats.HeapAlloc)
}

type message interface {
	Marshal() ([]byte, error)
	Unmarshal(data []byte) error
}

// decode makes an object of what another one is sent as.
func decode[M message](b *testing.B, from, into M) {
	b.Helper()
	data, err := from.Marshal()
	if err == nil {
		err = into.Unmarshal(data)
	}
	if err != nil {
		b.Fatal(fmt.Errorf("decode: %w", err))
	}
}
