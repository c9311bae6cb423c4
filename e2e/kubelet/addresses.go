package kubelet

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/daymark-lb/daymark/e2e/lab/check"
)

// AddressWatch remembers every change of the addresses that Services have in their status.
type AddressWatch struct {
	watch   watch.Interface
	stopped atomic.Bool
	ended   sync.WaitGroup
	has     map[string][]string // by Service
	changes []string
}

// WatchAddresses begins with the addresses that the Services of the namespace default have now. The test's end stops it.
func (c *Cluster) WatchAddresses() *AddressWatch {
	c.t.Helper()
	api, err := client.NewWithWatch(c.Config, client.Options{})
	check.Must(c.t, "make a client that watches", err)
	w := &AddressWatch{has: map[string][]string{}}
	w.watch, err = api.Watch(context.Background(), &corev1.ServiceList{}, client.InNamespace("default"))
	check.Must(c.t, "watch Services", err)
	c.t.Cleanup(w.watch.Stop)
	w.ended.Go(func() {
		for event := range w.watch.ResultChan() {
			w.note(event)
		}
	})
	return w
}

// note compares a Service with what was known of it. The first event of each says what there was.
func (w *AddressWatch) note(event watch.Event) {
	service, ok := event.Object.(*corev1.Service)
	if !ok && w.stopped.Load() {
		return // the connection closed while an event was read
	}
	if !ok {
		w.changes = append(w.changes, fmt.Sprintf("the watch failed: %v", event.Object))
		return
	}
	var now []string
	for _, ingress := range service.Status.LoadBalancer.Ingress {
		now = append(now, ingress.IP)
	}
	before, known := w.has[service.Name]
	if known && (event.Type == watch.Deleted || !slices.Equal(before, now)) {
		w.changes = append(w.changes, fmt.Sprintf("%s had %v, and then %v", service.Name, before, now))
	}
	w.has[service.Name] = now
}

// Stop ends it and says each change.
func (w *AddressWatch) Stop() (changes []string) {
	w.stopped.Store(true)
	w.watch.Stop()
	w.ended.Wait()
	return w.changes
}
