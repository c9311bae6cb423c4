package reconcile

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/e2e/lab"
)

func TestLoop_DoesNoHarmToOthers(t *testing.T) {
	c := newCluster(t)
	for _, test := range []struct {
		name string
		test func(*testing.T, *testCluster)
	}{
		{"the first start erases no address and no name of another provider, and adopts what a pool contains", firstStart},
		{"a Service of another class with our annotations is not touched", clonedManifest},
		{"--serve-classless=false withdraws nothing", classlessOff},
		{"a Service changes over to another provider and back, and keeps its address", changesOver},
		{"two installations that both serve a Service without a class do not take turns in writing it", twoInstallations},
		{"a pool that is replaced finds its addresses where they were", poolReplaced},
		{"a Service restored from a backup gets the address that it had", restored},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Cleanup(func() { c.deleteAll(t) })
			test.test(t, c)
		})
	}
}

// shown writes entries into the status of a Service, as another provider does.
func (c *testCluster) shown(t *testing.T, s *corev1.Service, entries string) {
	t.Helper()
	must(t, c.Status().Patch(t.Context(), s, client.RawPatch(types.MergePatchType, []byte(`{"status":{"loadBalancer":{"ingress":[`+entries+`]}}}`))))
}

// shows asserts what the status of a Service shows now.
func (c *testCluster) shows(t *testing.T, name, want string) {
	t.Helper()
	s := &corev1.Service{}
	must(t, c.Get(t.Context(), client.ObjectKey{Namespace: "default", Name: name}, s))
	var got []string
	for _, entry := range s.Status.LoadBalancer.Ingress {
		got = append(got, entry.IP+entry.Hostname)
	}
	if strings.Join(got, " ") != want {
		t.Errorf("%s shows %q, want %q", name, strings.Join(got, " "), want)
	}
}

func firstStart(t *testing.T, c *testCluster) {
	c.shown(t, c.service(t, "metallb"), `{"ip":"192.0.2.9"}`)
	c.shown(t, c.service(t, "cloud"), `{"hostname":"lb.example.com"}`)
	outside := c.service(t, "outside")
	c.shown(t, outside, `{"ip":"203.0.113.9"}`)
	c.start(t)
	c.reason(t, outside, v1beta1.ConditionAddressAssigned, "NoPool")
	c.shows(t, "metallb", "192.0.2.9")
	c.shows(t, "cloud", "lb.example.com")
	c.shows(t, "outside", "203.0.113.9")

	c.pool(t, "blue", "192.0.2.8/29")
	s := c.addresses(t, "metallb", "192.0.2.9")
	if m := c.reason(t, s, v1beta1.ConditionProvenance, "Allocated"); m != "class=daymark.io/daymark 192.0.2.9=blue" {
		t.Errorf("the provenance is %q", m)
	}
	lab.Eventually(t, timeout, "the others get addresses in the place of theirs", func() error {
		for _, name := range []string{"cloud", "outside"} {
			s := &corev1.Service{}
			if err := c.Get(t.Context(), client.ObjectKey{Namespace: "default", Name: name}, s); err != nil {
				return err
			}
			if got := ips(s); len(got) != 1 || !strings.HasPrefix(got[0], "192.0.2.") {
				return fmt.Errorf("%s has %v", name, got)
			}
		}
		return nil
	})
}

func clonedManifest(t *testing.T, c *testCluster) {
	class := "example.com/other"
	s := c.service(t, "foreign", func(s *corev1.Service) { s.Spec.LoadBalancerClass = &class },
		annotated(v1beta1.AnnotationPool, "nonsense"), annotated(v1beta1.AnnotationLastAddresses, "192.0.2.9"))
	c.shown(t, s, `{"ip":"192.0.2.9"}`)
	version := s.ResourceVersion
	c.start(t)
	c.pool(t, "blue", "192.0.2.8/29")
	c.service(t, "ours")
	c.addresses(t, "ours", "192.0.2.8")
	must(t, c.Get(t.Context(), client.ObjectKeyFromObject(s), s))
	if s.ResourceVersion != version {
		t.Errorf("it was written: %+v", s)
	}
}

func classlessOff(t *testing.T, c *testCluster) {
	c.pool(t, "blue", "192.0.2.8/29")
	before := c.start(t)
	c.service(t, "old")
	c.addresses(t, "old", "192.0.2.8")
	before.stop()
	c.start(t, func(config *Config) { config.Classes.Classless = false })
	own := v1beta1.LoadBalancerClass
	c.service(t, "new")
	c.service(t, "asks", annotated(v1beta1.AnnotationProvider, v1beta1.ProviderDaymark))
	c.service(t, "classy", func(s *corev1.Service) { s.Spec.LoadBalancerClass = &own })
	lab.Eventually(t, timeout, "those that ask for Daymark are served", func() error {
		for _, name := range []string{"asks", "classy"} {
			s := &corev1.Service{}
			if err := c.Get(t.Context(), client.ObjectKey{Namespace: "default", Name: name}, s); err != nil || len(ips(s)) != 1 {
				return fmt.Errorf("%s has %v: %w", name, ips(s), err)
			}
		}
		return nil
	})
	c.addresses(t, "new")
	c.addresses(t, "old", "192.0.2.8")
}

func twoInstallations(t *testing.T, c *testCluster) {
	c.pool(t, "blue", "192.0.2.8/29")
	c.start(t)
	c.service(t, "web")
	c.addresses(t, "web", "192.0.2.8")
	c.start(t, func(config *Config) { config.Classes.Name = "example.com/other" })
	c.service(t, "next") // both see it, and one of them is late
	s := c.addresses(t, "next", "192.0.2.9")
	lab.Eventually(t, timeout, "nobody writes it any more", func() error {
		before := s.ResourceVersion
		time.Sleep(300 * time.Millisecond) // a fight writes every few milliseconds
		if err := c.Get(t.Context(), client.ObjectKeyFromObject(s), s); err != nil || s.ResourceVersion != before {
			return fmt.Errorf("it was written: %+v, %w", s.Status.Conditions, err)
		}
		return nil
	})
	c.shows(t, "web", "192.0.2.8")
	c.shows(t, "next", "192.0.2.9")
}

func changesOver(t *testing.T, c *testCluster) {
	c.start(t)
	c.pool(t, "blue", "192.0.2.8/29")
	s := c.service(t, "web")
	c.addresses(t, "web", "192.0.2.8")
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "default"}}
	provider := func(value string) func(*corev1.Namespace) {
		return func(n *corev1.Namespace) {
			metav1.SetMetaDataAnnotation(&n.ObjectMeta, v1beta1.AnnotationProvider, value)
		}
	}
	edit(t, c, namespace, provider("metallb"))
	defer edit(t, c, namespace, func(n *corev1.Namespace) { delete(n.Annotations, v1beta1.AnnotationProvider) })
	lab.Eventually(t, timeout, "our marks go", func() error {
		if err := c.Get(t.Context(), client.ObjectKeyFromObject(s), s); err != nil {
			return err
		}
		if len(s.Status.Conditions) > 0 || s.Annotations[v1beta1.AnnotationLastAddresses] != "" {
			return fmt.Errorf("it has %v and %+v", s.Annotations, s.Status.Conditions)
		}
		return nil
	})
	c.shows(t, "web", "192.0.2.8")
	c.service(t, "here", annotated(v1beta1.AnnotationProvider, v1beta1.ProviderDaymark))
	c.addresses(t, "here", "192.0.2.9")
	edit(t, c, namespace, provider(v1beta1.ProviderDaymark))
	c.reason(t, s, v1beta1.ConditionProvenance, "Allocated")
	c.shows(t, "web", "192.0.2.8")
}

func poolReplaced(t *testing.T, c *testCluster) {
	c.start(t, func(config *Config) { config.PoolGrace = time.Hour })
	pool := c.pool(t, "blue", "192.0.2.8/29")
	gap := c.service(t, "gap")
	c.addresses(t, "gap", "192.0.2.8")
	s := c.service(t, "web")
	c.addresses(t, "web", "192.0.2.9")
	must(t, c.Delete(t.Context(), gap))
	must(t, c.Delete(t.Context(), pool))
	if m := c.reason(t, s, v1beta1.ConditionAddressAssigned, "PoolMissing"); !strings.Contains(m, "in case the pool comes back") {
		t.Errorf("it says %q", m)
	}
	c.reason(t, s, v1beta1.ConditionProvenance, v1beta1.ReasonPoolMissing)
	c.events(t, "web", "PoolMissing")
	c.pool(t, "blue", "192.0.2.8/29")
	c.reason(t, s, v1beta1.ConditionProvenance, "Allocated")
	c.service(t, "new")
	c.addresses(t, "new", "192.0.2.8")
	c.addresses(t, "web", "192.0.2.9")
}

func restored(t *testing.T, c *testCluster) {
	c.start(t)
	c.pool(t, "blue", "192.0.2.8/29")
	c.service(t, "first")
	c.addresses(t, "first", "192.0.2.8")
	s := c.service(t, "web")
	backup := c.addresses(t, "web", "192.0.2.9").DeepCopy()
	must(t, c.Delete(t.Context(), s))
	must(t, c.Delete(t.Context(), &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "first"}}))
	c.service(t, "other") // and a restart would not remember
	c.addresses(t, "other", "192.0.2.8")
	c.service(t, "web", func(s *corev1.Service) { s.Annotations = backup.Annotations })
	c.addresses(t, "web", "192.0.2.9")
}

func TestPolicy_PoolInUseIsNotDeleted(t *testing.T) {
	c := newCluster(t)
	c.start(t)
	free, used := c.pool(t, "free", "203.0.113.0/28"), c.pool(t, "used", "192.0.2.8/29")
	c.service(t, "web", annotated(v1beta1.AnnotationAddressPool, "used"))
	c.addresses(t, "web", "192.0.2.8")
	lab.Eventually(t, timeout, "the pool counts its address", func() error {
		if err := c.Get(t.Context(), client.ObjectKeyFromObject(used), used); err != nil || used.Status.IPv4 == nil || used.Status.IPv4.Assigned != 1 {
			return fmt.Errorf("it has %+v: %w", used.Status.IPv4, err)
		}
		return nil
	})
	c.apply(t, "../../config/rbac/pool_in_use.yaml", daymarkNamespace)
	lab.Eventually(t, timeout, "the policy is in force", func() error {
		err := c.Delete(t.Context(), used, client.DryRunAll)
		if err == nil {
			return errors.New("the pool may be deleted")
		}
		if !apierrors.IsForbidden(err) || !strings.Contains(err.Error(), "Services have 1 addresses of IPAddressPool used") {
			return err
		}
		return nil
	})
	must(t, c.Delete(t.Context(), free))
	edit(t, c, used, func(p *v1beta1.IPAddressPool) {
		metav1.SetMetaDataAnnotation(&p.ObjectMeta, v1beta1.AnnotationAllowDeletion, "true")
	})
	must(t, c.Delete(t.Context(), used, client.DryRunAll))
	edit(t, c, used, func(p *v1beta1.IPAddressPool) { delete(p.Annotations, v1beta1.AnnotationAllowDeletion) })

	crd := &apiextensionsv1.CustomResourceDefinition{ObjectMeta: metav1.ObjectMeta{Name: "ipaddresspools.daymark.io"}}
	must(t, c.Delete(t.Context(), crd))
	lab.Eventually(t, timeout, "the kind can be uninstalled", func() error {
		if err := c.Get(t.Context(), client.ObjectKeyFromObject(crd), crd); !apierrors.IsNotFound(err) {
			return fmt.Errorf("it is still there: %v, %w", crd.Status.Conditions, err)
		}
		return nil
	})
}
