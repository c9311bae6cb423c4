package kubelet

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/daymark-lb/daymark/e2e/lab/check"
	"github.com/daymark-lb/daymark/e2e/lab/segment"
)

// Network is a pool that is announced by ARP, and one that is announced to the router.
const Network = `
apiVersion: daymark.io/v1beta1
kind: IPAddressPool
metadata: {name: lan}
spec: {addresses: [192.0.2.200-192.0.2.220], autoAssign: false}
---
apiVersion: daymark.io/v1beta1
kind: L2Advertisement
metadata: {name: lan}
spec: {ipAddressPools: [lan]}
---
apiVersion: daymark.io/v1beta1
kind: IPAddressPool
metadata: {name: wan}
spec: {addresses: [203.0.113.0/25], autoAssign: false}
---
apiVersion: daymark.io/v1beta1
kind: BGPAdvertisement
metadata: {name: wan}
spec: {ipAddressPools: [wan]}
---
apiVersion: daymark.io/v1beta1
kind: BGPPeer
metadata: {name: router}
spec: {myASN: 64512, peerASN: 64513, peerAddress: 192.0.2.1, connectTime: 1s}
`

// webPort is where the pods of Web listen.
const webPort = 8080

// NoWeb is the label of nodes that have no pod of Web.
const NoWeb = "example.com/no-web"

// Web is a pod on every node, and a Service of each pool for them.
const Web = `
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: web, namespace: default}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      terminationGracePeriodSeconds: 5
      affinity:
        nodeAffinity:
          requiredDuringSchedulingIgnoredDuringExecution:
            nodeSelectorTerms:
            - matchExpressions: [{key: ` + NoWeb + `, operator: DoesNotExist}]
      containers:
      - name: web
        image: ` + WebImage + `
        args: [web, ":8080"]
        env:
        - {name: POD_NAME, valueFrom: {fieldRef: {fieldPath: metadata.name}}}
        - {name: NODE_NAME, valueFrom: {fieldRef: {fieldPath: spec.nodeName}}}
---
apiVersion: v1
kind: Service
metadata: {name: lan, annotations: {daymark.io/address-pool: lan}}
spec: {type: LoadBalancer, selector: {app: web}, ports: [{port: 80, targetPort: 8080}]}
---
apiVersion: v1
kind: Service
metadata: {name: wan, annotations: {daymark.io/address-pool: wan}}
spec: {type: LoadBalancer, selector: {app: web}, ports: [{port: 80, targetPort: 8080}]}
`

// Serve applies Network and Web, waits until the address of the Service lan is reached by ARP and that of wan by BGP by way of every
// node, and returns these.
func (c *Cluster) Serve() (lan, wan netip.Addr) {
	c.t.Helper()
	c.Apply(Network)
	c.Apply(Web)
	c.Kubectl("rollout", "status", "daemonset/web", "--timeout=60s")
	lan, _ = c.Service(c.t, "lan").AwaitAddress()
	c.t.Logf("by ARP: %s", c.Client().MustGet(URL(lan)))
	wan, _ = c.Service(c.t, "wan").AwaitAddress()
	check.Eventually(c.t, 30*time.Second, "the router forwards to every node", func() error {
		hops, err := c.Router.NextHops(segment.Single(wan))
		if err == nil && len(hops) != len(c.Nodes) {
			err = fmt.Errorf("it forwards to %v", hops)
		}
		return err
	})
	// A route is there before kube-proxy has rules for it, which it writes once a second.
	check.Eventually(c.t, 30*time.Second, "every node serves what comes by BGP", func() error {
		for range 100 {
			if _, err := c.FarClient().Get(URL(wan)); err != nil {
				return err
			}
		}
		return nil
	})
	c.t.Logf("by BGP: %s", c.FarClient().MustGet(URL(wan)))
	return lan, wan
}

// URL is the page at the address.
func URL(a netip.Addr) string { return fmt.Sprintf("http://%s/", netip.AddrPortFrom(a, 80)) }

// Peered tells whether the router has a session with every node.
func (c *Cluster) Peered() error {
	states, err := c.Router.Sessions()
	for address, state := range states {
		if state != "Established" {
			return fmt.Errorf("that with %s is %s", address, state)
		}
	}
	return err
}
