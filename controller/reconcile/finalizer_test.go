package reconcile

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/e2e/lab"
	"github.com/daymark-lb/daymark/internal/bubble"
	"github.com/daymark-lb/daymark/internal/loop"
)

func TestLoop_CleanupFinalizer(t *testing.T) {
	c := newCluster(t)
	c.pool(t, "one", "192.0.2.8/32")
	for _, test := range []struct {
		name string
		test func(*testing.T, *testCluster)
	}{
		{"it comes with the address, goes with the type, comes back, and lets the Service go", kubernetesOwnTest},
		{"a deleted Service keeps its address until the speakers have withdrawn it", waitsForSpeakers},
		{"a Service that a namespace hands over is marked for the speakers first", handedOverByNamespace},
		{"the flag off again removes what is ours and nothing else, and waits in the same way", finalizerOff},
	} {
		t.Run(test.name, func(t *testing.T) {
			test.test(t, c)
			for _, kind := range []client.Object{&v1beta1.Speaker{}, &corev1.Node{}} {
				must(t, c.DeleteAllOf(t.Context(), kind))
			}
		})
	}
}

func withFinalizer(config *Config) { config.CleanupFinalizer = true }

// finalizer waits until a Service has the finalizer, or has it not.
func (c *testCluster) finalizer(t *testing.T, name string, want bool) *corev1.Service {
	t.Helper()
	s := &corev1.Service{}
	lab.Eventually(t, timeout, fmt.Sprintf("the finalizer of %s is there: %v", name, want), func() error {
		if err := c.Get(t.Context(), client.ObjectKey{Namespace: "default", Name: name}, s); err != nil {
			return err
		}
		if slices.Contains(s.Finalizers, v1beta1.FinalizerCleanup) != want {
			return fmt.Errorf("it has %v: %+v", s.Finalizers, s.Status)
		}
		return nil
	})
	return s
}

// gone waits until a Service does not exist.
func (c *testCluster) gone(t *testing.T, name string) {
	t.Helper()
	s := &corev1.Service{}
	lab.Eventually(t, timeout, name+" is gone", func() error {
		err := c.Get(t.Context(), client.ObjectKey{Namespace: "default", Name: name}, s)
		if apierrors.IsNotFound(err) {
			return nil
		}
		return fmt.Errorf("it has %v: %w", s.Finalizers, err)
	})
}

// speaker makes a Node and its Speaker, and returns a function that has the Speaker say what it has withdrawn.
func (c *testCluster) speaker(t *testing.T, name string) (withdrawn func(version string)) {
	t.Helper()
	c.node(t, name, "203.0.113.77")
	s := &v1beta1.Speaker{ObjectMeta: metav1.ObjectMeta{Name: name}}
	must(t, c.Create(t.Context(), s))
	return func(version string) {
		t.Helper()
		must(t, c.Status().Patch(t.Context(), s, client.RawPatch(types.MergePatchType, []byte(`{"status":{"members":1,"withdrawn":"`+version+`"}}`))))
	}
}

// The steps are those of the test "should handle load balancer cleanup finalizer for service" of Kubernetes.
func kubernetesOwnTest(t *testing.T, c *testCluster) {
	defer c.start(t, withFinalizer).stop()
	s := c.service(t, "web")
	c.addresses(t, "web", "192.0.2.8")
	c.finalizer(t, "web", true)
	edit(t, c, s, func(s *corev1.Service) { s.Spec.Type = corev1.ServiceTypeClusterIP })
	if now := c.finalizer(t, "web", false); len(now.Status.Conditions) > 0 || len(now.Annotations) > 0 {
		t.Errorf("it keeps %+v, %v", now.Status.Conditions, now.Annotations)
	}
	edit(t, c, s, func(s *corev1.Service) { s.Spec.Type = corev1.ServiceTypeLoadBalancer })
	c.finalizer(t, "web", true)
	must(t, c.Delete(t.Context(), s))
	c.gone(t, "web")
}

func waitsForSpeakers(t *testing.T, c *testCluster) {
	defer c.start(t, withFinalizer).stop()
	n1, n2 := c.speaker(t, "n1"), c.speaker(t, "n2")
	s := c.service(t, "web")
	c.addresses(t, "web", "192.0.2.8")
	must(t, c.Delete(t.Context(), s))
	next := c.service(t, "next")
	c.reason(t, next, v1beta1.ConditionAddressAssigned, "PoolExhausted")
	left := c.finalizer(t, "web", true)
	if got := ips(left); !slices.Equal(got, []string{"192.0.2.8"}) {
		t.Errorf("it shows %v", got)
	}
	n1(left.ResourceVersion)
	c.pool(t, "other", "198.51.100.8/32") // a pass that knows what n1 said
	c.addresses(t, "next", "198.51.100.8")
	c.finalizer(t, "web", true)
	n2(left.ResourceVersion)
	c.gone(t, "web")
	must(t, c.Delete(t.Context(), &v1beta1.IPAddressPool{ObjectMeta: metav1.ObjectMeta{Name: "other"}}))
	// A node that is gone is not waited for.
	must(t, c.Delete(t.Context(), next))
	c.finalizer(t, "next", true)
	for _, name := range []string{"n1", "n2"} {
		must(t, c.Delete(t.Context(), &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name}}))
	}
	c.gone(t, "next")
}

func handedOverByNamespace(t *testing.T, c *testCluster) {
	defer c.start(t, withFinalizer).stop()
	n1 := c.speaker(t, "n1")
	s := c.service(t, "web")
	c.addresses(t, "web", "192.0.2.8")
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "default"}}
	edit(t, c, namespace, func(n *corev1.Namespace) {
		metav1.SetMetaDataAnnotation(&n.ObjectMeta, v1beta1.AnnotationProvider, "metallb")
	})
	defer edit(t, c, namespace, func(n *corev1.Namespace) { delete(n.Annotations, v1beta1.AnnotationProvider) })
	message := c.reason(t, s, v1beta1.ConditionProvenance, "Withdrawing")
	if message != "class=daymark.io/daymark finalizer 192.0.2.8=one" {
		t.Errorf("the provenance is %q", message)
	}
	n1(c.finalizer(t, "web", true).ResourceVersion)
	if now := c.finalizer(t, "web", false); len(now.Status.Conditions) > 0 {
		t.Errorf("it keeps %+v", now.Status.Conditions)
	}
	c.shows(t, "web", "192.0.2.8")
	must(t, c.Delete(t.Context(), s))
	c.gone(t, "web")
}

func finalizerOff(t *testing.T, c *testCluster) {
	on := c.start(t, withFinalizer)
	c.service(t, "web")
	c.addresses(t, "web", "192.0.2.8")
	on.stop()
	n1 := c.speaker(t, "n1")
	theirs := func(s *corev1.Service) { s.Finalizers = []string{v1beta1.FinalizerCleanup, "example.com/other"} }
	foreign := c.service(t, "foreign", theirs, func(s *corev1.Service) { s.Spec.LoadBalancerClass = new("example.com/other") })
	adopted := c.service(t, "adopted", theirs)
	c.pool(t, "two", "198.51.100.9/32")
	off := c.start(t)
	defer off.stop()
	c.finalizer(t, "web", false)
	c.addresses(t, "adopted", "198.51.100.9")
	for _, s := range []*corev1.Service{foreign, adopted} {
		if now := c.finalizer(t, s.Name, true); len(now.Finalizers) != 2 {
			t.Errorf("%s has %v", s.Name, now.Finalizers)
		}
	}
	off.stop()

	on = c.start(t, withFinalizer) // who serves the Service has the finalizer
	lab.Eventually(t, timeout, "it is taken over", func() error {
		if s := c.finalizer(t, "adopted", true); !strings.Contains(fmt.Sprint(s.Status.Conditions), "finalizer 198.51.100.9=two") {
			return errors.New("not yet")
		}
		return nil
	})
	on.stop()
	must(t, c.Delete(t.Context(), adopted))
	defer c.start(t).stop()
	c.finalizer(t, "web", false)
	left := c.finalizer(t, "adopted", true)
	n1(left.ResourceVersion)
	c.finalizer(t, "adopted", false)
	for _, s := range []*corev1.Service{foreign, adopted} {
		edit(t, c, s, func(s *corev1.Service) { s.Finalizers = nil })
	}
	must(t, c.Delete(t.Context(), foreign))
	must(t, c.Delete(t.Context(), &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "web"}}))
	must(t, c.Delete(t.Context(), &v1beta1.IPAddressPool{ObjectMeta: metav1.ObjectMeta{Name: "two"}}))
}

func TestLoop_RemovedFinalizerIsNotFoughtFor(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		s := newScene(Config{CleanupFinalizer: true})
		gave := 0
		for began := time.Now(); time.Since(began) < time.Hour; {
			result, err := s.Reconcile(t.Context(), loop.Wake{})
			if err != nil {
				t.Fatal(err)
			}
			for {
				one, _ := s.writer.take(time.Now())
				if one == nil {
					break
				}
				s.writer.make(one)
				if one.service == nil || one.key.name != "a" {
					continue
				}
				if one.service.desired.Finalizer {
					gave++
				}
				s.store(one) // as somebody who removes the finalizer at once
			}
			wait := 200 * time.Millisecond // something else wakes the loop all the time
			if result.RequeueAfter > 0 {
				wait = min(wait, result.RequeueAfter)
			}
			time.Sleep(wait)
		}
		if gave < 12 || gave > 30 {
			t.Errorf("the finalizer was given %d times in an hour", gave)
		}
	})
}
