package lb

import (
	"strings"
	"testing"

	"github.com/daymark-lb/daymark/api/v1beta1"
)

// badSelector is one that the schema lets in and that cannot be parsed.
var badSelector = v1beta1.LabelSelector{MatchExpressions: []v1beta1.LabelSelectorRequirement{{Key: "app", Operator: "Nonsense"}}}

func TestParseReservation_PartlyWrong(t *testing.T) {
	for _, test := range []struct {
		name      string
		addresses []v1beta1.AddressRange
		// kept are the ranges; bad is in the error.
		kept, bad string
	}{
		{"the good lines count", []v1beta1.AddressRange{"192.0.2.1", "nonsense", "192.0.2.3"}, "192.0.2.1 192.0.2.3", "nonsense"},
		{"the ends are in the wrong order: all between them is kept", []v1beta1.AddressRange{"192.0.2.9-192.0.2.1"}, "192.0.2.1-192.0.2.9", "ends before it begins"},
		{"one end cannot be read: the other is kept", []v1beta1.AddressRange{"192.0.2.9-192.0.2.300"}, "192.0.2.9", "192.0.2.300"},
		{"the prefix is too long: its address is kept", []v1beta1.AddressRange{"192.0.2.9/33"}, "192.0.2.9", "/33"},
		{"two families: both ends are kept", []v1beta1.AddressRange{"192.0.2.9-2001:db8::1"}, "192.0.2.9 2001:db8::1", "one family"},
		{"a list in one line", []v1beta1.AddressRange{"192.0.2.9, 192.0.2.11"}, "192.0.2.9-192.0.2.11", "192.0.2.11"},
	} {
		t.Run(test.name, func(t *testing.T) {
			from := &v1beta1.IPReservation{Spec: v1beta1.IPReservationSpec{
				Addresses: test.addresses, ServiceRef: &v1beta1.ServiceReference{Namespace: "default", Name: "db"},
			}}
			r := ParseReservation(from)
			if got := strings.Join(Strings(r.Ranges), " "); got != test.kept {
				t.Errorf("it keeps %s, want %s", got, test.kept)
			}
			if r.Err == nil || !strings.Contains(r.Err.Error(), test.bad) {
				t.Errorf("the error %v does not name %q", r.Err, test.bad)
			}
		})
	}
	t.Run("the selector cannot be parsed: the addresses are kept from everybody", func(t *testing.T) {
		from := &v1beta1.IPReservation{Spec: v1beta1.IPReservationSpec{
			Addresses: []v1beta1.AddressRange{"192.0.2.1"}, Namespace: "default", Selector: &badSelector,
		}}
		r := ParseReservation(from)
		if r.Err == nil || len(r.Ranges) != 1 || r.For(&Service{Key: Key{Namespace: "default", Name: "db"}}) {
			t.Errorf("reservation %+v", r)
		}
	})
}

func TestParsePool_PartlyWrong(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(*v1beta1.IPAddressPoolSpec)
		// gives are the addresses that the pool gives; empty for none.
		gives string
	}{
		{"a line of addresses", func(s *v1beta1.IPAddressPoolSpec) { s.Addresses = append(s.Addresses, "192.0.2.9-192.0.2.8") }, "192.0.2.0/30"},
		{"all lines of addresses", func(s *v1beta1.IPAddressPoolSpec) { s.Addresses = []v1beta1.AddressRange{"nonsense"} }, ""},
		{"a line of exclude with its ends in the wrong order", func(s *v1beta1.IPAddressPoolSpec) {
			s.Exclude = []v1beta1.AddressRange{"192.0.2.3-192.0.2.1"}
		}, "192.0.2.0"},
		{"a line of exclude that names no address", func(s *v1beta1.IPAddressPoolSpec) { s.Exclude = []v1beta1.AddressRange{"nonsense"} }, ""},
		{"a selector", func(s *v1beta1.IPAddressPoolSpec) {
			s.ServiceAllocation = &v1beta1.ServiceAllocation{ServiceSelectors: []v1beta1.LabelSelector{badSelector}}
		}, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			from := &v1beta1.IPAddressPool{Spec: v1beta1.IPAddressPoolSpec{Addresses: []v1beta1.AddressRange{"192.0.2.0/30"}}}
			test.change(&from.Spec)
			p := ParsePool(from)
			got := ""
			if !p.Closed() {
				got = strings.Join(Strings(Subtract(p.Ranges, p.Exclude)), " ")
			}
			if p.Err == nil || got != test.gives {
				t.Errorf("it gives %q, want %q; the error is %v", got, test.gives, p.Err)
			}
		})
	}
}

func TestParseAdvertisement_WrongSelectorMatchesNothing(t *testing.T) {
	good := v1beta1.LabelSelector{MatchLabels: map[string]v1beta1.LabelValue{"app": "web"}}
	a := ParseL2Advertisement(&v1beta1.L2Advertisement{Spec: v1beta1.L2AdvertisementSpec{AdvertisementSelectors: v1beta1.AdvertisementSelectors{
		ServiceSelectors: []v1beta1.LabelSelector{badSelector, good}, NodeSelectors: []v1beta1.LabelSelector{badSelector},
	}}})
	web := map[string]string{"app": "web"}
	if a.Err == nil || !a.ServiceSelectors.Match(web) || a.ServiceSelectors.Match(nil) || a.NodeSelectors.Match(web) {
		t.Errorf("advertisement %+v", a)
	}
}
