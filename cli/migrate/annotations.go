package migrate

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/daymark-lb/daymark/api/v1beta1"
)

// foreignAnnotations of Services, and those of ours with the same value.
var foreignAnnotations = map[string]string{
	"lbipam.cilium.io/ips":                      v1beta1.AnnotationLoadBalancerIPs,
	"io.cilium/lb-ipam-ips":                     v1beta1.AnnotationLoadBalancerIPs,
	"lbipam.cilium.io/sharing-key":              v1beta1.AnnotationAllowSharedIP,
	"io.cilium/lb-ipam-sharing-key":             v1beta1.AnnotationAllowSharedIP,
	"lbipam.cilium.io/sharing-cross-namespace":  v1beta1.AnnotationSharedIPNamespaces,
	"io.cilium/lb-ipam-sharing-cross-namespace": v1beta1.AnnotationSharedIPNamespaces,
	"kube-vip.io/loadbalancerIPs":               v1beta1.AnnotationLoadBalancerIPs,
	"purelb.io/service-group":                   v1beta1.AnnotationAddressPool,
	"purelb.io/addresses":                       v1beta1.AnnotationLoadBalancerIPs,
	"purelb.io/allow-shared-ip":                 v1beta1.AnnotationAllowSharedIP,
}

// plain is a value that means nothing to a shell.
var plain = regexp.MustCompile(`^[A-Za-z0-9.,:/_-]+$`)

// foreignPrefixes are those of annotations of other providers.
var foreignPrefixes = []string{"kube-vip.io/", "purelb.io/", "lbipam.cilium.io/", "io.cilium/lb-ipam-"}

// foreignResults are annotations that those providers write themselves, by how they begin.
var foreignResults = []string{"kube-vip.io/vipHost", "purelb.io/allocated-", "purelb.io/announcing", "purelb.io/pool-type", "purelb.io/skip-ipv6-dad"}

// foreignService says which annotations of other providers a Service has, and what to write in their place.
func (s *set) foreignService(object *unstructured.Unstructured) (remarks bool) {
	before := len(s.result.Remarks)
	found := object.GetAnnotations()
	for _, key := range slices.Sorted(maps.Keys(found)) {
		if text := foreignAnnotation(object, key, found[key]); text != "" {
			s.remark(describe(object), "annotation "+key+" "+text)
		}
	}
	if wanted, _, _ := unstructured.NestedString(object.Object, "spec", "loadBalancerIP"); wanted == byDHCP {
		s.remark(describe(object), "spec.loadBalancerIP is "+byDHCP+", by which kube-vip asks a DHCP server: remove it; Daymark gives addresses of pools alone")
	}
	return len(s.result.Remarks) > before
}

// foreignAnnotation says what becomes of an annotation of another provider; empty for any other.
func foreignAnnotation(object *unstructured.Unstructured, key, value string) string {
	begins := func(prefix string) bool { return strings.HasPrefix(key, prefix) }
	name, known := foreignAnnotations[key]
	switch {
	case known && value == byDHCP:
		return "asks a DHCP server: remove it; Daymark gives addresses of pools alone"
	case known && plain.MatchString(value):
		return fmt.Sprintf("is not read; write its value to %s: kubectl annotate service %s -n %s %s=%s",
			name, dnsName(object.GetName()), dnsName(object.GetNamespace()), name, value)
	case known:
		return "is not read; write its value to " + name
	case slices.ContainsFunc(foreignResults, begins):
		return "is a result of the other provider, not read. Remove it"
	case slices.ContainsFunc(foreignPrefixes, begins):
		return "is not read: Daymark has no annotation for it"
	}
	return ""
}
