package reconcile

import (
	"errors"
	"os"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/daymark-lb/daymark/e2e/lab/check"
)

// nodePortsPolicy are the objects that docs/large-clusters.md says to apply.
func nodePortsPolicy(t *testing.T) (objects []*unstructured.Unstructured) {
	t.Helper()
	page, err := os.ReadFile("../../docs/large-clusters.md")
	must(t, err)
	for _, block := range strings.Split(string(page), "```yaml\n")[1:] {
		block, _, _ = strings.Cut(block, "```")
		if !strings.Contains(block, "kind: MutatingAdmissionPolicy") {
			continue
		}
		for text := range strings.SplitSeq(block, "---\n") {
			object := &unstructured.Unstructured{}
			must(t, yaml.Unmarshal([]byte(text), &object.Object))
			objects = append(objects, object)
		}
	}
	return objects
}

// With the policy a new LoadBalancer Service gets no node ports, and neither does one that becomes a LoadBalancer. Other types are left
// alone.
func TestPolicies_NoNodePorts(t *testing.T) {
	c := newCluster(t)
	policy := nodePortsPolicy(t)
	if len(policy) != 2 {
		t.Fatalf("the page has %d objects of the policy", len(policy))
	}
	for _, object := range policy {
		must(t, c.Create(t.Context(), object))
	}
	create := func(kind corev1.ServiceType) *corev1.Service {
		service := &corev1.Service{
			ObjectMeta: metav1.ObjectMeta{Namespace: "default", GenerateName: "web-"},
			Spec:       corev1.ServiceSpec{Type: kind, Ports: []corev1.ServicePort{{Port: 80}}},
		}
		must(t, c.Create(t.Context(), service))
		return service
	}
	check.Eventually(t, timeout, "the API server knows the policy", func() error {
		if create(corev1.ServiceTypeLoadBalancer).Spec.Ports[0].NodePort != 0 {
			return errors.New("a LoadBalancer has a node port")
		}
		return nil
	})
	if create(corev1.ServiceTypeNodePort).Spec.Ports[0].NodePort == 0 {
		t.Error("a Service of type NodePort has no node port")
	}
	becomes := create(corev1.ServiceTypeClusterIP)
	becomes.Spec.Type = corev1.ServiceTypeLoadBalancer
	must(t, c.Update(t.Context(), becomes))
	if port := becomes.Spec.Ports[0].NodePort; port != 0 {
		t.Errorf("a Service that has become a LoadBalancer has the node port %d", port)
	}
}
