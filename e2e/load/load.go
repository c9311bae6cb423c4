// Package load puts Services into the lab by the thousand, with endpoints behind them and no pods, changes them all the time, and waits
// until they have what they are to have. It refuses to measure: its callers know what they want to know.
package load

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/daymark-lb/daymark/e2e/lab"
)

// Batch is the label that says which Services belong together.
const Batch = "batch"

// Service is a Service of type LoadBalancer without a selector that asks for an address of a pool.
func Service(name, pool string) *corev1.Service {
	return &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "default", Name: name, Labels: map[string]string{Batch: pool},
			Annotations: map[string]string{"daymark.io/address-pool": pool},
		},
		Spec: corev1.ServiceSpec{Type: corev1.ServiceTypeLoadBalancer, Ports: []corev1.ServicePort{{Port: 80}}},
	}
}

// WithoutNodePorts is Service without node ports, of which a cluster has 2,768.
func WithoutNodePorts(name, pool string) *corev1.Service {
	service := Service(name, pool)
	service.Spec.AllocateLoadBalancerNodePorts = new(bool)
	return service
}

// WithNodePorts gives a Service node ports.
func WithNodePorts(service *corev1.Service) { service.Spec.AllocateLoadBalancerNodePorts = nil }

// Endpoints is an EndpointSlice of a Service without a selector: a ready endpoint on each of these nodes. No pod is there. It is whole, so
// that it may be put into etcd past the API server.
func Endpoints(service string, nodes ...string) *discoveryv1.EndpointSlice {
	slice := &discoveryv1.EndpointSlice{
		TypeMeta: metav1.TypeMeta{APIVersion: "discovery.k8s.io/v1", Kind: "EndpointSlice"},
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "default", Name: service, UID: types.UID("uid-" + service), Labels: map[string]string{discoveryv1.LabelServiceName: service},
		},
		AddressType: discoveryv1.AddressTypeIPv4,
	}
	for i, node := range nodes {
		ready := true
		slice.Endpoints = append(slice.Endpoints, discoveryv1.Endpoint{
			Addresses: []string{fmt.Sprintf("203.0.113.%d", 200+i)}, NodeName: &node, Conditions: discoveryv1.EndpointConditions{Ready: &ready},
		})
	}
	return slice
}

// Name is the name of a Service of a batch, counted from 0.
func Name(batch string, i int) string { return fmt.Sprintf("%s-%d", batch, i) }

// CreateServices creates Services of a batch, many at a time, and returns how long that took. They have no node ports, unless they are changed
// before.
func CreateServices(t lab.T, cluster *lab.Cluster, batch, pool string, count int, changes ...func(*corev1.Service)) time.Duration {
	t.Helper()
	began := time.Now()
	err := Concurrently(count, func(i int) error {
		object := WithoutNodePorts(Name(batch, i), pool)
		object.Labels[Batch] = batch
		for _, change := range changes {
			change(object)
		}
		return cluster.API().Create(context.Background(), object)
	})
	if err != nil {
		t.Fatalf("create Services: %v", err)
	}
	return time.Since(began)
}

// DeleteServices deletes the Services of a batch, many at a time.
func DeleteServices(t lab.T, cluster *lab.Cluster, batch string, count int) {
	t.Helper()
	err := Concurrently(count, func(i int) error {
		object := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: Name(batch, i)}}
		return client.IgnoreNotFound(cluster.API().Delete(context.Background(), object))
	})
	if err != nil {
		t.Fatalf("delete Services: %v", err)
	}
}

// CreateEndpoints gives the Services of a batch that is about to be created an endpoint each, so that they are announced.
func CreateEndpoints(t lab.T, cluster *lab.Cluster, batch string, count int) {
	t.Helper()
	err := Concurrently(count, func(i int) error {
		return cluster.API().Create(context.Background(), Endpoints(Name(batch, i), "n1"))
	})
	if err != nil {
		t.Fatalf("create EndpointSlices: %v", err)
	}
}

// Concurrently calls f for each number below count, many at a time.
func Concurrently(count int, f func(i int) error) error {
	const hands = 32
	numbers := make(chan int, count)
	for i := range count {
		numbers <- i
	}
	close(numbers)
	errs := make([]error, count)
	var wait sync.WaitGroup
	for range hands {
		wait.Go(func() {
			for i := range numbers {
				errs[i] = f(i)
			}
		})
	}
	wait.Wait()
	return errors.Join(errs...)
}

// ChangeEndpoints changes the readiness of the first endpoint of one Service of a batch after the other, so many a second, until ctx ends,
// and returns how many it changed. A change that the API server is slow to make does not delay the next ones.
func ChangeEndpoints(ctx context.Context, cluster *lab.Cluster, batch string, count, perSecond int) (changed int) {
	var (
		mu     sync.Mutex
		making sync.WaitGroup
		tick   = time.NewTicker(time.Second / time.Duration(perSecond))
		ready  = true
	)
	defer tick.Stop()
	for i := 0; ; i++ {
		select {
		case <-ctx.Done():
			making.Wait()
			return changed
		case <-tick.C:
		}
		if i%count == 0 {
			ready = !ready
		}
		making.Go(func() {
			if changeEndpoint(ctx, cluster, Name(batch, i%count), ready) == nil {
				mu.Lock()
				defer mu.Unlock()
				changed++
			}
		})
	}
}

func changeEndpoint(ctx context.Context, cluster *lab.Cluster, service string, ready bool) error {
	slice := &discoveryv1.EndpointSlice{}
	slice.Namespace, slice.Name = "default", service
	change := fmt.Sprintf(`[{"op":"replace","path":"/endpoints/0/conditions","value":{"ready":%t}}]`, ready)
	return cluster.API().Patch(ctx, slice, client.RawPatch(types.JSONPatchType, []byte(change)))
}
