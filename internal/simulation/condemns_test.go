package simulation

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/bubble"
)

// trial is a history that is made by hand, with a controller that does what it is told.
type trial struct {
	*testing.T
	*world
	controller *process
}

// The controllers of the other tests do nothing wrong, so these say nothing of a judge that sees nothing. Each promise is broken here
// by hand, beside histories that break none.
func TestJudge_CondemnsWhatIsPromisedNotToHappen(t *testing.T) {
	for _, test := range []struct {
		history string
		happens func(trial)
		verdict string // a part of it; empty: none
	}{
		{"an address of a pool is given", func(t trial) { t.gives("web", "192.0.2.1", "lan") }, ""},
		{"two Services get one address", func(t trial) {
			t.gives("web", "192.0.2.1", "lan")
			t.gives("other", "192.0.2.1", "lan")
		}, "gives 192.0.2.1 to red/other, and red/web shows it"},
		{"two Services that may share get one address", func(t trial) {
			t.shares("web", 80)
			t.shares("other", 443)
			t.gives("web", "192.0.2.1", "lan")
			t.gives("other", "192.0.2.1", "lan")
		}, ""},
		{"two Services of one port get one address", func(t trial) {
			t.shares("web", 80)
			t.shares("other", 80)
			t.gives("web", "192.0.2.1", "lan")
			t.gives("other", "192.0.2.1", "lan")
		}, "gives 192.0.2.1 to red/other, and red/web shows it"},
		{"nobody says of which pool an address is", func(t trial) { t.gives("web", "192.0.2.1", "") }, "does not say of which pool"},
		{"an address is given that the pool does not have", func(t trial) { t.gives("web", "198.51.100.1", "lan") }, "of pool lan, which does not have it"},
		{"an address is given of a pool that never was", func(t trial) { t.gives("web", "192.0.2.1", "wan") }, "of pool wan, which does not have it"},
		{"an address is taken for nothing", func(t trial) {
			t.gives("web", "192.0.2.1", "lan")
			t.takes("web")
		}, "takes 192.0.2.1 from red/web without a cause"},
		{"a Service gets another address for nothing", func(t trial) {
			t.gives("web", "192.0.2.1", "lan")
			t.gives("web", "192.0.2.2", "lan")
		}, "takes 192.0.2.1 from red/web without a cause"},
		{"an address is taken that the pool has no more, and an Event says so", func(t trial) {
			t.gives("web", "192.0.2.1", "lan")
			t.pool("192.0.2.128/25")
			t.takes("web")
			t.says("web", "192.0.2.1 is not of pool lan")
		}, ""},
		{"an address is taken, and no Event says so", func(t trial) {
			t.gives("web", "192.0.2.1", "lan")
			t.pool("192.0.2.128/25")
			t.takes("web")
		}, "took 192.0.2.1 from web at"},
		{"an address is taken, and an Event says so of another", func(t trial) {
			t.gives("web", "192.0.2.1", "lan")
			t.pool("192.0.2.128/25")
			t.takes("web")
			t.says("web", "192.0.2.10 is not of pool lan")
		}, "took 192.0.2.1 from web at"},
		{"an address is taken as soon as its pool is gone", func(t trial) {
			t.gives("web", "192.0.2.1", "lan")
			t.remove("IPAddressPool", client.ObjectKey{Name: "lan"})
			time.Sleep(t.poolGrace / 2)
			t.takes("web")
		}, "takes 192.0.2.1 from red/web without a cause"},
		{"an address is taken when its pool has been gone for long enough", func(t trial) {
			t.gives("web", "192.0.2.1", "lan")
			t.remove("IPAddressPool", client.ObjectKey{Name: "lan"})
			time.Sleep(t.poolGrace)
			t.takes("web")
			t.says("web", "192.0.2.1 is of pool lan, which is gone")
		}, ""},
		{"it is forgotten which pool gave an address", func(t trial) {
			t.gives("web", "192.0.2.1", "lan")
			t.writes("web", func(s *corev1.Service) { s.Status.Conditions = nil })
		}, "forgets that pool lan gave 192.0.2.1 to red/web"},
		{"a pool that exists is said to be gone", func(t trial) {
			t.gives("web", "192.0.2.1", "lan")
			t.gives("web", "192.0.2.1", "lan,missing")
		}, "says of red/web that pool lan is gone"},
		{"a writer is blamed that nobody is", func(t trial) {
			t.writes("web", func(s *corev1.Service) {
				s.Status.Conditions = []metav1.Condition{{Type: v1beta1.ConditionAddressAssigned, Status: metav1.ConditionFalse, Reason: "CompetingWriter"}}
			})
		}, "another program writes red/web, which none does"},
		{"one object is written without an end", func(t trial) {
			for range maxWrites + 1 {
				t.server.attempted(t.controller, "Service", types.NamespacedName{Namespace: "red", Name: "web"})
			}
		}, "tries 41 writes of Service red/web"},
		{"one object is written often", func(t trial) {
			for range maxWrites {
				t.server.attempted(t.controller, "Service", types.NamespacedName{Namespace: "red", Name: "web"})
			}
		}, ""},
	} {
		t.Run(test.history, func(t *testing.T) {
			bubble.Test(t, func(t *testing.T) {
				w := newWorld(1, false)
				of := trial{t, w, &process{id: "controller0-1", born: time.Now()}}
				w.newSlot("controller0").current = of.controller
				of.pool("192.0.2.0/25")
				of.shares("web", 0)
				of.shares("other", 0)
				test.happens(of)
				w.server.mu.Lock()
				defer w.server.mu.Unlock()
				w.judge.checkTold()
				if got := w.judge.violation; test.verdict == "" && got != "" || !strings.Contains(got, test.verdict) {
					t.Errorf("the verdict is %q, want %q", got, test.verdict)
				}
			})
		})
	}
}

// What is left undone when all is quiet is seen as well.
func TestQuiet_CondemnsWhatIsLeftUndone(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		w := newWorld(1, false)
		of := trial{t, w, &process{id: "controller0-1", born: time.Now()}}
		of.pool("192.0.2.0/25")
		of.shares("web", 0)
		if got := w.unsettled(); !strings.HasPrefix(got, "red/web does not have 192.0.2.") {
			t.Errorf("of a Service without an address it says %q", got)
		}
		of.gives("web", "192.0.2.1", "lan")
		if got := w.unsettled(); got != "" {
			t.Errorf("of a Service with its address it says %q", got)
		}
		of.shares("other", 0)
		of.gives("other", "192.0.2.1", "lan")
		if got := w.unsettled(); got == "" {
			t.Error("of two Services with one address it says nothing")
		}
	})
}

// pool is what people make of the only pool, whose change is long known when something follows.
func (t trial) pool(addresses string) {
	t.Helper()
	key := client.ObjectKey{Name: "lan"}
	t.make(&v1beta1.IPAddressPool{ObjectMeta: metav1.ObjectMeta{Name: key.Name}})
	alter(t.world, key, func(p *v1beta1.IPAddressPool) {
		p.Spec.Addresses = []v1beta1.AddressRange{v1beta1.AddressRange(addresses)}
	})
	time.Sleep(2 * lagOfFailures)
}

// shares is a Service that people make, or change, to share its address at a port; 0: with nobody.
func (t trial) shares(name string, port int32) {
	t.Helper()
	t.make(&corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: "red", Name: name}, Spec: corev1.ServiceSpec{
		Type: corev1.ServiceTypeLoadBalancer, IPFamilies: []corev1.IPFamily{corev1.IPv4Protocol},
	}})
	if port != 0 {
		alter(t.world, client.ObjectKey{Namespace: "red", Name: name}, func(s *corev1.Service) {
			s.Annotations = map[string]string{v1beta1.AnnotationAllowSharedIP: "key"}
			s.Spec.Ports = []corev1.ServicePort{{Protocol: corev1.ProtocolTCP, Port: port}}
		})
	}
	time.Sleep(2 * lagOfFailures)
}

// writes is a change of a Service by the controller.
func (t trial) writes(name string, change func(*corev1.Service)) {
	t.Helper()
	_, err := t.server.update(t.controller.id, "Service", client.ObjectKey{Namespace: "red", Name: name}, func(now client.Object) (client.Object, error) {
		change(now.(*corev1.Service))
		return now, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	time.Sleep(2 * lagOfFailures)
}

// gives writes an address and the pool that it is of; empty: it does not say.
func (t trial) gives(name, addr, pool string) {
	t.Helper()
	t.writes(name, func(s *corev1.Service) {
		s.Status.LoadBalancer.Ingress = []corev1.LoadBalancerIngress{{IP: netip.MustParseAddr(addr).String()}}
		s.Status.Conditions = nil
		if pool != "" {
			s.Status.Conditions = []metav1.Condition{{
				Type: v1beta1.ConditionProvenance, Status: metav1.ConditionTrue, Reason: "Allocated",
				Message: fmt.Sprintf("class=%s %s=%s", classes.Name, addr, pool),
			}}
		}
	})
}

// takes writes that a Service has no address.
func (t trial) takes(name string) {
	t.Helper()
	t.writes(name, func(s *corev1.Service) { s.Status = corev1.ServiceStatus{} })
}

// says is an Event about an address that was taken.
func (t trial) says(name, note string) {
	t.Helper()
	service, err := t.server.get("Service", client.ObjectKey{Namespace: "red", Name: name})
	if err == nil {
		_, err = t.server.create(t.controller.id, &eventsv1.Event{
			ObjectMeta: metav1.ObjectMeta{Namespace: "red", Name: name + ".1"}, Reason: "AddressWithdrawn", Note: note,
			Regarding: corev1.ObjectReference{UID: service.GetUID(), Name: name},
		})
	}
	if err != nil {
		t.Fatal(err)
	}
}
