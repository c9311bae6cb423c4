package reconcile

import (
	"fmt"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/e2e/lab"
)

func TestLoop_PortsThatCannotBeServed(t *testing.T) {
	c := newCluster(t)
	c.start(t)
	c.pool(t, "blue", "192.0.2.8/32")
	two := func(s *corev1.Service) {
		s.Spec.Ports = []corev1.ServicePort{{Name: "web", Port: 80}, {Name: "dns", Port: 53, Protocol: corev1.ProtocolUDP}}
	}
	s := c.service(t, "web", two)
	if got := c.addresses(t, "web", "192.0.2.8"); got.Status.LoadBalancer.Ingress[0].Ports != nil {
		t.Errorf("without an error it has %+v", got.Status.LoadBalancer.Ingress)
	}
	other := c.service(t, "other", func(s *corev1.Service) {
		s.Spec.Type, s.Spec.ExternalIPs = corev1.ServiceTypeClusterIP, []string{"192.0.2.8"}
	})
	c.ports(t, s, []corev1.PortStatus{
		{Port: 80, Protocol: corev1.ProtocolTCP, Error: new(v1beta1.PortErrorConflict)}, {Port: 53, Protocol: corev1.ProtocolUDP},
	})
	must(t, c.Delete(t.Context(), other))
	c.ports(t, s, nil)
}

// ports waits until the status of a Service shows certain ports at its address.
func (c *testCluster) ports(t *testing.T, s *corev1.Service, want []corev1.PortStatus) {
	t.Helper()
	lab.Eventually(t, timeout, fmt.Sprintf("it shows the ports %+v", want), func() error {
		if err := c.Get(t.Context(), client.ObjectKeyFromObject(s), s); err != nil {
			return err
		}
		if got := s.Status.LoadBalancer.Ingress; len(got) != 1 || !equality.Semantic.DeepEqual(got[0].Ports, want) {
			return fmt.Errorf("it has %+v", got)
		}
		return nil
	})
}
