package e2e_test

import (
	"fmt"
	"net/netip"
	"testing"

	"github.com/daymark-lb/daymark/e2e/lab"
)

// Promise: over a link without addresses a node and its router find each other, and both families go over the one session.

const unnumberedRouter = ` neighbor swp1 interface remote-as 64512
 neighbor swp1 timers 3 9
 neighbor swp1 bfd
 address-family ipv6 unicast
  neighbor swp1 activate
 exit-address-family`

func TestBGP_UnnumberedPeerForwardsBothFamilies(t *testing.T) {
	lab.Need(t, lab.FRR)
	cluster := daymark(t)
	cluster.Router().Cable("swp1", cluster.Node("n1"), "uplink")
	cluster.Router().Configure(lab.FRR, lab.RouterSettings{V6: true, Extra: unnumberedRouter})
	cluster.Pod("bare", "n2")
	cluster.Apply(bfdProfile("bare", bfdInterval, 3))
	cluster.Apply(fmt.Sprintf(`
apiVersion: daymark.io/v1beta1
kind: BGPPeer
metadata: {name: bare}
spec:
  myASN: %d
  dynamicASN: external
  interface: uplink
  connectTime: 1s
  bfdProfile: bare
  %s
---
apiVersion: daymark.io/v1beta1
kind: IPAddressPool
metadata: {name: bare}
spec: {addresses: [198.19.20.0/24, "2001:db8:19::/112"], autoAssign: false}
---
apiVersion: daymark.io/v1beta1
kind: BGPAdvertisement
metadata: {name: bare}
spec: {ipAddressPools: [bare]}
`, lab.NodesASN, only("In", "n1")))
	cluster.Apply(service("bare", "bare", "ipFamilyPolicy: RequireDualStack"))
	cluster.Service("bare").AwaitAddress()
	addresses, err := cluster.Service("bare").Addresses()
	if err != nil || len(addresses) != 2 {
		t.Fatalf("it has %v, %v", addresses, err)
	}
	for _, address := range addresses {
		lab.Eventually(t, waitTimeout, "FRR has a route to "+address.String()+" over the link", func() error { return overTheLink(cluster, address, "swp1") })
		if answer := cluster.FarClient().MustGet(url(address)); answer.Pod != "bare" {
			t.Errorf("the far client was answered %q", answer)
		}
	}
	awaitObjectCondition(t, cluster, "BGPPeer", "bare", "SessionsEstablished", "True Established", "1 of 1 nodes")
	lab.Eventually(t, waitTimeout, "BFD watches the link from both ends", func() error {
		session, err := sessionOf(cluster, "n1", "bare")
		if err == nil && session.BFD != "Up" {
			err = fmt.Errorf("n1 says that it is %s", session.BFD)
		}
		var all []struct {
			Interface, Status string
			Peer              netip.Addr
		}
		if err == nil {
			err = cluster.Router().Show("bfd peers", &all)
		}
		if err == nil && (len(all) != 1 || all[0].Interface != "swp1" || all[0].Status != "up" || !all[0].Peer.IsLinkLocalUnicast()) {
			err = fmt.Errorf("FRR has %+v", all)
		}
		return err
	})
}

// overTheLink tells whether what FRR has in the kernel for an address goes out by an interface, to a link-local address.
func overTheLink(cluster *lab.Cluster, address netip.Addr, by string) error {
	command, prefix := "ip route ", netip.PrefixFrom(address, address.BitLen()).String()
	if address.Is6() {
		command = "ipv6 route "
	}
	type nexthop struct {
		IP            netip.Addr
		InterfaceName string
		FIB           bool
	}
	all := map[string][]struct {
		Installed bool
		Nexthops  []nexthop
	}{}
	if err := cluster.Router().Show(command+prefix, &all); err != nil {
		return err
	}
	routes := all[prefix]
	if len(routes) != 1 || !routes[0].Installed || len(routes[0].Nexthops) != 1 {
		return fmt.Errorf("it has %+v", routes)
	}
	if hop := routes[0].Nexthops[0]; !hop.FIB || hop.InterfaceName != by || !hop.IP.IsLinkLocalUnicast() || !hop.IP.Is6() {
		return fmt.Errorf("its next hop is %+v", hop)
	}
	return nil
}
