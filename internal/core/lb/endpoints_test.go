package lb

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"

	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func endpoint(addr, node string, ready, draining bool) Endpoint {
	return Endpoint{Addr: netip.MustParseAddr(addr), Node: node, Ready: ready, Draining: draining}
}

// text says of each node how many endpoints of a family are ready, and whether it serves the family.
func (e Endpoints) text() string {
	var words []string
	for _, n := range e.read().nodes {
		for _, family := range []Family{IPv4, IPv6} {
			if n.counts[familyIndex(family)] != (endpointCount{}) {
				words = append(words, fmt.Sprintf("%s %s: %d ready, serves %v", *n.node, family, e.ReadyOnNode(*n.node, family), e.ServingOnNode(*n.node, family)))
			}
		}
	}
	return strings.Join(words, "; ")
}

func TestJoinEndpoints(t *testing.T) {
	for _, test := range []struct {
		name   string
		slices [][]Endpoint
		want   string
	}{
		{"ready endpoints count, others do not", [][]Endpoint{{
			endpoint("203.0.113.1", "n1", true, false), endpoint("203.0.113.2", "n2", false, false),
		}}, "n1 IPv4: 1 ready, serves true"},
		{"terminating ones do not serve beside a ready one", [][]Endpoint{{
			endpoint("203.0.113.1", "n1", true, false), endpoint("203.0.113.2", "n2", false, true),
		}}, "n1 IPv4: 1 ready, serves true; n2 IPv4: 0 ready, serves false"},
		{"nor beside one in another slice", [][]Endpoint{
			{endpoint("203.0.113.2", "n2", false, true)}, {endpoint("203.0.113.1", "n1", true, false)},
		}, "n1 IPv4: 1 ready, serves true; n2 IPv4: 0 ready, serves false"},
		{"terminating ones that serve count when none is ready", [][]Endpoint{{
			endpoint("203.0.113.1", "n1", false, false), endpoint("203.0.113.2", "n2", false, true),
		}}, "n2 IPv4: 0 ready, serves true"},
		{"each family decides by itself", [][]Endpoint{
			{endpoint("203.0.113.1", "n1", true, false)},
			{endpoint("2001:db8::1", "n1", false, true)},
		}, "n1 IPv4: 1 ready, serves true; n1 IPv6: 0 ready, serves true"},
		{"an endpoint that a slice has twice counts once, as ready if either says so", [][]Endpoint{{
			endpoint("203.0.113.1", "n1", false, true), endpoint("203.0.113.1", "n1", true, false), endpoint("203.0.113.1", "n1", true, false),
		}}, "n1 IPv4: 1 ready, serves true"},
		{"one in two slices serves if either says so", [][]Endpoint{
			{endpoint("203.0.113.1", "n1", false, false)},
			{endpoint("203.0.113.1", "n1", true, false)},
		}, "n1 IPv4: 1 ready, serves true"},
		{"nodes are in order", [][]Endpoint{{
			endpoint("203.0.113.3", "n3", true, false), endpoint("203.0.113.1", "n1", true, false), endpoint("203.0.113.2", "n1", true, false),
		}}, "n1 IPv4: 2 ready, serves true; n3 IPv4: 1 ready, serves true"},
	} {
		t.Run(test.name, func(t *testing.T) {
			var parts []*EndpointSlice
			for _, endpoints := range test.slices {
				parts = append(parts, NewEndpointSlice(Key{}, endpoints))
			}
			if got := JoinEndpoints(parts).text(); got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}
}

func TestEndpoints_OutsideTheClusterAreOnNoNode(t *testing.T) {
	e := NewEndpointSlice(Key{}, []Endpoint{endpoint("203.0.113.9", "", true, false)}).Endpoints
	if e.AnyServingOnNode(IPv4) || !e.AnyServing(IPv4) || e.AnyServing(IPv6) || e.ServingOnNode("", IPv4) || e.ReadyOnNode("", IPv4) != 0 {
		t.Errorf("got %+v", e)
	}
}

func TestEndpoints_AnyServingOnNode(t *testing.T) {
	for name, test := range map[string]struct {
		endpoints []Endpoint
		want      bool
	}{
		"one on a node":                      {[]Endpoint{endpoint("203.0.113.9", "", true, false), endpoint("203.0.113.1", "n1", true, false)}, true},
		"one on a node that drains":          {[]Endpoint{endpoint("203.0.113.1", "n1", false, true)}, true},
		"one that drains beside one on none": {[]Endpoint{endpoint("203.0.113.9", "", true, false), endpoint("203.0.113.1", "n1", false, true)}, false},
		"one of the other family":            {[]Endpoint{endpoint("203.0.113.9", "", true, false), endpoint("2001:db8::1", "n1", true, false)}, false},
		"none":                               {nil, false},
	} {
		if got := NewEndpointSlice(Key{}, test.endpoints).Endpoints.AnyServingOnNode(IPv4); got != test.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}

// A slice of host names is no endpoint, and does not hide those of other slices.
func TestParseEndpointSlice_HostNamesDoNoHarm(t *testing.T) {
	names := ParseEndpointSlice(&discoveryv1.EndpointSlice{
		ObjectMeta:  metav1.ObjectMeta{Namespace: "default", Labels: map[string]string{discoveryv1.LabelServiceName: "web"}},
		AddressType: discoveryv1.AddressTypeFQDN,
		Endpoints:   []discoveryv1.Endpoint{{Addresses: []string{"example.org"}}, {Addresses: []string{"203.0.113.7"}}, {}},
	})
	if names.Endpoints.AnyServing(IPv4) || names.Endpoints.AnyServing(IPv6) {
		t.Errorf("%s serves", names.Endpoints.text())
	}
	pods := NewEndpointSlice(names.Service, []Endpoint{endpoint("203.0.113.1", "n1", true, false)})
	if got := JoinEndpoints([]*EndpointSlice{names, pods}); !got.ServingOnNode("n1", IPv4) {
		t.Errorf("beside it, %s", got.text())
	}
}

// anyHint is none, for a zone, or for a zone and a node.
func anyHint(random *rand.Rand) (h Hint) {
	if random.IntN(3) > 0 {
		h.Zone = string(rune('a' + random.IntN(3)))
	}
	if h.Zone != "" && random.IntN(2) > 0 {
		h.Node = fmt.Sprint("n", random.IntN(5))
	}
	return h
}

// hintsOf are the numbers of ready endpoints by their hints, in words.
func hintsOf(e Endpoints) (texts []string) {
	for _, family := range []Family{IPv4, IPv6} {
		for hint, ready := range e.Hints(family) {
			texts = append(texts, fmt.Sprintf("%s %v: %d", family, hint, ready))
		}
	}
	return texts
}

// Whatever changes, what was updated is what is joined anew.
func TestEndpoints_UpdateIsJoin(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	slice := func() *EndpointSlice {
		var list []Endpoint
		for range random.IntN(6) {
			addr := netip.AddrFrom4([4]byte{203, 0, 113, byte(random.IntN(8))})
			if random.IntN(4) == 0 {
				addr = netip.AddrFrom16([16]byte{0x20, 0x01, 0xd, 0xb8, 15: byte(random.IntN(8))})
			}
			list = append(list, Endpoint{Addr: addr, Node: fmt.Sprint("n", random.IntN(5)), Ready: random.IntN(2) == 0, Draining: random.IntN(2) == 0, Hint: anyHint(random)})
		}
		s := NewEndpointSlice(Key{}, list)
		s.Size = random.IntN(MaxEndpoints / 2) // now and then not all are read
		return s
	}
	var parts []*EndpointSlice
	var updated Endpoints
	for i := range 5000 {
		before := parts
		parts = nil
		for _, part := range before {
			switch random.IntN(8) {
			case 0:
			case 1:
				parts = append(parts, slice())
			default:
				parts = append(parts, part)
			}
		}
		if len(parts) < 8 {
			parts = slices.Insert(parts, random.IntN(len(parts)+1), slice())
		}
		updated = updated.Update(before, parts)
		if want := JoinEndpoints(parts); !updated.Equal(want) {
			t.Fatalf("step %d: got %+v, want %+v", i, updated, want)
		}
	}
}

func TestParseEndpointSlice(t *testing.T) {
	yes, no, node := true, false, "n1"
	slice := &discoveryv1.EndpointSlice{
		ObjectMeta:  metav1.ObjectMeta{Namespace: "default", Labels: map[string]string{discoveryv1.LabelServiceName: "web"}},
		AddressType: discoveryv1.AddressTypeIPv4,
		Endpoints: []discoveryv1.Endpoint{
			{Addresses: []string{"203.0.113.1"}, NodeName: &node},
			{Addresses: []string{"203.0.113.2"}, NodeName: &node, Conditions: discoveryv1.EndpointConditions{Ready: &no, Serving: &yes, Terminating: &yes}},
			{Addresses: []string{"203.0.113.3"}, NodeName: &node, Conditions: discoveryv1.EndpointConditions{Ready: &no}},
			{Addresses: []string{"203.0.113.4"}},
			{Addresses: []string{"host"}, NodeName: &node},
		},
	}
	got := ParseEndpointSlice(slice)
	if got.Service != (Key{"default", "web"}) {
		t.Errorf("Service %s", got.Service)
	}
	want := NewEndpointSlice(got.Service, []Endpoint{
		endpoint("203.0.113.1", "n1", true, false), endpoint("203.0.113.2", "n1", false, true), endpoint("203.0.113.3", "n1", false, false),
		endpoint("203.0.113.4", "", true, false),
	})
	if got.Size != 4 || got.Endpoints.text() != want.Endpoints.text() || !got.Endpoints.AnyServing(IPv4) {
		t.Errorf("got %d: %s, want %s", got.Size, got.Endpoints.text(), want.Endpoints.text())
	}
}

// Most Services have one slice: what is known of their endpoints takes no memory beside it.
func TestEndpoints_OfOneSliceAreThoseOfTheSlice(t *testing.T) {
	slice := func(endpoints int) *EndpointSlice {
		var list []Endpoint
		for i := range endpoints {
			list = append(list, Endpoint{Addr: netip.AddrFrom4([4]byte{203, 0, 113, byte(i)}), Node: fmt.Sprint("n", i), Ready: true})
		}
		return NewEndpointSlice(Key{}, list)
	}
	first, second := slice(2), slice(3)
	var e Endpoints
	if e = e.Update(nil, []*EndpointSlice{first}); !e.Same(first.Endpoints) {
		t.Error("those of a new slice are copied")
	}
	if e = e.Update([]*EndpointSlice{first}, []*EndpointSlice{second}); !e.Same(second.Endpoints) {
		t.Error("those of a slice in the place of another are copied")
	}
}

func TestParseEndpointSlice_Hints(t *testing.T) {
	no := false
	hints := func(zones, nodes []string) *discoveryv1.EndpointHints {
		h := &discoveryv1.EndpointHints{}
		for _, zone := range zones {
			h.ForZones = append(h.ForZones, discoveryv1.ForZone{Name: zone})
		}
		for _, node := range nodes {
			h.ForNodes = append(h.ForNodes, discoveryv1.ForNode{Name: node})
		}
		return h
	}
	slice := &discoveryv1.EndpointSlice{AddressType: discoveryv1.AddressTypeIPv4}
	for i, hints := range []*discoveryv1.EndpointHints{
		hints([]string{"b"}, nil), hints([]string{"a"}, []string{"n1"}), hints([]string{"b"}, nil), hints([]string{"a", "b"}, []string{"n1", "n2"}), nil, {},
	} {
		slice.Endpoints = append(slice.Endpoints, discoveryv1.Endpoint{Addresses: []string{fmt.Sprint("203.0.113.", i)}, Hints: hints})
	}
	slice.Endpoints = append(slice.Endpoints, discoveryv1.Endpoint{
		Addresses: []string{"203.0.113.9"}, Hints: hints([]string{"c"}, nil), Conditions: discoveryv1.EndpointConditions{Ready: &no},
	})
	want := []string{"IPv4 {a n1}: 1", "IPv4 {b }: 2", "IPv4 { }: 3"}
	if got := hintsOf(ParseEndpointSlice(slice).Endpoints); !slices.Equal(got, want) {
		t.Errorf("the hints are %v, want %v", got, want)
	}
}

func TestEndpoints_OthersAreNotTheSameWhenHintsChange(t *testing.T) {
	with := func(hint Hint) *EndpointSlice {
		e := endpoint("203.0.113.1", "n1", true, false)
		e.Hint = hint
		return NewEndpointSlice(Key{}, []Endpoint{e})
	}
	before, now := []*EndpointSlice{with(Hint{})}, []*EndpointSlice{with(Hint{Zone: "a"})}
	e := JoinEndpoints(before)
	if got := e.Update(before, now); got.Same(e) || !slices.Equal(hintsOf(got), []string{"IPv4 {a }: 1"}) {
		t.Errorf("got %v", hintsOf(got))
	}
	more := append(now, NewEndpointSlice(Key{}, []Endpoint{endpoint("203.0.113.2", "n2", true, false)})) //nolint:gocritic // another list
	both := e.Update(before, more)
	if got := both.Update(more, append(before, more[1])); got.Same(both) || !slices.Equal(hintsOf(got), []string{"IPv4 { }: 2"}) {
		t.Errorf("without the hints they are %v", hintsOf(got))
	}
}

func TestWeight_InWords(t *testing.T) {
	for weight, want := range map[Weight]string{WeightOf(5): "5", WeightOf(5) / 3: "1.667", LeastWeight: "0.001", 0: "0", WeightOf(-1): "0"} {
		if json, err := weight.MarshalJSON(); weight.String() != want || string(json) != want || err != nil {
			t.Errorf("%d is %s, in JSON %s, %v; want %s", uint64(weight), weight, json, err, want)
		}
	}
}
