package lb

import (
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/daymark-lb/daymark/api/v1beta1"
)

func TestParseService_Requests(t *testing.T) {
	const (
		ips, ipsAlias       = "daymark.io/load-balancer-ips", "metallb.io/loadBalancerIPs"
		pool, poolAlias     = "daymark.io/address-pool", "metallb.io/address-pool"
		shared, sharedAlias = "daymark.io/allow-shared-ip", "metallb.io/allow-shared-ip"
	)
	for _, test := range []struct {
		name        string
		annotations map[string]string
		field       string
		// want: addresses, pools and key; or words of the error.
		want string
		err  []string
	}{
		{name: "nothing", want: "||"},
		{
			name:        "our annotations",
			annotations: map[string]string{ips: "192.0.2.2, 192.0.2.1,192.0.2.2", pool: "red, blue", shared: " k "}, want: "192.0.2.2 192.0.2.1|red blue|k",
		},
		{
			name:        "the aliases",
			annotations: map[string]string{ipsAlias: "192.0.2.2", poolAlias: "red", sharedAlias: "k"}, want: "192.0.2.2|red|k",
		},
		{
			name: "the old aliases",
			annotations: map[string]string{
				"metallb.universe.tf/loadBalancerIPs": "192.0.2.2", "metallb.universe.tf/address-pool": "red", "metallb.universe.tf/allow-shared-ip": "k",
			},
			want: "192.0.2.2|red|k",
		},
		{
			name: "all three, where they say the same", annotations: map[string]string{shared: "k", sharedAlias: "k", "metallb.universe.tf/allow-shared-ip": "k"}, want: "||k",
		},
		{
			name:        "an alias and an old one that contradict each other",
			annotations: map[string]string{sharedAlias: "a", "metallb.universe.tf/allow-shared-ip": "b"}, err: []string{sharedAlias, "metallb.universe.tf/allow-shared-ip"},
		},
		{
			name: "both, where they say the same",
			annotations: map[string]string{
				ips: "2001:db8::1,192.0.2.1", ipsAlias: "2001:DB8:0::1, 192.0.2.1", pool: "red,blue", poolAlias: "red, blue", shared: "k", sharedAlias: "k",
			},
			want: "2001:db8::1 192.0.2.1|red blue|k",
		},
		{name: "the field", field: "192.0.2.1", want: "192.0.2.1||"},
		{name: "the field and an annotation that has it", field: "192.0.2.1", annotations: map[string]string{ips: "192.0.2.2,192.0.2.1"}, want: "192.0.2.2 192.0.2.1||"},
		{name: "addresses that contradict each other", annotations: map[string]string{ips: "192.0.2.1", ipsAlias: "192.0.2.2"}, err: []string{ips, ipsAlias, "192.0.2.1", "192.0.2.2"}},
		{name: "pools that contradict each other", annotations: map[string]string{pool: "red", poolAlias: "blue"}, err: []string{pool, poolAlias}},
		{name: "the same pools in another order of preference", annotations: map[string]string{pool: "red,blue", poolAlias: "blue,red"}, err: []string{pool, poolAlias}},
		{name: "keys that contradict each other", annotations: map[string]string{shared: "a", sharedAlias: "b"}, err: []string{shared, sharedAlias}},
		{name: "a wrong address names the alias it is in", annotations: map[string]string{ipsAlias: "192.0.2.300"}, err: []string{ipsAlias, "192.0.2.300"}},
		{name: "a field that contradicts the alias names it", field: "192.0.2.1", annotations: map[string]string{ipsAlias: "192.0.2.2"}, err: []string{ipsAlias, "spec.loadBalancerIP"}},
		{name: "a wrong field", field: "nonsense", err: []string{"spec.loadBalancerIP", "nonsense"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := ParseService(&corev1.Service{ObjectMeta: metav1.ObjectMeta{Annotations: test.annotations}, Spec: corev1.ServiceSpec{Type: corev1.ServiceTypeLoadBalancer, LoadBalancerIP: test.field}})
			if test.err == nil {
				got := strings.Join(Strings(s.Requested), " ") + "|" + strings.Join(s.RequestedPools, " ") + "|" + s.SharingKey
				if s.RequestError != nil || got != test.want {
					t.Errorf("it asks for %q (%v), want %q", got, s.RequestError, test.want)
				}
				return
			}
			if s.RequestError == nil || s.Requested != nil {
				t.Fatalf("it is not refused, and asks for %v", s.Requested)
			}
			for _, word := range test.err {
				if !strings.Contains(s.RequestError.Error(), word) {
					t.Errorf("the error does not name %q: %v", word, s.RequestError)
				}
			}
		})
	}
}

func TestParseService_TrafficDistribution(t *testing.T) {
	for text, want := range map[string]Distribution{
		"PreferClose": SameZone, "PreferSameZone": SameZone, "PreferSameNode": SameNode, "PreferSomethingNew": Anywhere,
	} {
		s := &corev1.Service{}
		s.Spec.TrafficDistribution = &text
		if got := ParseService(s).Distribution; got != want {
			t.Errorf("%s is %d, want %d", text, got, want)
		}
	}
	if got := ParseService(&corev1.Service{}).Distribution; got != Anywhere {
		t.Errorf("without the field it is %d", got)
	}
}

func TestParseService_Disputed(t *testing.T) {
	for reason, want := range map[string]bool{v1beta1.ReasonAddressConflict: true, "NoHolder": false} {
		for _, status := range []metav1.ConditionStatus{metav1.ConditionTrue, metav1.ConditionFalse} {
			var from corev1.Service
			from.Status.Conditions = []metav1.Condition{{Type: v1beta1.ConditionAnnounced, Status: status, Reason: reason}}
			if got := ParseService(&from).Disputed; got != (want && status == metav1.ConditionFalse) {
				t.Errorf("Announced is %s, %s: disputed %v", status, reason, got)
			}
		}
	}
}

func TestParseService_Families(t *testing.T) {
	for name, test := range map[string]struct {
		given []corev1.IPFamily
		want  []Family
	}{
		"none said, as of an ExternalName": {nil, []Family{IPv4}},
		"IPv4":                             {[]corev1.IPFamily{corev1.IPv4Protocol}, []Family{IPv4}},
		"IPv6":                             {[]corev1.IPFamily{corev1.IPv6Protocol}, []Family{IPv6}},
		"both, IPv4 first":                 {[]corev1.IPFamily{corev1.IPv4Protocol, corev1.IPv6Protocol}, []Family{IPv4, IPv6}},
		"both, IPv6 first":                 {[]corev1.IPFamily{corev1.IPv6Protocol, corev1.IPv4Protocol}, []Family{IPv6, IPv4}},
	} {
		t.Run(name, func(t *testing.T) {
			s := ParseService(&corev1.Service{Spec: corev1.ServiceSpec{IPFamilies: test.given}})
			if !slices.Equal(s.Families, test.want) || s.IPv6First != (test.want[0] == IPv6) || s.WithoutRequest().IPv6First != s.IPv6First {
				t.Errorf("families %v, IPv6 first: %v", s.Families, s.IPv6First)
			}
		})
	}
}
