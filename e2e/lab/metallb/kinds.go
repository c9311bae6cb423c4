package metallb

import (
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/daymark-lb/daymark/cli/source"
)

// Namespace is MetalLB's own. It stays when a test ends: a namespace takes long to go.
const Namespace = "metallb-system"

func kind(name, resource string) source.Kind {
	return source.Kind{
		GroupVersionKind: schema.GroupVersionKind{Group: "metallb.io", Version: "v1beta1", Kind: name}, Resource: resource, Namespaced: true,
	}
}

var (
	pools          = kind("IPAddressPool", "ipaddresspools")
	advertisements = kind("L2Advertisement", "l2advertisements")
	statuses       = kind("ServiceL2Status", "servicel2statuses")
)

// definitions of MetalLB 0.16's kinds, with the fields that matter here.
const definitions = `
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: ipaddresspools.metallb.io, labels: {of: metallb}}
spec:
  group: metallb.io
  names: {kind: IPAddressPool, listKind: IPAddressPoolList, plural: ipaddresspools, singular: ipaddresspool}
  scope: Namespaced
  versions:
  - name: v1beta1
    served: true
    storage: true
    schema:
      openAPIV3Schema:
        type: object
        properties:
          spec:
            type: object
            required: [addresses]
            properties:
              addresses: {type: array, items: {type: string}}
              autoAssign: {type: boolean, default: true}
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: l2advertisements.metallb.io, labels: {of: metallb}}
spec:
  group: metallb.io
  names: {kind: L2Advertisement, listKind: L2AdvertisementList, plural: l2advertisements, singular: l2advertisement}
  scope: Namespaced
  versions:
  - name: v1beta1
    served: true
    storage: true
    schema:
      openAPIV3Schema:
        type: object
        properties:
          spec:
            type: object
            properties:
              ipAddressPools: {type: array, items: {type: string}}
              serviceSelectors:
                type: array
                items:
                  type: object
                  x-kubernetes-map-type: atomic
                  properties:
                    matchLabels: {type: object, additionalProperties: {type: string}}
                    matchExpressions:
                      type: array
                      x-kubernetes-list-type: atomic
                      items:
                        type: object
                        required: [key, operator]
                        properties:
                          key: {type: string}
                          operator: {type: string}
                          values: {type: array, x-kubernetes-list-type: atomic, items: {type: string}}
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: servicel2statuses.metallb.io, labels: {of: metallb}}
spec:
  group: metallb.io
  names: {kind: ServiceL2Status, listKind: ServiceL2StatusList, plural: servicel2statuses, singular: servicel2status}
  scope: Namespaced
  versions:
  - name: v1beta1
    served: true
    storage: true
    schema:
      openAPIV3Schema:
        type: object
        properties:
          status:
            type: object
            properties:
              node: {type: string}
              serviceName: {type: string}
              serviceNamespace: {type: string}
`
