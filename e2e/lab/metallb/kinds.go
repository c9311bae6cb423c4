package metallb

import (
	"fmt"
	"strings"

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
	pools             = kind("IPAddressPool", "ipaddresspools")
	l2Advertisements  = kind("L2Advertisement", "l2advertisements")
	bgpAdvertisements = kind("BGPAdvertisement", "bgpadvertisements")
	l2Statuses        = kind("ServiceL2Status", "servicel2statuses")
	bgpStatuses       = kind("ServiceBGPStatus", "servicebgpstatuses")
)

// The fields of MetalLB 0.16's kinds that matter here, as OpenAPI schemas.
const (
	texts = `{type: array, items: {type: string}}`
	// A selector's lists and maps are atomic.
	selectors = `{type: array, items: {type: object, x-kubernetes-map-type: atomic, properties: {matchLabels: {type: object, additionalProperties: ` +
		`{type: string}}, matchExpressions: {type: array, x-kubernetes-list-type: atomic, items: {type: object, required: [key, operator], ` +
		`properties: {key: {type: string}, operator: {type: string}, values: {type: array, x-kubernetes-list-type: atomic, items: {type: string}}}}}}}}`
	poolFields          = `spec: {type: object, required: [addresses], properties: {addresses: ` + texts + `, autoAssign: {type: boolean, default: true}}}`
	advertisementFields = `spec: {type: object, properties: {ipAddressPools: ` + texts + `, serviceSelectors: ` + selectors + `}}`
	statusFields        = `status: {type: object, properties: {node: {type: string}, serviceName: {type: string}, serviceNamespace: {type: string}, peers: ` +
		texts + `}}`
)

// definition of a kind with these fields.
func definition(k source.Kind, fields string) string {
	return fmt.Sprintf(`
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: %[1]s.metallb.io, labels: {of: metallb}}
spec:
  group: metallb.io
  names: {kind: %[2]s, listKind: %[2]sList, plural: %[1]s, singular: %[3]s}
  scope: Namespaced
  versions: [{name: v1beta1, served: true, storage: true, schema: {openAPIV3Schema: {type: object, properties: {%[4]s}}}}]
`, k.Resource, k.Kind, strings.ToLower(k.Kind), fields)
}

func definitions() string {
	return strings.Join([]string{
		definition(pools, poolFields), definition(l2Advertisements, advertisementFields), definition(bgpAdvertisements, advertisementFields),
		definition(l2Statuses, statusFields), definition(bgpStatuses, statusFields),
	}, "---")
}
