package announce

import (
	"errors"
	"maps"
	"net/netip"
	"reflect"
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"pgregory.net/rapid"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/core/lb"
)

// perturbed returns a copy of an object of which one field has another value, whichever field it is.
func perturbed[T any](t *rapid.T, of *T) *T {
	changed := *of
	v := reflect.ValueOf(&changed).Elem()
	var fields []reflect.StructField
	for _, field := range reflect.VisibleFields(v.Type()) {
		if _, identity := identities[field.Name]; !identity && !field.Anonymous && field.IsExported() {
			fields = append(fields, field)
		}
	}
	field := rapid.SampledFrom(fields).Draw(t, "field")
	perturb(t, field.Name, v.FieldByIndex(field.Index))
	return &changed
}

// identities are what an object is known by, which makes it another object.
var identities = map[string]struct{}{"Key": {}, "Name": {}}

// lengths of prefixes, by the name of the field.
var lengths = map[string][]int64{"AggregationLength": {24, 28, 32}, "AggregationLengthV6": {64, 128}}

// values of some types, by which others than these are left alone.
var values = map[reflect.Type][]any{
	reflect.TypeFor[[]lb.Family]():               {[]lb.Family{lb.IPv4}, []lb.Family{lb.IPv6}, []lb.Family{lb.IPv4, lb.IPv6}},
	reflect.TypeFor[lb.Family]():                 {lb.IPv4, lb.IPv6},
	reflect.TypeFor[v1beta1.AdminState]():        {v1beta1.AdminUp, v1beta1.AdminDown, v1beta1.AdminMaintenance},
	reflect.TypeFor[v1beta1.ConflictDetection](): {v1beta1.ConflictProbe, v1beta1.ConflictWarn, v1beta1.ConflictOff},
	reflect.TypeFor[v1beta1.NodePreference]():    {v1beta1.PreferEndpoints, v1beta1.PreferNone},
	reflect.TypeFor[v1beta1.ASNType]():           {v1beta1.ASNType(""), v1beta1.ASNExternal},
	reflect.TypeFor[v1beta1.WeightBy]():          {v1beta1.WeightBy(""), v1beta1.WeightByEndpoints, v1beta1.WeightByNodeAnnotation},
	reflect.TypeFor[types.UID]():                 {types.UID("1"), types.UID("2")},
	reflect.TypeFor[time.Time]():                 {time.Time{}, time.Unix(1, 0), time.Unix(2_000_000_000, 0)},
	reflect.TypeFor[netip.Addr]():                {netip.Addr{}, netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8::1")},
	reflect.TypeFor[[]netip.Addr]():              {[]netip.Addr(nil), addrs("192.0.2.200"), addrs("198.19.0.1", "192.0.2.201"), addrs("2001:db8::2")},
	reflect.TypeFor[map[string]string]():         {map[string]string(nil), map[string]string{corev1.LabelTopologyZone: "a"}, map[string]string{corev1.LabelTopologyZone: "b", "tier": "gold"}},
	reflect.TypeFor[lb.Labels]():                 {lb.Labels(nil), lb.Labels{{Key: "tier", Value: "gold"}}, lb.Labels{{Key: "app", Value: "web"}, {Key: "tier", Value: "iron"}}},
	reflect.TypeFor[lb.Selectors]():              {lb.Selectors(nil), selector("tier=gold"), selector("tier!=gold")},
	reflect.TypeFor[[]string]():                  {[]string(nil), []string{"lan"}, []string{"wan", "eth0"}, []string{"router"}},
	reflect.TypeFor[error]():                     {error(nil), errors.New("it is wrong")},
	reflect.TypeFor[[]lb.NodePreference]():       {[]lb.NodePreference(nil), []lb.NodePreference{{Weight: 10, Nodes: selector("tier=gold")}}},
	reflect.TypeFor[[]lb.Port]():                 {[]lb.Port(nil), []lb.Port{{Protocol: corev1.ProtocolUDP, Number: 53}}},
	reflect.TypeFor[[]lb.Range]():                {[]lb.Range(nil)},
	reflect.TypeFor[[]lb.Community]():            {[]lb.Community(nil)},
	reflect.TypeFor[[]lb.Allocation](): {
		[]lb.Allocation(nil),
		[]lb.Allocation{{Addr: netip.MustParseAddr("192.0.2.200"), Pool: "lan"}},
		[]lb.Allocation{{Addr: netip.MustParseAddr("198.19.0.1"), Pool: "gone", Missing: true}},
	},
	reflect.TypeFor[*lb.SecretKey]():        {(*lb.SecretKey)(nil), &lb.SecretKey{Name: "bgp", Key: "password"}},
	reflect.TypeFor[*lb.Peer]():             {(*lb.Peer)(nil)},
	reflect.TypeFor[*lb.L2Advertisement]():  {(*lb.L2Advertisement)(nil)},
	reflect.TypeFor[*lb.BGPAdvertisement](): {(*lb.BGPAdvertisement)(nil)},
	reflect.TypeFor[*lb.BFDProfile]():       {(*lb.BFDProfile)(nil), &lb.BFDProfile{Name: "fast"}},
}

func addrs(texts ...string) (all []netip.Addr) {
	for _, text := range texts {
		all = append(all, netip.MustParseAddr(text))
	}
	return all
}

// perturb gives a field another value. It fails for a type that it knows no values of: whoever adds such a field says here which there are.
func perturb(t *rapid.T, name string, v reflect.Value) {
	if of, known := values[v.Type()]; known {
		v.Set(reflect.Zero(v.Type()))
		if value := rapid.SampledFrom(of).Draw(t, name); value != nil {
			v.Set(reflect.ValueOf(value))
		}
		return
	}
	switch v.Kind() {
	case reflect.Bool:
		v.SetBool(!v.Bool())
	case reflect.Int, reflect.Int32, reflect.Int64:
		of := lengths[name]
		if of == nil {
			of = []int64{0, 1, 2}
		}
		v.SetInt(rapid.SampledFrom(of).Draw(t, name))
	case reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		v.SetUint(rapid.Uint64Range(0, 2).Draw(t, name))
	case reflect.String:
		v.SetString(rapid.SampledFrom([]string{"", "a", "eth0", "key", "fast"}).Draw(t, name))
	case reflect.Struct:
		at := rapid.IntRange(0, v.NumField()-1).Draw(t, name)
		perturb(t, v.Type().Field(at).Name, v.Field(at))
	case reflect.Pointer:
		now := reflect.New(v.Type().Elem())
		if perturb(t, name, now.Elem()); rapid.Bool().Draw(t, "set") {
			v.Set(now)
		} else {
			v.Set(reflect.Zero(v.Type()))
		}
	default:
		t.Fatalf("nobody says which values %s may have, a %s", name, v.Type())
	}
}

// perturbOne puts a perturbed copy of one object in its place.
func perturbOne[T any](t *rapid.T, of []*T) []*T {
	if len(of) == 0 {
		return of
	}
	changed := slices.Clone(of)
	at := rapid.IntRange(0, len(of)-1).Draw(t, "which")
	changed[at] = perturbed(t, of[at])
	return changed
}

// A field of an object of which nobody says which values it may have fails here, whatever chance brings elsewhere.
func TestPerturb_KnowsEveryField(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := cluster()
		w.add("web", "192.0.2.200", "n1")
		every(t, w.Services[0])
		every(t, w.Nodes[0])
		every(t, w.L2Advertisements[0])
		every(t, w.BGPAdvertisements[0])
		every(t, w.Peers[0])
	})
}

func every[T any](t *rapid.T, of *T) {
	changed := *of
	v := reflect.ValueOf(&changed).Elem()
	for _, field := range reflect.VisibleFields(v.Type()) {
		if _, identity := identities[field.Name]; !identity && !field.Anonymous && field.IsExported() {
			perturb(t, field.Name, v.FieldByIndex(field.Index))
		}
	}
}

// Where a Computer takes the fields of a World from.
const (
	fromChanges = "the Services that have changed, and their addresses"
	fromBasis   = "the basis: when it differs all is worked out anew"
	fromOwned   = "what the kernels of nodes have: the Services at addresses that they have otherwise are worked out anew"
	fromMembers = "the members: when they differ the contests are worked out anew"
	eachPass    = "each pass: nothing that follows from it is kept"
	ofExplain   = "for Explain alone"
	ofComputer  = "how the Worlds of two passes differ"
)

// worldFields says of each field of a World how a Computer learns that it is another one.
var worldFields = map[string]string{
	"Node": fromBasis, "Reading": ofComputer, "Changes": ofComputer, "Services": fromChanges, "Endpoints": fromChanges, "Nodes": fromBasis,
	"Pools": fromBasis, "L2Advertisements": fromBasis, "BGPAdvertisements": fromBasis, "Peers": fromBasis, "BFDProfiles": eachPass,
	"Passwords": eachPass, "Members": fromMembers, "Links": fromMembers, "Reported": ofExplain, "OwnLinks": fromMembers, "NodeAddresses": fromOwned, "NodePrefixes": fromOwned,
	"Gateways": eachPass, "Routers": eachPass, "Running": eachPass, "LocalEnds": eachPass, "FormerRouters": eachPass, "OwnEnd": eachPass, "RouterProblems": eachPass, "ProxyUnhealthy": fromBasis, "OwnProxyFailed": fromBasis,
	"Established": ofExplain, "HeldBack": ofExplain, "Overridden": ofExplain, "Conflicts": ofExplain, "StandIns": ofExplain, "Options": fromBasis,
}

// TestComputer_KnowsEveryFieldOfAWorld fails when a World has a field of which nobody says how a Computer learns of it, and when no change
// of those that the Computer is tested with changes a field that decides.
func TestComputer_KnowsEveryFieldOfAWorld(t *testing.T) {
	changed := map[string]bool{}
	rapid.Check(t, func(t *rapid.T) {
		w := cluster()
		w.add("web", "192.0.2.200", "n1")
		w.Node, w.Reading = "n1", 1
		for _, next := range worldChanges {
			before := *w
			before.Endpoints, before.Links = maps.Clone(w.Endpoints), maps.Clone(w.Links)
			next.change(t, w, rapid.SampledFrom(everyNode).Draw(t, "node"))
			was, now := basisOf(&before), basisOf(w)
			members, nowMembers := worldMembers(&before), worldMembers(w)
			for _, field := range reflect.VisibleFields(reflect.TypeFor[World]()) {
				from, known := worldFields[field.Name]
				if !known {
					t.Fatalf("how does a Computer learn that %s of a World is another one?", field.Name)
				}
				if reflect.DeepEqual(reflect.ValueOf(before).FieldByIndex(field.Index).Interface(), reflect.ValueOf(*w).FieldByIndex(field.Index).Interface()) {
					continue
				}
				changed[field.Name] = true
				switch {
				case from == ofExplain:
					t.Errorf("%q changes %s, which is said to decide nothing", next.name, field.Name)
				case from == fromBasis && was.equal(&now):
					t.Errorf("%q changes %s, and the basis is the same", next.name, field.Name)
				case from == fromMembers && members.equal(&nowMembers):
					t.Errorf("%q changes %s, and the members are the same", next.name, field.Name)
				}
			}
		}
	})
	for name, from := range worldFields {
		if from != ofExplain && from != ofComputer && !changed[name] && name != "Node" {
			t.Errorf("no change of a World changes %s", name)
		}
	}
}
