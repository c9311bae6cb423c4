package reconcile

import (
	"errors"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/e2e/lab"
)

// TestUninstall_LeavesAddresses uninstalls in each order. Addresses stay in the statuses of Services, and so do what other programs
// wrote there: the next provider may adopt them.
func TestUninstall_LeavesAddresses(t *testing.T) {
	for _, test := range []struct {
		name string
		how  func(*testing.T, *testCluster, *running)
	}{
		{"the advertisements first, then the programs, then the kinds", func(t *testing.T, c *testCluster, r *running) {
			must(t, c.DeleteAllOf(t.Context(), &v1beta1.L2Advertisement{}))
			awaitCondition(t, c, v1beta1.ConditionAnnounced, "NoAdvertisement")
			r.stop()
			c.deleteKinds(t)
		}},
		{"the kinds while the controller runs, as kubectl delete -k config/default does", func(t *testing.T, c *testCluster, r *running) {
			c.deleteKinds(t)
			lab.Always(t, 3*time.Second, "the address stays", func() error {
				s := &corev1.Service{}
				must(t, c.Get(t.Context(), client.ObjectKey{Namespace: "default", Name: "web"}, s))
				if len(s.Status.LoadBalancer.Ingress) == 0 {
					return errors.New("it is gone")
				}
				return nil
			})
			r.stop()
		}},
		{"the programs alone", func(_ *testing.T, _ *testCluster, r *running) { r.stop() }},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := newCluster(t)
			r := c.start(t, func(config *Config) { config.PoolGrace = 10 * time.Minute })
			c.pool(t, "lan", "192.0.2.0/28")
			l2 := &v1beta1.L2Advertisement{}
			l2.Name = "lan"
			must(t, c.Create(t.Context(), l2))
			c.service(t, "web")
			c.addresses(t, "web", "192.0.2.0")
			test.how(t, c, r)
			c.addresses(t, "web", "192.0.2.0")
		})
	}
}

// Who uninstalls with --cleanup-finalizer on has Services that wait for ever, as docs/uninstall.md says.
func TestUninstall_FinalizerThatNobodyRemoves(t *testing.T) {
	c := newCluster(t)
	r := c.start(t, withFinalizer)
	c.pool(t, "lan", "192.0.2.0/28")
	c.service(t, "web")
	c.addresses(t, "web", "192.0.2.0")
	r.stop()
	s := c.finalizer(t, "web", true)
	must(t, c.Delete(t.Context(), s))
	must(t, c.Get(t.Context(), client.ObjectKeyFromObject(s), s))
	patch := client.RawPatch("application/strategic-merge-patch+json",
		[]byte(`{"metadata":{"$deleteFromPrimitiveList/finalizers":["service.kubernetes.io/load-balancer-cleanup"]}}`))
	must(t, c.Patch(t.Context(), s, patch))
	lab.Eventually(t, timeout, "the Service is gone", func() error {
		if err := c.Get(t.Context(), client.ObjectKeyFromObject(s), &corev1.Service{}); !apierrors.IsNotFound(err) {
			return errors.New("not yet")
		}
		return nil
	})
}

// deleteKinds deletes the definitions of our kinds, and with them all objects, and waits until they are gone.
func (c *testCluster) deleteKinds(t *testing.T) {
	t.Helper()
	must(t, c.DeleteAllOf(t.Context(), &apiextensionsv1.CustomResourceDefinition{}))
	lab.Eventually(t, timeout, "the kinds are gone", func() error {
		var left apiextensionsv1.CustomResourceDefinitionList
		must(t, c.List(t.Context(), &left))
		if len(left.Items) > 0 {
			return errors.New(left.Items[0].Name)
		}
		return nil
	})
}

func awaitCondition(t *testing.T, c *testCluster, kind, reason string) {
	t.Helper()
	s := &corev1.Service{}
	s.Namespace, s.Name = "default", "web"
	c.reason(t, s, kind, reason)
}
