package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/daymark-lb/daymark/e2e/kubelet/suite"
	"github.com/daymark-lb/daymark/e2e/lab/router"
	"github.com/daymark-lb/daymark/e2e/lab/segment"
)

// variant is a way to run Kubernetes' own tests. Its name is that of its section of the page of results: the way to announce, and what
// differs from the usual, such as bgp-ipv6 or layer2-iptables-services.
type variant struct {
	Name     string
	Way      string // bgp or layer2
	V6       bool   // the cluster has no IPv4
	Proxy    string // mode of kube-proxy
	Services bool   // the tests of Services that concern a provider, and not those of load balancers
}

// parseVariant reads a variant's name.
func parseVariant(name string) (v variant, err error) {
	words := strings.Split(name, "-")
	v = variant{Name: name, Way: words[0], Proxy: "nftables"}
	if v.Way != "bgp" && v.Way != "layer2" {
		return v, fmt.Errorf("%q begins with neither bgp nor layer2", name)
	}
	for i, word := range words[1:] {
		switch word {
		case "ipv6":
			v.V6 = true
		case "iptables":
			v.Proxy = word
		case "services":
			v.Services = true
		default:
			return v, fmt.Errorf("%q has %q, which is none of ipv6, iptables and services", name, word)
		}
		if slices.Contains(words[1:i+1], word) {
			return v, fmt.Errorf("%q has %q twice", name, word)
		}
	}
	return v, nil
}

// focus matches the names of its tests.
func (v variant) focus() string {
	if v.Services {
		return suite.FocusServices
	}
	return suite.FocusLoadBalancers
}

// cannotPass are tests that fail for a reason that docs/conformance.md names, as suite.Short has them.
func (v variant) cannotPass() (names []string) {
	if v.Way == "layer2" { // one node holds the address, and answers with its own pods alone
		names = append(names, "should be able to switch session affinity for LoadBalancer service with Local traffic policy")
	}
	if v.V6 { // the test cuts an answer with an IPv6 address at its first colon
		names = append(names, "ExternalTrafficPolicy: Local should work from pods")
	}
	return names
}

func (v variant) family() string {
	if v.V6 {
		return "IPv6"
	}
	return "IPv4"
}

// network is what an administrator writes for it.
func (v variant) network() string {
	pool, peer := map[string]string{"layer2": "192.0.2.200-192.0.2.250", "bgp": "203.0.113.0/25"}[v.Way], segment.RouterV4
	if v.V6 {
		pool, peer = map[string]string{"layer2": "2001:db8::200-2001:db8::2ff", "bgp": "2001:db8:1b::/120"}[v.Way], segment.RouterV6
	}
	if v.Way == "layer2" {
		return fmt.Sprintf(layer2Network, pool)
	}
	return fmt.Sprintf(bgpNetwork, pool, router.NodesASN, router.ASN, peer)
}

const layer2Network = `
apiVersion: daymark.io/v1beta1
kind: IPAddressPool
metadata: {name: lan}
spec: {addresses: ["%s"]}
---
apiVersion: daymark.io/v1beta1
kind: L2Advertisement
metadata: {name: lan}
spec: {ipAddressPools: [lan]}
`

const bgpNetwork = `
apiVersion: daymark.io/v1beta1
kind: IPAddressPool
metadata: {name: wan}
spec: {addresses: ["%s"]}
---
apiVersion: daymark.io/v1beta1
kind: BGPAdvertisement
metadata: {name: wan}
spec: {ipAddressPools: [wan]}
---
apiVersion: daymark.io/v1beta1
kind: BGPPeer
metadata: {name: router}
spec: {myASN: %d, peerASN: %d, peerAddress: "%s"}
`
