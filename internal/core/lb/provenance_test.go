package lb

import (
	"fmt"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func provenanceCondition(reason, message string) []metav1.Condition {
	return []metav1.Condition{
		{Type: "daymark.io/Announced", Message: "class=wrong 192.0.2.9=wrong"},
		{Type: "daymark.io/Provenance", Reason: reason, Message: message, LastTransitionTime: metav1.Unix(1000, 0)},
	}
}

func TestProvenance_ReadsWhatItWrote(t *testing.T) {
	p := Provenance{Class: "daymark.io/daymark", Allocations: []Allocation{
		{Addr: netip.MustParseAddr("192.0.2.200"), Pool: "lan"}, {Addr: netip.MustParseAddr("2001:db8::1"), Pool: "lan6"},
	}}
	if got := p.Message(); got != "class=daymark.io/daymark 192.0.2.200=lan 2001:db8::1=lan6" {
		t.Errorf("it is written as %q", got)
	}
	if got := ParseProvenance(provenanceCondition("Allocated", p.Message())); !reflect.DeepEqual(got, p) {
		t.Errorf("it is read as %+v", got)
	}
	p.MissingSince = time.Unix(1000, 0)
	p.Allocations[0].Missing, p.Allocations[1].Missing, p.Allocations[1].Joined = true, true, true
	if got := ParseProvenance(provenanceCondition("PoolMissing", p.Message())); !reflect.DeepEqual(got, p) {
		t.Errorf("it is read as %+v", got)
	}
	p.MissingSince, p.Finalizer, p.Withdrawing = time.Time{}, true, true
	if got := ParseProvenance(provenanceCondition("Withdrawing", p.Message())); !reflect.DeepEqual(got, p) {
		t.Errorf("%q is read as %+v", p.Message(), got)
	}
	if got := p.PoolOf(netip.MustParseAddr("2001:db8::1")); got != "lan6" {
		t.Errorf("the pool is %q", got)
	}
}

func TestParseService_AnnotationsGiveNoProvenance(t *testing.T) {
	addr := netip.MustParseAddr("192.0.2.1")
	from := &corev1.Service{Spec: corev1.ServiceSpec{Type: corev1.ServiceTypeLoadBalancer}}
	from.Status.LoadBalancer.Ingress = []corev1.LoadBalancerIngress{{IP: addr.String()}}
	from.Annotations = map[string]string{"daymark.io/pool": "forged", "daymark.io/address-pool": "forged", "daymark.io/last-addresses": addr.String()}
	if p := ParseService(from).Provenance; p.PoolOf(addr) != "" || p.Class != "" {
		t.Errorf("without the condition it is %+v", p)
	}
	from.Status.Conditions = provenanceCondition("Allocated", "class=c 192.0.2.1=lan")
	if p := ParseService(from).Provenance; p.PoolOf(addr) != "lan" {
		t.Errorf("with the condition it is %+v", p)
	}
	from.Annotations = nil // kubectl replace
	if p := ParseService(from).Provenance; p.PoolOf(addr) != "lan" {
		t.Errorf("without annotations it is %+v", p)
	}
}

func TestParseProvenance_SkipsWhatItCannotRead(t *testing.T) {
	for _, test := range []struct {
		name, message string
		class         string
		allocations   int
	}{
		{"nothing", "", "", 0},
		{"no class", "192.0.2.1=lan", "", 0},
		{"a class only", "class=c", "c", 0},
		{"words of a later version", "class=c 192.0.2.1=lan shared 192.0.2.2 x=y =z", "c", 1},
		{"more than a Service may have", "class=c" + strings.Repeat(" 192.0.2.1=lan", 100), "c", maxAllocations},
		{"a text that is too long", "class=c " + strings.Repeat("x", maxProvenanceBytes), "", 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := ParseProvenance(provenanceCondition("Allocated", test.message))
			if got.Class != test.class || len(got.Allocations) != test.allocations {
				t.Errorf("it is read as %+v", got)
			}
		})
	}
}

func TestProvenance_FitsIntoACondition(t *testing.T) {
	p := Provenance{Class: "daymark.io/daymark"}
	for i := range 100 {
		p.Allocations = append(p.Allocations, Allocation{Addr: netip.MustParseAddr(fmt.Sprintf("192.0.2.%d", i)), Pool: strings.Repeat("p", 253)})
	}
	got := ParseProvenance(provenanceCondition("Allocated", p.Message()))
	if len(got.Allocations) == 0 || !reflect.DeepEqual(got.Allocations, p.Allocations[:len(got.Allocations)]) {
		t.Errorf("%d allocations are read, or wrong ones", len(got.Allocations))
	}
}

func TestClasses_Ours(t *testing.T) {
	const own, other = "daymark.io/daymark", "example.com/other"
	gave := func(class string) Provenance {
		return Provenance{Class: class, Allocations: []Allocation{{Addr: netip.MustParseAddr("192.0.2.1"), Pool: "lan"}}}
	}
	for _, test := range []struct {
		name            string
		service         Service
		served, without bool // with and without --serve-classless
	}{
		{"our class", Service{Class: own}, true, true},
		{"another class", Service{Class: other}, false, false},
		{"another class, though it has our provenance", Service{Class: other, Provenance: gave(own)}, false, false},
		{"no class", Service{}, true, false},
		{"no class, and addresses of ours", Service{Provenance: gave(own)}, true, true},
		{"no class, and it has waited for us", Service{Provenance: Provenance{Class: own}}, true, false},
		{"no class, and addresses of another installation", Service{Provenance: gave(other)}, true, false},
		{"no class, and it asks for us", Service{Provider: "daymark"}, true, true},
		{"no class, and it asks for another", Service{Provider: "metallb", Provenance: gave(own)}, false, false},
		{"our class, and it asks for another", Service{Class: own, Provider: "metallb"}, false, false},
		{"another class, and it asks for us", Service{Class: other, Provider: "daymark"}, false, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := test.service
			if (Classes{own, true}).Ours(&s) || (Classes{own, false}).Ours(&s) {
				t.Error("a Service of another type is ours")
			}
			s.LoadBalancer = true
			if got := (Classes{own, true}).Ours(&s); got != test.served {
				t.Errorf("it is ours: %v", got)
			}
			if got := (Classes{own, false}).Ours(&s); got != test.without {
				t.Errorf("without classless ones it is ours: %v", got)
			}
		})
	}
}

func TestClasses_Gave(t *testing.T) {
	const own, other = "daymark.io/daymark", "example.com/other"
	gave := func(class string) Provenance { return Provenance{Class: class} }
	for _, test := range []struct {
		name          string
		service       Service
		gave, without bool // with and without --serve-classless
	}{
		{"by us", Service{Class: own, Provenance: gave(own)}, true, true},
		{"by nobody", Service{Class: own}, false, false},
		{"by nobody, and without a class", Service{}, false, false},
		{"by another, of a class", Service{Class: own, Provenance: gave(other)}, false, false},
		{"by another, of that one's class", Service{Class: other, Provenance: gave(other)}, false, false},
		{"by another, and without a class: both serve it", Service{Provenance: gave(other)}, true, false},
		{"by another, and handed over", Service{Provider: "metallb", Provenance: gave(other)}, false, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := test.service
			s.LoadBalancer = true
			if got := (Classes{own, true}).Gave(&s); got != test.gave {
				t.Errorf("we gave it: %v", got)
			}
			if got := (Classes{own, false}).Gave(&s); got != test.without {
				t.Errorf("without classless ones we gave it: %v", got)
			}
			s.LoadBalancer = false
			if got := (Classes{own, true}).Gave(&s); got != (s.Provenance.Class == own) {
				t.Errorf("of another type we gave it: %v", got)
			}
		})
	}
}

func TestService_ProviderOfTheServiceComesFirst(t *testing.T) {
	for _, test := range []struct{ service, namespace, want string }{
		{"", "", ""}, {"", "metallb", "metallb"}, {"daymark", "metallb", "daymark"}, {"metallb", "", "metallb"},
	} {
		if got := (&Service{Provider: test.service}).WithProvider(test.namespace).Provider; got != test.want {
			t.Errorf("%+v: it is %q", test, got)
		}
	}
}
