package main

import "fmt"

// network is what an administrator writes once: which addresses there are, and how the network learns of them.
const network = `
apiVersion: daymark.io/v1beta1
kind: IPAddressPool
metadata: {name: segment}
spec:
  addresses: [192.0.2.200-192.0.2.219]
---
apiVersion: daymark.io/v1beta1
kind: IPAddressPool
metadata: {name: single}
spec:
  addresses: [192.0.2.220/32]
  autoAssign: false
---
apiVersion: daymark.io/v1beta1
kind: IPAddressPool
metadata: {name: routed}
spec:
  addresses: [198.19.0.1-198.19.0.254]
  autoAssign: false
---
apiVersion: daymark.io/v1beta1
kind: IPAddressPool
metadata: {name: both}
spec:
  addresses: [192.0.2.230-192.0.2.239]
  autoAssign: false
---
apiVersion: daymark.io/v1beta1
kind: L2Advertisement
metadata: {name: segment}
spec:
  ipAddressPools: [segment, single, both]
---
apiVersion: daymark.io/v1beta1
kind: BGPPeer
metadata: {name: router}
spec:
  myASN: 64512
  peerASN: 64513
  peerAddress: 192.0.2.1
  connectTime: 1s
---
apiVersion: daymark.io/v1beta1
kind: BGPAdvertisement
metadata: {name: routed}
spec:
  ipAddressPools: [routed, both]
  peers: [router]
`

// service is a Service of type LoadBalancer for the pods with the label app=<app>; more goes into its spec.
func service(name, app, pool, more string) string {
	annotations := ""
	if pool != "" {
		annotations = fmt.Sprintf(", annotations: {daymark.io/address-pool: %s}", pool)
	}
	return fmt.Sprintf(`
apiVersion: v1
kind: Service
metadata: {name: %s%s}
spec:
  type: LoadBalancer
  selector: {app: %s}
  ports: [{port: 80, targetPort: 8080}]
%s
`, name, annotations, app, more)
}
