package reconcile

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	eventsv1 "k8s.io/api/events/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/e2e/lab"
	"github.com/daymark-lb/daymark/internal/core/announce"
)

func TestLoop_Services(t *testing.T) {
	c := newCluster(t)
	for _, test := range []struct {
		name string
		test func(*testing.T, *testCluster)
	}{
		{"a Service gets an address in one write", getsAnAddress},
		{"a Service chooses the ipMode of its addresses", choosesMode},
		{"a Service that asks for an address gets just that one", getsTheRequested},
		{"an exhausted pool is told of, and serves when an address is given back", exhausted},
		{"a Service of another class is never written", otherClass},
		{"a restart moves nothing and writes nothing", restart},
		{"a Service that is no load balancer any more loses our marks and nothing else", leaves},
		{"conditions and annotations of others stay", othersStay},
		{"a pool that cannot be read keeps what it gave", unreadable},
		{"an address edited into the status by hand is replaced", editedByHand},
		{"a crash in the middle of five hundred Services gives no address twice", crash},
		{"a second replica takes over and moves nothing", takesOver},
		{"what is announced is a second condition in the same write, and true when a node holds it", announced},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Cleanup(func() { c.deleteAll(t) })
			test.test(t, c)
		})
	}
}

func getsAnAddress(t *testing.T, c *testCluster) {
	loop := c.start(t)
	c.pool(t, "blue", "192.0.2.0/30", "2001:db8::/64")
	c.service(t, "web")
	s := c.addresses(t, "web", "192.0.2.0")
	if mode := s.Status.LoadBalancer.Ingress[0].IPMode; mode == nil || *mode != corev1.LoadBalancerIPModeVIP {
		t.Errorf("ipMode is %v", mode)
	}
	if m := c.reason(t, s, v1beta1.ConditionProvenance, "Allocated"); m != "class=daymark.io/daymark 192.0.2.0=blue" {
		t.Errorf("the provenance is %q", m)
	}
	if last := s.Annotations[v1beta1.AnnotationLastAddresses]; last != "192.0.2.0" {
		t.Errorf("the last addresses are %q", last)
	}
	c.reason(t, s, v1beta1.ConditionAddressAssigned, "AddressAssigned")
	c.events(t, "web", "AddressAssigned")
	if made := loop.writes(t, "Service", "success"); made > 2 { // a Service created before the loop sees the pool gets a condition first
		t.Errorf("%d writes of one Service", made)
	}
}

func choosesMode(t *testing.T, c *testCluster) {
	c.start(t)
	c.pool(t, "blue", "192.0.2.0/28")
	s := c.service(t, "web", annotated(v1beta1.AnnotationIPMode, "Proxy"))
	mode := func(want corev1.LoadBalancerIPMode) {
		t.Helper()
		lab.Eventually(t, timeout, "the ipMode is "+string(want), func() error {
			got := c.addresses(t, "web", "192.0.2.0").Status.LoadBalancer.Ingress[0].IPMode
			if got == nil || *got != want {
				return fmt.Errorf("it is %v", got)
			}
			return nil
		})
	}
	mode(corev1.LoadBalancerIPModeProxy)
	edit(t, c, s, func(s *corev1.Service) { delete(s.Annotations, v1beta1.AnnotationIPMode) })
	mode(corev1.LoadBalancerIPModeVIP)
}

func getsTheRequested(t *testing.T, c *testCluster) {
	c.start(t)
	c.pool(t, "blue", "192.0.2.0/28")
	c.service(t, "field", func(s *corev1.Service) { s.Spec.LoadBalancerIP = "192.0.2.7" })
	c.addresses(t, "field", "192.0.2.7")
	c.service(t, "annotation", annotated(v1beta1.AnnotationLoadBalancerIPs, "192.0.2.8, 192.0.2.9"))
	c.addresses(t, "annotation", "192.0.2.8", "192.0.2.9")
	taken := c.service(t, "taken", annotated(v1beta1.AnnotationLoadBalancerIPs, "192.0.2.7"))
	if m := c.reason(t, taken, v1beta1.ConditionAddressAssigned, "AddressTaken"); !strings.Contains(m, "default/field") {
		t.Errorf("the message does not name who has it: %s", m)
	}
}

func exhausted(t *testing.T, c *testCluster) {
	c.start(t)
	pool := c.pool(t, "blue", "192.0.2.1")
	first := c.service(t, "first")
	c.addresses(t, "first", "192.0.2.1")
	second := c.service(t, "second")
	if m := c.reason(t, second, v1beta1.ConditionAddressAssigned, "PoolExhausted"); !strings.Contains(m, "blue") {
		t.Errorf("the message does not name the pool: %s", m)
	}
	c.events(t, "second", "PoolExhausted")
	c.reason(t, pool, v1beta1.ConditionExhausted, "Exhausted")
	c.pool(t, "red", "2001:db8::/64")
	lab.Eventually(t, timeout, "what is said changes, and not the reason", func() error {
		if m := c.reason(t, second, v1beta1.ConditionAddressAssigned, "PoolExhausted"); !strings.Contains(m, "red") {
			return errors.New(m)
		}
		return nil
	})
	must(t, c.Delete(t.Context(), first))
	c.addresses(t, "second", "192.0.2.1")
	c.events(t, "second", "PoolExhausted", "AddressAssigned")
	c.reason(t, second, v1beta1.ConditionAddressAssigned, "AddressAssigned")
}

func otherClass(t *testing.T, c *testCluster) {
	c.start(t)
	c.pool(t, "blue", "192.0.2.0/28")
	class := "example.com/other"
	foreign := c.service(t, "foreign", func(s *corev1.Service) { s.Spec.LoadBalancerClass = &class })
	own := v1beta1.LoadBalancerClass
	c.service(t, "ours", func(s *corev1.Service) { s.Spec.LoadBalancerClass = &own })
	c.addresses(t, "ours", "192.0.2.0")
	version := foreign.ResourceVersion
	must(t, c.Get(t.Context(), client.ObjectKeyFromObject(foreign), foreign))
	if foreign.ResourceVersion != version {
		t.Errorf("it was written: %+v", foreign)
	}
}

func restart(t *testing.T, c *testCluster) {
	c.pool(t, "blue", "192.0.2.0/28")
	before := c.start(t)
	c.service(t, "a")
	c.addresses(t, "a", "192.0.2.0")
	c.service(t, "b")
	b := c.addresses(t, "b", "192.0.2.1")
	c.reason(t, b, v1beta1.ConditionAddressAssigned, "AddressAssigned")
	before.stop()
	must(t, c.Delete(t.Context(), &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "a"}}))

	after := c.start(t)
	c.service(t, "d") // when it has an address, the loop has run
	c.addresses(t, "d", "192.0.2.0")
	c.addresses(t, "b", "192.0.2.1")
	if made := after.writes(t, "Service", "success"); made != 1 {
		t.Errorf("%d writes after the restart, want the one for the new Service", made)
	}
}

func leaves(t *testing.T, c *testCluster) {
	c.start(t)
	c.pool(t, "blue", "192.0.2.0/28")
	s := c.service(t, "web", annotated("example.com/mine", "stays"))
	c.addresses(t, "web", "192.0.2.0")
	edit(t, c, s, func(s *corev1.Service) { s.Spec.Type = corev1.ServiceTypeClusterIP })
	lab.Eventually(t, timeout, "our marks go", func() error {
		if err := c.Get(t.Context(), client.ObjectKeyFromObject(s), s); err != nil {
			return err
		}
		if _, there := s.Annotations[v1beta1.AnnotationLastAddresses]; there || len(s.Status.Conditions) > 0 || len(ips(s)) > 0 {
			return fmt.Errorf("it has %v and %+v", s.Annotations, s.Status)
		}
		return nil
	})
	if s.Annotations["example.com/mine"] != "stays" {
		t.Errorf("annotations of others are gone: %v", s.Annotations)
	}
	c.service(t, "next")
	c.addresses(t, "next", "192.0.2.0")
}

func othersStay(t *testing.T, c *testCluster) {
	s := c.service(t, "web", annotated("example.com/mine", "stays"))
	other := `{"status":{"conditions":[{"type":"example.com/Theirs","status":"True","reason":"R","message":"","lastTransitionTime":"2024-01-01T00:00:00Z"}]}}`
	must(t, c.Status().Patch(t.Context(), s, client.RawPatch(types.StrategicMergePatchType, []byte(other))))
	c.start(t)
	c.pool(t, "blue", "192.0.2.0/28")
	s = c.addresses(t, "web", "192.0.2.0")
	edit(t, c, s, func(s *corev1.Service) { s.Spec.Type = corev1.ServiceTypeClusterIP })
	lab.Eventually(t, timeout, "our conditions go and theirs stays", func() error {
		if err := c.Get(t.Context(), client.ObjectKeyFromObject(s), s); err != nil {
			return err
		}
		if len(s.Status.Conditions) != 1 || s.Status.Conditions[0].Type != "example.com/Theirs" || s.Annotations["example.com/mine"] != "stays" {
			return fmt.Errorf("it has %v and %+v", s.Annotations, s.Status)
		}
		return nil
	})
}

func unreadable(t *testing.T, c *testCluster) {
	c.start(t)
	pool := c.pool(t, "blue", "192.0.2.0/28")
	c.service(t, "old")
	c.addresses(t, "old", "192.0.2.0")
	edit(t, c, pool, func(p *v1beta1.IPAddressPool) {
		p.Spec.ServiceAllocation = &v1beta1.ServiceAllocation{ServiceSelectors: []v1beta1.LabelSelector{{
			// The definition does not say how long the prefix of a key may be.
			MatchLabels: map[string]v1beta1.LabelValue{strings.Repeat("a.", 127) + "a/key": "web"},
		}}}
	})
	if m := c.reason(t, pool, v1beta1.ConditionReady, "Invalid"); !strings.Contains(m, "key: Invalid value") {
		t.Errorf("the message does not say what is wrong: %s", m)
	}
	c.reason(t, c.service(t, "new"), v1beta1.ConditionAddressAssigned, "NoPool")
	c.addresses(t, "old", "192.0.2.0")
	edit(t, c, pool, func(p *v1beta1.IPAddressPool) { p.Spec.ServiceAllocation = nil })
	c.addresses(t, "new", "192.0.2.1")
	c.addresses(t, "old", "192.0.2.0")
}

func editedByHand(t *testing.T, c *testCluster) {
	c.start(t)
	c.pool(t, "blue", "192.0.2.0/28")
	s := c.service(t, "web")
	c.addresses(t, "web", "192.0.2.0")
	patch := `{"status":{"loadBalancer":{"ingress":[{"ip":"203.0.113.9"}]}}}`
	must(t, c.Status().Patch(t.Context(), s, client.RawPatch(types.MergePatchType, []byte(patch))))
	lab.Eventually(t, timeout, "an address of the pool is back", func() error {
		if err := c.Get(t.Context(), client.ObjectKeyFromObject(s), s); err != nil {
			return err
		}
		if got := ips(s); len(got) != 1 || !strings.HasPrefix(got[0], "192.0.2.") {
			return fmt.Errorf("it has %v", got)
		}
		return nil
	})
	c.events(t, "web", "AddressWithdrawn")
}

func crash(t *testing.T, c *testCluster) {
	const services = 500
	c.pool(t, "blue", "10.0.0.0/22")
	loop := c.start(t)
	for i := range services {
		c.service(t, fmt.Sprintf("web-%03d", i))
		if i%100 == 50 {
			loop.stop()
			loop = c.start(t)
		}
	}
	given := map[string]string{} // an address that was seen once must never change
	lab.Eventually(t, time.Minute, "every Service has an address of its own", func() error {
		list := &corev1.ServiceList{}
		if err := c.List(t.Context(), list, client.InNamespace("default")); err != nil {
			return err
		}
		holders := map[string]string{}
		waiting := 0
		for i := range list.Items {
			s := &list.Items[i]
			if s.Spec.Type != corev1.ServiceTypeLoadBalancer {
				continue
			}
			got := ips(s)
			if len(got) == 0 {
				waiting++
				continue
			}
			if holders[got[0]] != "" {
				t.Fatalf("%s is given to %s and %s", got[0], holders[got[0]], s.Name)
			}
			holders[got[0]] = s.Name
			if before := given[s.Name]; before != "" && before != got[0] {
				t.Fatalf("%s moved from %s to %s", s.Name, before, got[0])
			}
			given[s.Name] = got[0]
		}
		if waiting > 0 {
			return fmt.Errorf("%d have none", waiting)
		}
		return nil
	})
}

func takesOver(t *testing.T, c *testCluster) {
	c.pool(t, "blue", "192.0.2.0/28")
	elected := func(config *Config) {
		leader, err := NewLeader(c.config, daymarkNamespace, config.Log)
		must(t, err)
		config.Leader = leader
	}
	first := c.start(t, elected)
	c.service(t, "web")
	before := c.addresses(t, "web", "192.0.2.0")
	second := c.start(t, elected)
	c.service(t, "more")
	c.addresses(t, "more", "192.0.2.1")
	if made := second.writes(t, "Service", "success"); made != 0 {
		t.Errorf("the replica that does not lead made %d writes", made)
	}

	first.stop()
	c.service(t, "next")
	c.addresses(t, "next", "192.0.2.2")
	if after := c.addresses(t, "web", "192.0.2.0"); after.ResourceVersion != before.ResourceVersion {
		t.Error("the Service was written again")
	}
}

func announced(t *testing.T, c *testCluster) {
	c.pool(t, "blue", "192.0.2.0/28")
	must(t, c.Create(t.Context(), &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "n1"}}))
	speaker := &v1beta1.Speaker{ObjectMeta: metav1.ObjectMeta{Name: "n1"}}
	must(t, c.Create(t.Context(), speaker))
	speaker.Status.Conditions = []metav1.Condition{{
		Type: v1beta1.ConditionMembershipKnown, Status: metav1.ConditionTrue, Reason: "Known", LastTransitionTime: metav1.Now(),
	}}
	must(t, c.Status().Update(t.Context(), speaker))
	must(t, c.Create(t.Context(), &v1beta1.L2Advertisement{ObjectMeta: metav1.ObjectMeta{Name: "lan"}}))
	c.endpoint(t, "web", "203.0.113.1")
	loop := c.start(t)
	lab.Eventually(t, timeout, "the loop knows the pool", func() error {
		if loop.writes(t, "IPAddressPool", "success") == 0 {
			return errors.New("not yet")
		}
		return nil
	})
	s := c.service(t, "web")
	c.addresses(t, "web", "192.0.2.0")
	if m := c.reason(t, s, v1beta1.ConditionAnnounced, announce.ReasonNoHolder.Name); m != "192.0.2.0: no node has reported yet that it holds it by layer 2" {
		t.Errorf("explained as %q", m)
	}
	c.events(t, "web", "AddressAssigned")
	if made := loop.writes(t, "Service", "success"); made != 1 {
		t.Errorf("%d writes, want one", made)
	}
	speaker.Status.Layer2 = v1beta1.SpeakerLayer2{IPv4: 1, Held: []v1beta1.HeldAddress{{Address: "192.0.2.0", Interfaces: []string{"eth0"}, Since: metav1.Now()}}}
	must(t, c.Status().Update(t.Context(), speaker))
	if m := c.reason(t, s, v1beta1.ConditionAnnounced, announce.ReasonAnnounced.Name); m != "192.0.2.0 by layer 2 (lan)" {
		t.Errorf("explained as %q", m)
	}

	must(t, c.Delete(t.Context(), &v1beta1.Speaker{ObjectMeta: metav1.ObjectMeta{Name: "n1"}}))
	if m := c.reason(t, s, v1beta1.ConditionAnnounced, announce.ReasonNoNode.Name); m != "192.0.2.0: no node announces it; of the node that is nearest to it: its speaker is not there, or does not know the others yet" {
		t.Errorf("explained as %q", m)
	}
	must(t, c.Delete(t.Context(), &v1beta1.L2Advertisement{ObjectMeta: metav1.ObjectMeta{Name: "lan"}}))
	c.reason(t, s, v1beta1.ConditionAnnounced, announce.ReasonNoAdvertisement.Name)
}

// endpoint makes a slice with a ready endpoint on node n1.
func (c *testCluster) endpoint(t *testing.T, service, addr string) {
	t.Helper()
	node := "n1"
	must(t, c.Create(t.Context(), &discoveryv1.EndpointSlice{
		ObjectMeta:  metav1.ObjectMeta{Namespace: "default", Name: service, Labels: map[string]string{discoveryv1.LabelServiceName: service}},
		AddressType: discoveryv1.AddressTypeIPv4,
		Endpoints:   []discoveryv1.Endpoint{{Addresses: []string{addr}, NodeName: &node}},
	}))
}

// events waits until a Service has exactly one Event of each of some reasons.
func (c *testCluster) events(t *testing.T, name string, reasons ...string) {
	t.Helper()
	lab.Eventually(t, timeout, fmt.Sprintf("Events of %s: %v", name, reasons), func() error {
		list := &eventsv1.EventList{}
		if err := c.List(t.Context(), list, client.InNamespace("default")); err != nil {
			return err
		}
		s := &corev1.Service{}
		if err := c.Get(t.Context(), client.ObjectKey{Namespace: "default", Name: name}, s); err != nil {
			return err
		}
		got := map[string]int{}
		for _, e := range list.Items {
			if e.Regarding.Name == name && e.Regarding.UID == s.UID {
				got[e.Reason]++
			}
		}
		for _, reason := range reasons {
			if got[reason] != 1 {
				return fmt.Errorf("there are %v", got)
			}
		}
		return nil
	})
}
