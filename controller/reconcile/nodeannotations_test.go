package reconcile

import (
	"errors"
	"net/netip"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/e2e/lab"
	"github.com/daymark-lb/daymark/internal/core/lb"
)

// Annotations of the node: of the first three kinds BGPPeer rack has the keys.
const (
	routerKey = "example.com/routers"
	sourceKey = "example.com/sources"
	idKey     = "example.com/router-id"
	otherKey  = "example.com/rack"
)

// A node's annotation that a BGPPeer names is not overwritten by what cannot be read: the policy and the parsers are of one mind.
func TestPolicies_AddressesInAnnotationsOfNodesStayReadable(t *testing.T) {
	c := installed(t, daymarkNamespace)
	node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "n1"}}
	node.Annotations = map[string]string{routerKey: "192.0.2.1", sourceKey: "198.51.100.1", idKey: "198.51.100.1", otherKey: "1"}
	must(t, c.Create(t.Context(), node))
	c.peer(t, "fixed")
	peer := c.peer(t, "rack", func(spec *v1beta1.BGPPeerSpec) {
		spec.PeerAddress, spec.PeerFrom = "", &v1beta1.PeerFrom{NodeAnnotation: routerKey}
		spec.SourceFrom = &v1beta1.SourceFrom{NodeAnnotation: sourceKey}
		spec.RouterIDFrom = &v1beta1.RouterIDFrom{NodeAnnotation: idKey}
	})

	change := func(key, before, after string) error {
		node.Annotations[key] = "" // From it all may come.
		must(t, c.Update(t.Context(), node))
		node.Annotations[key] = before
		must(t, c.Update(t.Context(), node))
		changed := node.DeepCopy()
		changed.Annotations[key] = after
		return c.Update(t.Context(), changed, client.DryRunAll)
	}
	guarded := func(key string) {
		t.Helper()
		lab.Eventually(t, timeout, "the policy is in force", func() error {
			if err := change(key, "192.0.2.1", "nonsense"); !apierrors.IsForbidden(err) {
				return errors.Join(errors.New("it is not refused"), err)
			}
			return nil
		})
	}
	guarded(routerKey)
	testAnnotations(t, change)

	// An edit names keys that no node has. What the controller accepted before goes on, and is guarded as it was.
	const misspelt = "example.com/misspelt"
	peer.Status.Accepted = &v1beta1.AcceptedBGPPeer{Generation: peer.Generation, Spec: peer.Spec}
	must(t, c.Status().Update(t.Context(), peer))
	peer.Spec.PeerFrom, peer.Spec.SourceFrom = &v1beta1.PeerFrom{NodeAnnotation: misspelt}, nil
	peer.Spec.RouterIDFrom = nil
	must(t, c.Update(t.Context(), peer))
	guarded(misspelt)
	testAnnotations(t, change)
}

// testAnnotations changes annotations of a node that BGPPeer rack goes by.
func testAnnotations(t *testing.T, change func(key, before, after string) error) {
	t.Helper()
	all := func(items func(string) []string, read func(string) error) func(string) error {
		return func(text string) (err error) {
			list := items(text)
			for _, item := range list {
				err = errors.Join(err, read(item))
			}
			if len(list) == 0 {
				err = errors.New("it has no address")
			}
			return err
		}
	}
	values := []string{
		"192.0.2.2", " 192.0.2.2 ,2001:db8::2", "192.0.2.2,", ", 192.0.2.2,,192.0.2.3", " , ", "192.0.2.2;192.0.2.3", "192.0.2.2 192.0.2.3", "192.0.2", "192.0.2.02", "192.0.2.2/24", "router",
		"0.0.0.0", "::", "127.0.0.1", "::1", "169.254.1.1", "fe80::1", "fe80::1%eth0", "fe80::1%", "fe80::1%eth0.100", "fe80::1%sixteen-letters-", "fe80::1%a/b",
		"2001:db8::1%eth0", "192.0.2.2%eth0", "224.0.0.1", "ff02::1", "255.255.255.255", "::ffff:192.0.2.2", "2001:DB8::2", "0x7f000001", "3221225985",
	}
	for _, kind := range []struct {
		key, good, words string
		read             func(string) error
	}{
		{routerKey, "192.0.2.1,2001:db8::1", "BGPPeer rack has the routers of this node in its annotation example.com/routers", all(lb.AnnotatedAddresses, func(text string) error {
			_, err := lb.ParsePeerAddr(text)
			return err
		})},
		{sourceKey, "198.51.100.1", "BGPPeer rack has the addresses that this node dials from in its annotation example.com/sources", all(lb.AnnotatedAddresses, func(text string) error {
			addr, err := lb.ParseAddr(text)
			router := netip.MustParseAddr("192.0.2.1")
			if addr.Is6() {
				router = netip.MustParseAddr("fe80::1")
			}
			return errors.Join(err, lb.CheckSource(addr, router))
		})},
		{idKey, "198.51.100.1", "BGPPeer rack has the BGP identifier of this node in its annotation example.com/router-id", func(text string) error {
			addr, err := lb.ParseAddr(text)
			return errors.Join(err, lb.CheckRouterID(addr))
		}},
	} {
		for _, value := range values {
			err := change(kind.key, kind.good, value)
			if refused := apierrors.IsForbidden(err) && strings.Contains(err.Error(), kind.words); refused != (kind.read(value) != nil) || err != nil && !refused {
				t.Errorf("%s: %q after %q: %v; the parser says %v", kind.key, value, kind.good, err, kind.read(value))
			}
		}
		for _, pair := range [][2]string{{kind.good, ""}, {"nonsense", "other nonsense"}, {"nonsense", kind.good}} {
			if err := change(kind.key, pair[0], pair[1]); err != nil {
				t.Errorf("%s: %q after %q: %v", kind.key, pair[1], pair[0], err)
			}
		}
	}
	if err := change(otherKey, "1", "nonsense"); err != nil {
		t.Errorf("an annotation that no BGPPeer names: %v", err)
	}
}
