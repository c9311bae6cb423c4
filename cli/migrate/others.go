package migrate

import (
	"fmt"
	"maps"
	"net/netip"
	"regexp"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/daymark-lb/daymark/internal/core/lb"
)

// foreign are the kinds of other providers than MetalLB, and what becomes of each: it is made into MetalLB's kinds first.
var foreign = map[string]func(*set, *unstructured.Unstructured) []unstructured.Unstructured{
	"CiliumLoadBalancerIPPool":   (*set).ciliumPool,
	"CiliumL2AnnouncementPolicy": (*set).ciliumPolicy,
	"ServiceGroup":               (*set).serviceGroup,
}

// foreignFields of those kinds, and what becomes of each; the documentation has them.
var foreignFields = []struct{ kind, field, becomes string }{
	{"CiliumLoadBalancerIPPool", "blocks", "`addresses`; of `cidrs`, as old versions have them, too"},
	{"CiliumLoadBalancerIPPool", "allowFirstLastIPs", "`No`: `addresses` without the first and the last of each prefix"},
	{"CiliumLoadBalancerIPPool", "serviceSelector", "`serviceAllocation.serviceSelectors`, and `namespaces` or `namespaceSelectors` of the label `io.kubernetes.service.namespace`"},
	{"CiliumLoadBalancerIPPool", "disabled", "`autoAssign: false`, with a remark"},
	{"CiliumL2AnnouncementPolicy", "serviceSelector", "`serviceSelectors`"},
	{"CiliumL2AnnouncementPolicy", "nodeSelector", "`nodeSelectors`"},
	{"CiliumL2AnnouncementPolicy", "interfaces", "`interfaces`, if the regular expressions are names"},
	{"CiliumL2AnnouncementPolicy", "loadBalancerIPs", "without it there is no L2Advertisement"},
	{"CiliumL2AnnouncementPolicy", "externalIPs", "a remark: `migrate external-ips`"},
	{"ServiceGroup", "local", "`addresses` of `pool`, `v4pool`, `v6pool`, `v4pools`, `v6pools`; `autoAssign: false` but for the group `default`"},
	{"ServiceGroup", "remote", "the same as of `local`"},
	{"ServiceGroup", "netbox", "a remark"},
	{"ConfigMap kubevip", "cidr-global, range-global", "a pool `kube-vip-global`"},
	{"ConfigMap kubevip", "cidr-NAMESPACE, range-NAMESPACE", "a pool `kube-vip-NAMESPACE` with `serviceAllocation.namespaces`"},
	{"ConfigMap kubevip", "skip-end-ips-in-cidr", "`addresses` without the first and the last of each prefix"},
}

// foreignPool is a pool of MetalLB's with these addresses; nil when there are none.
func (s *set) foreignPool(of *unstructured.Unstructured, name string, addresses []any, spec map[string]any) []unstructured.Unstructured {
	if len(addresses) == 0 {
		s.remark(describe(of), "no pool is made: it has no addresses")
		return nil
	}
	spec["name"], spec["addresses"] = name, addresses
	made := part(of, "IPAddressPool", spec)
	made.SetAnnotations(map[string]string{originAnnotation: describe(of)})
	return []unstructured.Unstructured{made}
}

func (s *set) ciliumPool(o *unstructured.Unstructured) []unstructured.Unstructured {
	fields, _ := o.Object["spec"].(map[string]any)
	blocks, _ := fields["blocks"].([]any)
	before, _ := fields["cidrs"].([]any)
	var addresses []any
	for _, item := range append(slices.Clone(blocks), before...) {
		block, _ := item.(map[string]any)
		addresses = append(addresses, blockOf(block, fields["allowFirstLastIPs"] == "No"))
	}
	spec := map[string]any{}
	if fields["disabled"] == true {
		spec["autoAssign"] = false
		s.remark(describe(o), "spec.disabled: autoAssign is false; with drain: true the pool gives nothing new at all")
	}
	if selector, has := fields["serviceSelector"].(map[string]any); has && len(selector) > 0 {
		allocation := map[string]any{}
		kept, namespaces := s.ciliumSelector(o, selector, "the pool serves other Services than before")
		switch name, one := onlyName(namespaces); {
		case one:
			allocation["namespaces"] = []any{name}
		case len(namespaces) > 0:
			allocation["namespaceSelectors"] = []any{namespaces}
		}
		if len(kept) > 0 {
			allocation["serviceSelectors"] = []any{kept}
		}
		spec["serviceAllocation"] = allocation
	}
	s.unknown(o, "spec", fields, "blocks", "cidrs", "allowFirstLastIPs", "disabled", "serviceSelector")
	return s.foreignPool(o, o.GetName(), addresses, spec)
}

// blockOf Cilium's is a prefix, or an address to another, or a single one; inner leaves out the first and the last of a prefix.
func blockOf(block map[string]any, inner bool) string {
	if start, has := block["start"].(string); has {
		if stop, has := block["stop"].(string); has && stop != "" {
			return start + "-" + stop
		}
		return start
	}
	text := fmt.Sprint(block["cidr"])
	prefix, err := netip.ParsePrefix(text)
	if err != nil || !inner || prefix.Bits() >= prefix.Addr().BitLen()-1 {
		return text
	}
	whole := lb.RangeOf(prefix)
	return whole.From.Next().String() + "-" + whole.To.Prev().String()
}

const (
	ciliumNamespace = "io.kubernetes.service.namespace"
	ciliumService   = "io.kubernetes.service."
)

// ciliumSelector returns a selector without the labels that Cilium makes up, and what they say of namespaces as a selector of those.
func (s *set) ciliumSelector(o *unstructured.Unstructured, selector map[string]any, consequence string) (kept, namespaces map[string]any) {
	kept, namespaces = map[string]any{}, map[string]any{}
	labels, _, _ := unstructured.NestedMap(selector, "matchLabels")
	for _, key := range slices.Sorted(maps.Keys(labels)) {
		switch {
		case key == ciliumNamespace:
			namespaces["matchLabels"] = map[string]any{corev1.LabelMetadataName: labels[key]}
		case strings.HasPrefix(key, ciliumService):
			s.remark(describe(o), "spec.serviceSelector: "+key+" is not carried over: "+consequence)
		default:
			continue
		}
		delete(labels, key)
	}
	if len(labels) > 0 {
		kept["matchLabels"] = labels
	}
	expressions, _, _ := unstructured.NestedSlice(selector, "matchExpressions")
	var of, about []any
	for _, item := range expressions {
		expression, _ := item.(map[string]any)
		switch key, _ := expression["key"].(string); {
		case key == ciliumNamespace:
			expression["key"] = corev1.LabelMetadataName
			about = append(about, expression)
		case strings.HasPrefix(key, ciliumService):
			s.remark(describe(o), "spec.serviceSelector: "+key+" is not carried over: "+consequence)
		default:
			of = append(of, item)
		}
	}
	if len(of) > 0 {
		kept["matchExpressions"] = of
	}
	if len(about) > 0 {
		namespaces["matchExpressions"] = about
	}
	return kept, namespaces
}

// onlyName is that of the one namespace that a selector names, if it says no more.
func onlyName(namespaces map[string]any) (name string, one bool) {
	labels, _ := namespaces["matchLabels"].(map[string]any)
	name, one = labels[corev1.LabelMetadataName].(string)
	return name, one && len(namespaces) == 1
}

func (s *set) ciliumPolicy(o *unstructured.Unstructured) []unstructured.Unstructured {
	fields, _ := o.Object["spec"].(map[string]any)
	if fields["externalIPs"] == true {
		s.remark(describe(o), "spec.externalIPs: Daymark does not announce them: see kubectl daymark migrate external-ips")
	}
	s.unknown(o, "spec", fields, "externalIPs", "loadBalancerIPs", "serviceSelector", "nodeSelector", "interfaces")
	if fields["loadBalancerIPs"] != true {
		s.remark(describe(o), "no object is made: without spec.loadBalancerIPs it announces none")
		return nil
	}
	spec := map[string]any{"name": o.GetName()}
	if selector, has := fields["serviceSelector"].(map[string]any); has {
		kept, namespaces := s.ciliumSelector(o, selector, "more Services are announced than before: select pools")
		if len(namespaces) > 0 {
			s.remark(describe(o), "spec.serviceSelector: "+ciliumNamespace+" is not carried over: more Services are announced than before: select pools")
		}
		if len(kept) > 0 {
			spec["serviceSelectors"] = []any{kept}
		}
	}
	if selector, has := fields["nodeSelector"].(map[string]any); has && len(selector) > 0 {
		spec["nodeSelectors"] = []any{selector}
	}
	if names := s.interfaces(o, texts(fields["interfaces"])); len(names) > 0 {
		spec["interfaces"] = names
	}
	made := part(o, "L2Advertisement", spec)
	made.SetAnnotations(map[string]string{originAnnotation: describe(o)})
	return []unstructured.Unstructured{made}
}

// interfaceName is a regular expression that is a name.
var interfaceName = regexp.MustCompile(`^\^?([A-Za-z0-9_-]+)\$?$`)

// interfaces that regular expressions name; nil, which means all, when one of them is no name.
func (s *set) interfaces(o *unstructured.Unstructured, expressions []string) (names []any) {
	for _, expression := range expressions {
		match := interfaceName.FindStringSubmatch(expression)
		if match == nil {
			s.remark(describe(o), "spec.interfaces: "+expression+" is not carried over, so all interfaces announce: write names or globs")
			return nil
		}
		names = append(names, match[1])
	}
	return names
}

// unknown fields of a spec are named.
func (s *set) unknown(o *unstructured.Unstructured, path string, fields map[string]any, known ...string) {
	for _, key := range slices.Sorted(maps.Keys(fields)) {
		if !slices.Contains(known, key) {
			s.remark(describe(o), path+"."+key+": not carried over: the field is not known")
		}
	}
}
