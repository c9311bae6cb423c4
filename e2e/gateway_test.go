package e2e_test

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/daymark-lb/daymark/e2e/lab"
)

// A gateway that knows no BGP: as a backup it is no peer, and in place of the router it is dialed while the session with the router stays.
func TestBGP_GatewayThatDoesNotAnswerCostsNoSession(t *testing.T) {
	cluster := daymark(t)
	address := routed(t, cluster, "uplink", byGateway("uplink"), "198.19.16.0/24")

	raw := lab.RouterV4.As4()
	raw[3] = 253
	silent := netip.AddrFrom4(raw).String()
	route := func(args ...string) {
		if out, err := cluster.Node("n1").Run(t.Context(), "", append([]string{"ip", "route"}, args...)...); err != nil {
			t.Fatalf("ip route %v: %v: %s", args, err, out)
		}
	}
	route("add", "default", "via", silent, "metric", "900")
	lab.Eventually(t, waitTimeout, "the speaker of n1 knows the backup", func() error {
		o, err := cluster.Look("daymark.io/v1beta1", "Speaker", "n1")
		if err != nil {
			return err
		}
		gateways, _, err := unstructured.NestedStringSlice(o.Object, "status", "network", "gateways")
		if err == nil && !slices.Contains(gateways, silent) {
			err = fmt.Errorf("it has %v", gateways)
		}
		return err
	})
	if session, err := sessionOf(cluster, "n1", "uplink"); err != nil || session.Address != lab.RouterV4.String() {
		t.Errorf("n1 peers with %q: %v", session.Address, err)
	}
	awaitObjectCondition(t, cluster, "BGPPeer", "uplink", "SessionsEstablished", "True", "3 of 3 nodes")

	before := kernelRoutes(t, cluster.Node("n1"))
	route("replace", "default", "via", silent)
	t.Logf("the routes were\n%sand are\n%s", before, kernelRoutes(t, cluster.Node("n1")))
	awaitObjectCondition(t, cluster, "BGPPeer", "uplink", "SessionsEstablished", "False", "n1: 1 of 2 sessions", silent)
	awaitNextHops(t, cluster, address.String(), "n1", "n2", "n3")
	route("replace", "default", "via", lab.RouterV4.String())
	awaitObjectCondition(t, cluster, "BGPPeer", "uplink", "SessionsEstablished", "True", "3 of 3 nodes")
}

// Routers tell of themselves by link-local addresses: a default route that a router advertisement made has one.
func TestBGP_NodePeersWithItsLinkLocalDefaultGateway(t *testing.T) {
	lab.Need(t, lab.FRR)
	cluster := daymark(t)
	node, onRouter := cluster.Node("n1"), linkLocal(t, cluster.Router())
	onNode := linkLocal(t, node)
	neighbor := strings.NewReplacer("NODE", onNode.String()).Replace(` neighbor NODE remote-as 64512
 neighbor NODE interface eth0
 neighbor NODE passive
 neighbor NODE timers 3 9
 address-family ipv6 unicast
  neighbor NODE activate
 exit-address-family`)
	cluster.Router().Configure(lab.FRR, lab.RouterSettings{V6: true, Extra: neighbor})
	route := func(gateway netip.Addr) {
		if out, err := node.Run(t.Context(), "", "ip", "-6", "route", "replace", "default", "via", gateway.String(), "dev", "eth0"); err != nil {
			t.Fatalf("change the default route: %v: %s", err, out)
		}
	}
	route(onRouter)
	t.Cleanup(func() {
		_, err := node.Run(context.Background(), "", "ip", "-6", "route", "replace", "default", "via", lab.RouterV6.String(), "dev", "eth0")
		if err != nil {
			t.Error(err)
		}
	})
	cluster.Pod("advertised", "n1")
	cluster.Apply(strings.Replace(byGateway("advertised"), "IPv4", "IPv6", 1) + "  " + only("In", "n1"))
	cluster.Apply(routedPool("advertised", "2001:db8:19::/112"))
	cluster.Apply(service("advertised", "advertised", "ipFamilyPolicy: SingleStack", "ipFamilies: [IPv6]"))
	address, _ := cluster.Service("advertised").AwaitAddress()
	awaitObjectCondition(t, cluster, "BGPPeer", "advertised", "SessionsEstablished", "True", "1 of 1 nodes")
	if session, err := sessionOf(cluster, "n1", "advertised"); err != nil || session.Address != onRouter.String()+"%eth0" {
		t.Errorf("n1 peers with %q: %v", session.Address, err)
	}
	lab.Eventually(t, waitTimeout, "FRR has a route to "+address.String()+" over the link", func() error { return overTheLink(cluster, address, "eth0") })
	cluster.FarClient().MustGet(url(address))
}

// linkLocal is the link-local address of a host on the segment.
func linkLocal(t *testing.T, host interface {
	Run(ctx context.Context, stdin string, argv ...string) (string, error)
},
) netip.Addr {
	t.Helper()
	out, err := host.Run(t.Context(), "", "ip", "-6", "-o", "address", "show", "dev", "eth0", "scope", "link")
	if err != nil {
		t.Fatal(err)
	}
	for _, word := range strings.Fields(out) {
		if prefix, err := netip.ParsePrefix(word); err == nil {
			return prefix.Addr()
		}
	}
	t.Fatalf("no link-local address in %q", out)
	return netip.Addr{}
}
