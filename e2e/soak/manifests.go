package main

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/daymark-lb/daymark/e2e/lab"
)

// firstNear is an address that a node holds, which the Service near-1 asks for.
var firstNear = netip.MustParseAddr("192.0.2.200")

// How many Services there are by layer 2 with IPv4, with IPv6, and by BGP: an address each, of which each node holds two or three.
const (
	nearServices, sixServices, farServices = 6, 2, 3
	churned                                = 10 // of each of two kinds
)

// network are the pools, advertisements and the router. The pools that Services come and go in are others. The nodes wait for the router's BFD
// for 3 s, since it has ordinary priority on a machine that may be busy; the router waits for theirs for 0.9 s.
func network(bfd bool) string {
	profile, under := "", ""
	if bfd {
		profile = "\n---\napiVersion: daymark.io/v1beta1\nkind: BFDProfile\nmetadata: {name: router}\nspec: {receiveInterval: 300, transmitInterval: 300, detectMultiplier: 10}"
		under = ", bfdProfile: router"
	}
	pool := func(name, addresses string) string {
		return fmt.Sprintf("apiVersion: daymark.io/v1beta1\nkind: IPAddressPool\nmetadata: {name: %s}\nspec: {addresses: [%q], autoAssign: false}\n---\n", name, addresses)
	}
	return pool("near", "192.0.2.200-192.0.2.219") + pool("six", "2001:db8::a00-2001:db8::aff") + pool("far", "198.19.1.0/24") +
		pool("churn-near", "192.0.2.220-192.0.2.239") + pool("churn-far", "198.19.2.0/24") + fmt.Sprintf(`apiVersion: daymark.io/v1beta1
kind: L2Advertisement
metadata: {name: near}
spec: {ipAddressPools: [near, six, churn-near]}
---
apiVersion: daymark.io/v1beta1
kind: BGPAdvertisement
metadata: {name: far}
spec: {ipAddressPools: [far, churn-far]}
---
apiVersion: daymark.io/v1beta1
kind: BGPPeer
metadata: {name: router}
spec: {myASN: %d, peerASN: %d, peerAddress: %s, holdTime: 9s, connectTime: 1s%s}`, lab.NodesASN, lab.RouterASN, lab.RouterV4, under) + profile
}

// services are those that are there all the time.
func services() (manifests string, names []string) {
	var all []string
	add := func(name, pool, more string) {
		names = append(names, name)
		all = append(all, service(name, pool, more))
	}
	for i := range nearServices {
		more := ""
		if i == 0 {
			more = fmt.Sprintf(", loadBalancerIP: %s", firstNear)
		}
		add(fmt.Sprint("near-", i+1), "near", more)
	}
	for i := range sixServices {
		add(fmt.Sprint("six-", i+1), "six", ", ipFamilyPolicy: SingleStack, ipFamilies: [IPv6]")
	}
	for i := range farServices {
		add(fmt.Sprint("far-", i+1), "far", "")
	}
	return strings.Join(all, "\n---\n"), names
}

// service has the pod web behind it.
func service(name, pool, more string) string {
	return fmt.Sprintf("apiVersion: v1\nkind: Service\nmetadata: {name: %s, annotations: {daymark.io/address-pool: %s}}\n"+
		"spec: {type: LoadBalancer, selector: {app: web}, ports: [{port: 80, targetPort: 8080}]%s}", name, pool, more)
}

// churn makes Services, waits until they have addresses, and lets the step's end delete them.
func churn(c *lab.Cluster, _ string) {
	var names []string
	for i := range churned {
		for _, pool := range []string{"churn-near", "churn-far"} {
			name := fmt.Sprintf("%s-%d", pool, i+1)
			c.Apply(service(name, pool, ""))
			names = append(names, name)
		}
	}
	for _, name := range names {
		c.Service(name).AwaitAddress()
	}
}
