package migrate

import (
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// byDHCP is how kube-vip says that an address comes of a DHCP server.
const byDHCP = "0.0.0.0"

// keysOfKubeVIP are those that have no addresses, by how they begin, and why they are not carried over.
var keysOfKubeVIP = []struct{ prefix, why string }{
	{"allow-share-", "Services say themselves that they share an address: daymark.io/allow-shared-ip"},
	{"interface-", "name the interfaces in an L2Advertisement"},
	{"search-order", "Daymark gives a Service the address that it had, or one that is free"},
}

// kubeVIP is the ConfigMap of kube-vip's cloud provider: prefixes and ranges by namespace.
func (s *set) kubeVIP(o *unstructured.Unstructured) (all []unstructured.Unstructured) {
	data, _, _ := unstructured.NestedStringMap(o.Object, "data")
	inner := data[skipEnds] == "true"
	of := map[string][]any{}
	for _, key := range slices.Sorted(maps.Keys(data)) {
		kind, namespace, found := strings.Cut(key, "-")
		if !found || kind != "cidr" && kind != "range" {
			s.keyOfKubeVIP(o, key)
			continue
		}
		for text := range strings.SplitSeq(data[key], ",") {
			switch text = strings.TrimSpace(text); text {
			case "":
			case byDHCP, byDHCP + "/32":
				s.remark(describe(o), key+": "+text+" is not carried over: it asks a DHCP server, and Daymark gives addresses of pools alone")
			default:
				of[namespace] = append(of[namespace], blockOf(map[string]any{"cidr": text}, inner))
			}
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

// skipEnds leaves out the first and the last address of each prefix.
const skipEnds = "skip-end-ips-in-cidr"

func (s *set) keyOfKubeVIP(o *unstructured.Unstructured, key string) {
	if key == skipEnds {
		return
	}
	for _, known := range keysOfKubeVIP {
		if strings.HasPrefix(key, known.prefix) {
			s.remark(describe(o), "not carried over: "+key+": "+known.why)
			return
		}
	}
	s.remark(describe(o), "not carried over: "+key+": the key is not known")
}
