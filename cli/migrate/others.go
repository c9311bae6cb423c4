package migrate

import (
	"fmt"
	"maps"
	"net/netip"
	"regexp"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/daymark-lb/daymark/api/v1beta1"
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
	{"CiliumLoadBalancerIPPool", "serviceSelector", "`serviceAllocation.serviceSelectors`, and `namespaces` of the label `io.kubernetes.service.namespace`"},
	{"CiliumLoadBalancerIPPool", "disabled", "`autoAssign: false`, with a remark"},
	{"CiliumL2AnnouncementPolicy", "serviceSelector", "`serviceSelectors`"},
	{"CiliumL2AnnouncementPolicy", "nodeSelector", "`nodeSelectors`"},
	{"CiliumL2AnnouncementPolicy", "interfaces", "`interfaces`, if the regular expressions are names"},
	{"CiliumL2AnnouncementPolicy", "loadBalancerIPs", "without it there is no L2Advertisement"},
	{"CiliumL2AnnouncementPolicy", "externalIPs", "a remark: `migrate external-ips`"},
	{"ServiceGroup", "local", "`addresses` of `pool`, `v4pool`, `v6pool`, `v4pools`, `v6pools`; `autoAssign: false` but for the group `default`"},
	{"ServiceGroup", "netbox", "a remark"},
	{"ConfigMap kubevip", "cidr-global, range-global", "a pool `kube-vip-global`"},
	{"ConfigMap kubevip", "cidr-NAMESPACE, range-NAMESPACE", "a pool `kube-vip-NAMESPACE` with `serviceAllocation.namespaces`"},
}

// foreignAnnotations of Services, and those of ours with the same value.
var foreignAnnotations = map[string]string{
	"lbipam.cilium.io/ips":                     v1beta1.AnnotationLoadBalancerIPs,
	"io.cilium/lb-ipam-ips":                    v1beta1.AnnotationLoadBalancerIPs,
	"lbipam.cilium.io/sharing-key":             v1beta1.AnnotationAllowSharedIP,
	"io.cilium/lb-ipam-sharing-key":            v1beta1.AnnotationAllowSharedIP,
	"lbipam.cilium.io/sharing-cross-namespace": v1beta1.AnnotationSharedIPNamespaces,
	"kube-vip.io/loadbalancerIPs":              v1beta1.AnnotationLoadBalancerIPs,
	"purelb.io/service-group":                  v1beta1.AnnotationAddressPool,
	"purelb.io/addresses":                      v1beta1.AnnotationLoadBalancerIPs,
	"purelb.io/allow-shared-ip":                v1beta1.AnnotationAllowSharedIP,
}

// plain is a value that means nothing to a shell.
var plain = regexp.MustCompile(`^[A-Za-z0-9.,:/_-]+$`)

// foreignService says which annotations of other providers a Service has, and what to write in their place.
func (s *set) foreignService(object *unstructured.Unstructured) (remarks bool) {
	found := object.GetAnnotations()
	for _, key := range slices.Sorted(maps.Keys(found)) {
		name, known := foreignAnnotations[key]
		if !known {
			continue
		}
		remarks = true
		text := "annotation " + key + " is not read; write its value to " + name
		if plain.MatchString(found[key]) {
			text += fmt.Sprintf(": kubectl annotate service %s -n %s %s=%s", dnsName(object.GetName()), dnsName(object.GetNamespace()), name, found[key])
		}
		s.remark(describe(object), text)
	}
	return remarks
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
		kept, namespace := s.ciliumSelector(o, selector, "the pool serves other Services than before")
		if namespace != "" {
			allocation["namespaces"] = []any{namespace}
		}
		if len(kept) > 0 {
			allocation["serviceSelectors"] = []any{kept}
		}
		spec["serviceAllocation"] = allocation
	}
	s.unknown(o, fields, "blocks", "cidrs", "allowFirstLastIPs", "disabled", "serviceSelector")
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

// ciliumSelector returns a selector without the labels that Cilium makes up, and the namespace that one of them names.
func (s *set) ciliumSelector(o *unstructured.Unstructured, selector map[string]any, consequence string) (kept map[string]any, namespace string) {
	kept = map[string]any{}
	labels, _, _ := unstructured.NestedMap(selector, "matchLabels")
	namespace, _ = labels[ciliumNamespace].(string)
	delete(labels, ciliumNamespace)
	for _, key := range slices.Sorted(maps.Keys(labels)) {
		if strings.HasPrefix(key, ciliumService) {
			delete(labels, key)
			s.remark(describe(o), "spec.serviceSelector: "+key+" is not carried over: "+consequence)
		}
	}
	if len(labels) > 0 {
		kept["matchLabels"] = labels
	}
	expressions, _, _ := unstructured.NestedSlice(selector, "matchExpressions")
	expressions = slices.DeleteFunc(expressions, func(item any) bool {
		e, _ := item.(map[string]any)
		key, _ := e["key"].(string)
		made := strings.HasPrefix(key, ciliumService)
		if made {
			s.remark(describe(o), "spec.serviceSelector: "+key+" is not carried over: "+consequence)
		}
		return made
	})
	if len(expressions) > 0 {
		kept["matchExpressions"] = expressions
	}
	return kept, namespace
}

func (s *set) ciliumPolicy(o *unstructured.Unstructured) []unstructured.Unstructured {
	fields, _ := o.Object["spec"].(map[string]any)
	if fields["externalIPs"] == true {
		s.remark(describe(o), "spec.externalIPs: Daymark does not announce them: see kubectl daymark migrate external-ips")
	}
	s.unknown(o, fields, "externalIPs", "loadBalancerIPs", "serviceSelector", "nodeSelector", "interfaces")
	if fields["loadBalancerIPs"] != true {
		s.remark(describe(o), "no object is made: without spec.loadBalancerIPs it announces none")
		return nil
	}
	spec := map[string]any{"name": o.GetName()}
	if selector, has := fields["serviceSelector"].(map[string]any); has {
		kept, namespace := s.ciliumSelector(o, selector, "more Services are announced than before: select pools")
		if namespace != "" {
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

// serviceGroup of PureLB: its addresses, in all forms that it has had.
func (s *set) serviceGroup(o *unstructured.Unstructured) []unstructured.Unstructured {
	fields, _ := o.Object["spec"].(map[string]any)
	local, _ := fields["local"].(map[string]any)
	if fields["netbox"] != nil {
		s.remark(describe(o), "spec.netbox is not carried over: Daymark has its addresses in pools")
	}
	s.unknown(o, fields, "local", "netbox")
	var addresses []any
	add := func(value any) {
		if pool, has := value.(map[string]any); has && pool["pool"] != nil {
			addresses = append(addresses, fmt.Sprint(pool["pool"]))
		}
	}
	add(local)
	add(local["v4pool"])
	add(local["v6pool"])
	for _, list := range []string{"v4pools", "v6pools"} {
		pools, _ := local[list].([]any)
		for _, pool := range pools {
			add(pool)
		}
	}
	spec := map[string]any{}
	if o.GetName() != "default" { // PureLB gives from the others when a Service names them
		spec["autoAssign"] = false
	}
	if len(addresses) > 0 {
		s.remark(describe(o), "its subnet and aggregation are not carried over, and nothing announces the pool: "+
			"make an L2Advertisement, or a BGPAdvertisement with aggregationLength")
	}
	return s.foreignPool(o, o.GetName(), addresses, spec)
}

// kubeVIP is the ConfigMap of kube-vip's cloud provider: prefixes and ranges by namespace.
func (s *set) kubeVIP(o *unstructured.Unstructured) (all []unstructured.Unstructured) {
	data, _, _ := unstructured.NestedStringMap(o.Object, "data")
	of := map[string][]any{}
	for _, key := range slices.Sorted(maps.Keys(data)) {
		kind, namespace, found := strings.Cut(key, "-")
		if !found || kind != "cidr" && kind != "range" {
			s.remark(describe(o), "not carried over: "+key)
			continue
		}
		for text := range strings.SplitSeq(data[key], ",") {
			of[namespace] = append(of[namespace], strings.TrimSpace(text))
		}
	}
	for _, namespace := range slices.Sorted(maps.Keys(of)) {
		spec := map[string]any{}
		if namespace != "global" {
			spec["serviceAllocation"] = map[string]any{"namespaces": []any{namespace}}
		}
		all = append(all, s.foreignPool(o, "kube-vip-"+namespace, of[namespace], spec)...)
	}
	s.remark(describe(o), "nothing announces the pools: make an L2Advertisement or a BGPAdvertisement, as kube-vip was told by its flags")
	return all
}

// unknown fields of a spec are named.
func (s *set) unknown(o *unstructured.Unstructured, fields map[string]any, known ...string) {
	for _, key := range slices.Sorted(maps.Keys(fields)) {
		if !slices.Contains(known, key) {
			s.remark(describe(o), "spec."+key+": not carried over: the field is not known")
		}
	}
}
