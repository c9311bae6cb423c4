package e2e_test

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/daymark-lb/daymark/e2e/lab"
)

// Promise: an address goes to the node that is preferred most, of those that may hold it.

const preferred = `
apiVersion: daymark.io/v1beta1
kind: L2Advertisement
metadata: {name: preferred}
spec:
  ipAddressPools: [preferred]
  preferredNodeSelectors:
  - {weight: 100, selector: {matchLabels: {kubernetes.io/hostname: n3}}}
  - {weight: 10, selector: {matchLabels: {kubernetes.io/hostname: n2}}}
`

func TestLayer2_PreferredNodeHoldsThenTheNext(t *testing.T) {
	cluster := daymark(t)
	awaitMembers(t, cluster)
	cluster.Apply(pool("preferred", "192.0.2.220-192.0.2.229") + "\n---" + preferred)
	cluster.Pod("preferred", "n1")
	var addresses []netip.Addr
	for i := range 3 {
		name := fmt.Sprintf("preferred-%d", i)
		cluster.Apply(strings.ReplaceAll(service(name, "preferred"), "app: "+name, "app: preferred"))
		address, _ := cluster.Service(name).AwaitAddress()
		addresses = append(addresses, address)
	}
	all := func(node string) func(map[netip.Addr]string) error {
		return func(holders map[netip.Addr]string) error {
			if counts(holders)[node] != len(addresses) {
				return fmt.Errorf("it is %v", holders)
			}
			return nil
		}
	}
	awaitHolders(t, cluster, "n3, of weight 100, holds all", addresses, all("n3"))
	cluster.Node("n3").Annotate("daymark.io/drain", "true")
	awaitHolders(t, cluster, "n2, of weight 10, holds all", addresses, all("n2"))
}

// Services that share an address have one holder: the address moves as a whole.
func TestLayer2_SharedAddressMovesAsAWhole(t *testing.T) {
	cluster := daymark(t)
	cluster.Apply(segmentPool("sharing", "192.0.2.240-192.0.2.241"))
	shared := func(name, port string) string {
		s := strings.ReplaceAll(service(name, "sharing"), "app: "+name, "app: shared")
		s = strings.ReplaceAll(s, "daymark.io/address-pool: sharing", "daymark.io/address-pool: sharing, daymark.io/allow-shared-ip: key")
		return strings.ReplaceAll(s, "port: 80,", "port: "+port+",")
	}
	cluster.Pod("shared", "n1")
	cluster.Apply(shared("one", "80"))
	cluster.Apply(shared("two", "81"))
	address, _ := cluster.Service("one").AwaitAddress()
	if other, _ := cluster.Service("two").AwaitAddress(); other != address {
		t.Fatalf("one has %s, two has %s", address, other)
	}
	serves := func() {
		t.Helper()
		for _, port := range []string{"80", "81"} {
			cluster.Client().MustGet(fmt.Sprintf("http://%s:%s/", address, port))
		}
	}
	holder := awaitHolder(t, cluster, address)
	serves()
	cluster.Node(holder).Annotate("daymark.io/drain", "true")
	lab.Eventually(t, waitTimeout, "another node holds it", func() error {
		if all := cluster.Client().WhoHas(address); len(all) != 1 || all[0] == holder {
			return fmt.Errorf("%v do", all)
		}
		return nil
	})
	serves()
}
