package e2e_test

import (
	"fmt"
	"net/netip"
	"slices"
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
