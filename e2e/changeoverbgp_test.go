package e2e_test

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/daymark-lb/daymark/e2e/lab"
	"github.com/daymark-lb/daymark/e2e/lab/metallb"
)

// Promise: what is announced by BGP, in both families, changes over and goes back without a lost connection, by sessions of both
// providers with the same router.

const routedByMetalLB = `
apiVersion: metallb.io/v1beta1
kind: IPAddressPool
metadata: {name: wan, namespace: metallb-system}
spec: {addresses: [198.19.70.0/28, "2001:db8:70::/120"]}
---
apiVersion: metallb.io/v1beta1
kind: BGPAdvertisement
metadata: {name: wan, namespace: metallb-system}
spec: {ipAddressPools: [wan]}
`

// ownSource is that from which Daymark's speaker on a node dials while MetalLB has the session from the node's own address.
func ownSource(i int) netip.Addr { return netip.AddrFrom4([4]byte{192, 0, 2, byte(121 + i)}) }

func TestChangeOver_ByBGPInBothFamilies(t *testing.T) {
	lab.Need(t, lab.FRR)
	cluster := daymark(t)
	p := buildPlugin(t, cluster)
	second := ""
	for i, node := range cluster.Nodes() {
		node.Take(ownSource(i))
		node.Annotate("example.com/source", ownSource(i).String())
		second += fmt.Sprintf(" neighbor %s peer-group nodes\n", ownSource(i))
	}
	cluster.Router().Configure(lab.FRR, lab.RouterSettings{V6: true, Extra: second})
	cluster.Kubectl("annotate", "namespace", "default", "daymark.io/provider=metallb")
	t.Cleanup(func() { cluster.Kubectl("annotate", "namespace", "default", "daymark.io/provider-") })
	metallb.Install(t, cluster)
	cluster.Apply(routedByMetalLB)
	metallb.StartBGP(t, cluster)

	cluster.Pod("moving", "n1")
	const asks = "metallb.io/loadBalancerIPs: '198.19.70.1,2001:db8:70::1'"
	cluster.Apply(strings.Replace(movingService("moving-far", 80, asks), "  ports:", "  ipFamilyPolicy: RequireDualStack\n  ports:", 1))
	cluster.Apply(peer("router", "addressFamilies: [IPv4, IPv6]", "sourceFrom: {nodeAnnotation: example.com/source}"))
	cluster.Apply(strings.Replace(routedPool("wan", "198.19.70.0/28"), `"198.19.70.0/28"`, `"198.19.70.0/28", "2001:db8:70::/120"`, 1))
	awaitSessions(t, cluster)
	addresses, own := []string{"198.19.70.1", "2001:db8:70::1"}, []netip.Addr{}
	for _, node := range cluster.Nodes() {
		own = append(own, node.V4)
	}
	awaitPaths(t, cluster, addresses, own...)
	for _, address := range addresses {
		awaitThroughAll(t, cluster, netip.MustParseAddr(address))
	}
	p.does("migrate next --yes", "advertisements: done")

	probe := cluster.FarClient().Probe("http://198.19.70.1/", "http://[2001:db8:70::1]/")
	v4, v6 := cluster.Router().Watch(addresses[0]), cluster.Router().Watch(addresses[1])
	lab.Eventually(t, waitTimeout, "the client is served", func() error { return probe.ServedSince(time.Time{}) })
	p.does("migrate next --yes", "default/moving-far: Daymark's, with 198.19.70.1, 2001:db8:70::1")
	awaitPaths(t, cluster, addresses, ownSource(0), ownSource(1), ownSource(2))
	p.does("migrate back --yes default/moving-far", "default/moving-far: MetalLB's, with 198.19.70.1, 2001:db8:70::1")
	awaitPaths(t, cluster, addresses, own...)
	report, changes := probe.Stop(), slices.Concat(v4.Stop(), v6.Stop())
	t.Logf("%s; next hops: %v", report, changes)
	if slices.ContainsFunc(changes, func(c lab.RouteChange) bool { return len(c.NextHops) == 0 }) {
		t.Error("the router was without a next hop")
	}
	mustHaveServedAllRouted(t, report, changes)
}

// awaitPaths waits until FRR has each address from just these neighbors.
func awaitPaths(t *testing.T, cluster *lab.Cluster, addresses []string, neighbors ...netip.Addr) {
	t.Helper()
	for i, address := range addresses {
		family := []string{"ipv4", "ipv6"}[i]
		lab.Eventually(t, waitTimeout, fmt.Sprintf("the router has %s from %v", address, neighbors), func() error {
			var route struct {
				Paths []struct {
					Peer struct {
						PeerID netip.Addr `json:"peerId"`
					} `json:"peer"`
				} `json:"paths"`
			}
			if err := cluster.Router().Show("bgp "+family+" unicast "+address, &route); err != nil {
				return err
			}
			var from []netip.Addr
			for _, path := range route.Paths {
				from = append(from, path.Peer.PeerID)
			}
			if slices.SortFunc(from, netip.Addr.Compare); !slices.Equal(from, neighbors) {
				return fmt.Errorf("it has it from %v", from)
			}
			return nil
		})
	}
}
