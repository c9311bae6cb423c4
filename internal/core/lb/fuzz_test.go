package lb

import (
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/daymark-lb/daymark/api/v1beta1"
)

// maxWords is more than any message needs, in bytes: it repeats no more than maxQuoted of a text, and a byte may take four.
const maxWords = 1024

// checkWords fails unless an error can be shown on an object and in a terminal.
func checkWords(t *testing.T, err error) {
	t.Helper()
	if err != nil && (len(err.Error()) > maxWords || strings.ContainsFunc(err.Error(), unicode.IsControl)) {
		t.Errorf("says %q", err)
	}
}

// FuzzParseRange: a range that can be read is one of a single family from its lower end to its higher, its text is read again
// as it was, and what a line that cannot be read may mean has order, too.
func FuzzParseRange(f *testing.F) {
	for _, text := range []string{
		"192.0.2.0/28", "192.0.2.1-192.0.2.9", "2001:db8::/64", "2001:db8::1", " 192.0.2.7 - 192.0.2.8 ", "::ffff:192.0.2.1",
		"::ffff:192.0.2.1/120", "::ffff:0.0.0.0/0", "192.0.2.9-192.0.2.1", "192.0.2.1-2001:db8::1", "fe80::1%eth0", "0.0.0.0/0", "::/0",
		"192.0.2.1,192.0.2.9", "192.0.2.1 192.0.2.0/33", "192.0.2.1-192.0.2.9-192.0.2.20", "192.0.2.010", "\x1b[2J/", strings.Repeat("1", 99),
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		r, err := ParseRange(text)
		checkWords(t, err)
		ranges := []Range{r}
		if err != nil {
			ranges, _ = doubtfulRanges([]v1beta1.AddressRange{v1beta1.AddressRange(text)})
		}
		for _, r := range ranges {
			if !r.From.IsValid() || r.From.Is4() != r.To.Is4() || r.To.Less(r.From) || r.From.Is4In6() || r.From.Zone()+r.To.Zone() != "" {
				t.Errorf("%q is %v to %v", text, r.From, r.To)
			}
			if again, err := ParseRange(r.String()); err != nil || again != r {
				t.Errorf("%q is %s, which is read as %s and error %v", text, r, again, err)
			}
			if Containing([]Range{r}, r.To) != 0 {
				t.Errorf("%s does not contain its end", r)
			}
		}
	})
}

// FuzzParseService: whatever its annotations say, what a Service requests is within the bounds and, read from a cache that
// keeps no more than those, the same.
func FuzzParseService(f *testing.F) {
	f.Add("192.0.2.1,2001:db8::1", "", "lan, wan", "", "key", "", "shop,*", "192.0.2.9", "class= 192.0.2.1=lan,joined", "192.0.2.1")
	f.Add("192.0.2.1", "192.0.2.01", "lan", "wan", "key", "other", "", "x,,192.0.2.1", "class=c finalizer 192.0.2.1=lan", "2001:db8::1")
	f.Add("::ffff:192.0.2.1, 192.0.2.1", "192.0.2.1", ",", " ,", Oversized, "", Oversized, Oversized, Oversized, Oversized)
	f.Add("192.0.2.1,192.0.2.2,192.0.2.3,192.0.2.4,192.0.2.5,192.0.2.6,192.0.2.7,192.0.2.8,192.0.2.9", "", "", "", "", "", "", "", "", "")
	f.Add(strings.Repeat("192.0.2.1,", 200), "", strings.Repeat("a,", 20), "", strings.Repeat("k", 129), "", strings.Repeat("n,", 40),
		strings.Repeat("192.0.2.1,", 20), strings.Repeat("x", 3000), "fe80::1%eth0")
	f.Fuzz(func(t *testing.T, ips, ipsAlias, pools, poolsAlias, key, keyAlias, namespaces, last, provenance, spec string) {
		from := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Annotations: map[string]string{
			v1beta1.AnnotationLastAddresses: last, v1beta1.AnnotationSharedIPNamespaces: namespaces,
		}}}
		for name, value := range map[string]string{
			v1beta1.AnnotationLoadBalancerIPs: ips, v1beta1.AliasLoadBalancerIPs: ipsAlias, v1beta1.AnnotationAddressPool: pools,
			v1beta1.AliasAddressPool: poolsAlias, v1beta1.AnnotationAllowSharedIP: key, v1beta1.AliasAllowSharedIP: keyAlias,
		} {
			if value != "" {
				from.Annotations[name] = value
			}
		}
		from.Spec.Type, from.Spec.LoadBalancerIP = corev1.ServiceTypeLoadBalancer, spec
		from.Status.Conditions = []metav1.Condition{{Type: v1beta1.ConditionProvenance, Message: provenance}}
		s := ParseService(from)
		checkWords(t, s.RequestError)
		if len(s.Requested) > MaxRequestedAddresses || len(s.RequestedPools) > MaxRequestedPools || len(s.SharingKey) > MaxSharingKeyBytes ||
			len(s.SharedNamespaces) > MaxSharedNamespaces || len(s.LastAddresses) > MaxRequestedAddresses ||
			len(s.Provenance.Allocations) > maxAllocations || s.RequestError != nil && len(s.Requested) > 0 {
			t.Errorf("requests %+v", s)
		}
		if slices.Contains(s.RequestedPools, "") || slices.Contains(s.SharedNamespaces, "") {
			t.Errorf("names nothing: %q, %q", s.RequestedPools, s.SharedNamespaces)
		}
		kept := from.DeepCopy()
		kept.Annotations, kept.Spec.LoadBalancerIP = RequestAnnotations(from.Annotations), BoundText(spec, MaxAddressBytes)
		asText := cmp.Transformer("text", func(err error) string { return fmt.Sprint(err) })
		if diff := cmp.Diff(s, ParseService(kept), asText, cmpopts.EquateComparable(netip.Addr{}), cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("from the cache it is another one: %s", diff)
		}
	})
}

// FuzzParseProvenance: what can be read is read again as it was, once written.
func FuzzParseProvenance(f *testing.F) {
	for _, message := range []string{
		"class=", "class=c finalizer 192.0.2.1=lan 2001:db8::1=wan", "class=c 192.0.2.1=lan,joined,missing", "class=c 192.0.2.1=,joined 192.0.2.2=a,missing,joined",
		"class=c 192.0.2.1=a=b", "class=a b 192.0.2.1=lan", "192.0.2.1=lan", "class=" + strings.Repeat(" 192.0.2.1=lan", 99), strings.Repeat("x", 9999),
	} {
		f.Add(message)
	}
	read := func(message string) Provenance {
		return ParseProvenance([]metav1.Condition{{Type: v1beta1.ConditionProvenance, Message: message}})
	}
	f.Fuzz(func(t *testing.T, message string) {
		p := read(message)
		if again := read(p.Message()); !cmp.Equal(again, p, cmpopts.EquateComparable(netip.Addr{})) {
			t.Errorf("%q is %+v, which is read as %+v", message, p, again)
		}
	})
}

// FuzzParsePassword: a password that is taken fits the kernel, and no word about one repeats it.
func FuzzParsePassword(f *testing.F) {
	for _, value := range []string{"secret\n", "secret\r\n", "\n", " secret ", "\xff\xfe\xfd\xfc", strings.Repeat("p", 81)} {
		f.Add([]byte(value))
	}
	f.Fuzz(func(t *testing.T, value []byte) {
		password, odd, err := ParsePassword(value)
		if (err == nil) != (password != "") || len(password) > maxPassword || len(value)-len(password) > 2 && err == nil {
			t.Errorf("%q becomes %q, %v", value, password, err)
		}
		checkWords(t, err)
		if len(odd) > maxWords || strings.ContainsFunc(odd, unicode.IsControl) {
			t.Errorf("says %q", odd)
		}
	})
}

// FuzzParsePeerAddr: an address of a router is one of a host, and an interface is named only where it is needed.
func FuzzParsePeerAddr(f *testing.F) {
	for _, text := range []string{"192.0.2.1", "fe80::1%eth0", "2001:db8::1%eth0", "fe80::1%", "fe80::1%a%b", "::ffff:192.0.2.1%x", " fe80::1 ", "fe80::1%an-interface-of-16"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		addr, err := ParsePeerAddr(text)
		checkWords(t, err)
		if err != nil {
			return
		}
		if !addr.IsValid() || len(addr.Zone()) > maxInterfaceName || addr.Zone() != "" && !addr.IsLinkLocalUnicast() {
			t.Errorf("%q is %s", text, addr)
		}
		if again, err := ParsePeerAddr(addr.String()); err != nil || again != addr {
			t.Errorf("%q is %s, which is read as %s and error %v", text, addr, again, err)
		}
	})
}

// FuzzParseEndpointSlice: tenants write EndpointSlices of their own. Whatever one says, no more endpoints count than it has, each on the node
// that it names, and their order does not matter.
func FuzzParseEndpointSlice(f *testing.F) {
	f.Add("IPv4", "web", "192.0.2.1 n1 r\n192.0.2.2 n2 st\n192.0.2.1 n1 t")
	f.Add("IPv6", "web", "2001:db8::1  r\n2001:db8::1 n1 r\nfe80::1%eth0 n1 r")
	f.Add("FQDN", "", "example.com n1 r")
	f.Add("IPv4", "\x00", "::ffff:192.0.2.1 n1 rst\n192.0.2.1 n1 \n192.0.2.010 n1 r\n n1 r")
	f.Fuzz(func(t *testing.T, kind, service, lines string) {
		slice := &discoveryv1.EndpointSlice{AddressType: discoveryv1.AddressType(kind)}
		slice.Namespace, slice.Name, slice.Labels = "default", "slice", map[string]string{discoveryv1.LabelServiceName: service}
		nodes := map[string]bool{}
		for _, line := range strings.Split(lines, "\n") {
			addr, rest, _ := strings.Cut(line, " ")
			node, said, _ := strings.Cut(rest, " ")
			endpoint := discoveryv1.Endpoint{Addresses: []string{addr}, NodeName: &node}
			for word, condition := range map[string]**bool{
				"r": &endpoint.Conditions.Ready, "s": &endpoint.Conditions.Serving, "t": &endpoint.Conditions.Terminating,
			} {
				is := strings.Contains(said, word)
				*condition = &is
			}
			nodes[node] = true
			slice.Endpoints = append(slice.Endpoints, endpoint)
		}
		parsed := ParseEndpointSlice(slice)
		slices.Reverse(slice.Endpoints)
		if again := ParseEndpointSlice(slice); !reflect.DeepEqual(again, parsed) {
			t.Errorf("in another order it is %+v, not %+v", again, parsed)
		}
		for _, family := range []Family{IPv4, IPv6} {
			counted := 0
			for node := range parsed.Endpoints.ServingNodes(family) {
				if !nodes[node] {
					t.Errorf("an endpoint is on %q", node)
				}
				counted += parsed.Endpoints.CountServing(node, family)
			}
			if counted > len(slice.Endpoints) {
				t.Errorf("%d endpoints count of %d", counted, len(slice.Endpoints))
			}
		}
	})
}
