package controlplane

import (
	"fmt"
	"net/netip"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/daymark-lb/daymark/e2e/lab/check"
)

// Service is a Service of the namespace default with methods for tests.
type Service struct {
	Name  string
	plane *ControlPlane
	t     check.T
}

// Service is the Service of that name, whether it is there or not.
func (p *ControlPlane) Service(t check.T, name string) Service { return Service{name, p, t} }

// Read returns the object as it is now.
func (s Service) Read() (*corev1.Service, error) {
	ctx, cancel := check.Context()
	defer cancel()
	object := &corev1.Service{}
	if err := s.plane.API.Get(ctx, client.ObjectKey{Namespace: "default", Name: s.Name}, object); err != nil {
		return nil, fmt.Errorf("read service %s: %w", s.Name, err)
	}
	return object, nil
}

// Addresses are the external addresses it has now, if any.
func (s Service) Addresses() (all []netip.Addr, err error) {
	object, err := s.Read()
	if err != nil {
		return nil, err
	}
	for _, ingress := range object.Status.LoadBalancer.Ingress {
		a, err := netip.ParseAddr(ingress.IP)
		if err != nil {
			return nil, fmt.Errorf("read the addresses of %s: %w", s.Name, err)
		}
		all = append(all, a)
	}
	return all, nil
}

// AwaitAddress waits until it has an external address, and returns the first; took is how long that was.
func (s Service) AwaitAddress() (address netip.Addr, took time.Duration) {
	s.t.Helper()
	took = check.Eventually(s.t, 30*time.Second, s.Name+" gets an address", func() error {
		all, err := s.Addresses()
		if err == nil && len(all) == 0 {
			err = fmt.Errorf("it has none: %s", s.ConditionText("daymark.io/AddressAssigned"))
		}
		if err == nil {
			address = all[0]
		}
		return err
	})
	return address, took
}

// HealthPort is its health-check node port.
func (s Service) HealthPort() int {
	s.t.Helper()
	object, err := s.Read()
	check.Must(s.t, "read the health-check port", err)
	return int(object.Spec.HealthCheckNodePort)
}

// ConditionText returns the condition of that type in words: status, reason and message, or that there is none.
func (s Service) ConditionText(condition string) string {
	object, err := s.Read()
	if err != nil {
		return err.Error()
	}
	for _, c := range object.Status.Conditions {
		if c.Type == condition {
			return fmt.Sprintf("%s %s: %s", c.Status, c.Reason, c.Message)
		}
	}
	return "no condition " + condition
}

// Events are the Events about the Service so far, each as reason and message.
func (s Service) Events() (all []string) {
	s.t.Helper()
	ctx, cancel := check.Context()
	defer cancel()
	list := &corev1.EventList{}
	check.Must(s.t, "list events", s.plane.API.List(ctx, list, client.InNamespace("default")))
	for _, e := range list.Items {
		if e.InvolvedObject.Kind == "Service" && e.InvolvedObject.Name == s.Name {
			all = append(all, e.Reason+": "+e.Message)
		}
	}
	return all
}

// Condition returns a condition of an object of any kind in words, as Service.ConditionText does.
func Condition(o *unstructured.Unstructured, condition string) string {
	all, _, _ := unstructured.NestedSlice(o.Object, "status", "conditions") // an object without has none to find
	for _, each := range all {
		if c, ok := each.(map[string]any); ok && c["type"] == condition {
			return strings.TrimSpace(fmt.Sprintf("%v %v: %v", c["status"], c["reason"], c["message"]))
		}
	}
	return "no condition " + condition
}
