package migrate

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// originAnnotation says of an object that was made of a part of another what that was.
const originAnnotation = "migrate.daymark.io/origin"

// topKeys of the ConfigMap of MetalLB up to 0.12.
var topKeys = []string{"address-pools", "peers", "bgp-communities", "bfd-profiles"}

// configKeys are the keys below those and the fields that they have become.
var configKeys = map[string]string{
	"name":     "name",
	"protocol": "protocol", "addresses": "addresses", "auto-assign": "autoAssign", "avoid-buggy-ips": "avoidBuggyIPs",
	"bgp-advertisements": "bgpAdvertisements", "aggregation-length": "aggregationLength", "aggregation-length-v6": "aggregationLengthV6",
	"localpref": "localPref", "communities": "communities",
	"my-asn": "myASN", "peer-asn": "peerASN", "peer-address": "peerAddress", "peer-port": "peerPort", "source-address": "sourceAddress",
	"hold-time": "holdTime", "keepalive-time": "keepaliveTime", "router-id": "routerID", "password": "password",
	"bfd-profile": "bfdProfile", "ebgp-multihop": "ebgpMultiHop", "node-selectors": "nodeSelectors",
	"match-labels": "matchLabels", "match-expressions": "matchExpressions", "key": "key", "operator": "operator", "values": "values",
	"receive-interval": "receiveInterval", "transmit-interval": "transmitInterval", "detect-multiplier": "detectMultiplier",
	"echo-interval": "echoInterval", "echo-mode": "echoMode", "passive-mode": "passiveMode", "minimum-ttl": "minimumTtl",
}

// others are ConfigMaps of MetalLB that are no configuration of addresses.
var others = map[string]string{
	"bgpextras":         "not carried over: Daymark has its own BGP and takes no configuration of FRR",
	"metallb-excludel2": "not carried over: name the interfaces in an L2Advertisement; those of Pods and bridges are never used",
}

// expand an object that is several in MetalLB's newest version.
func (s *set) expand(object *unstructured.Unstructured) (all []unstructured.Unstructured) {
	group := object.GroupVersionKind().Group
	switch {
	case object.GetKind() == "ConfigMap" && group == "" && object.GetName() == "kubevip":
		return s.kubeVIP(object)
	case object.GetKind() == "ConfigMap" && group == "":
		return s.configMap(object)
	case (group == "cilium.io" || group == "purelb.io") && foreign[object.GetKind()] != nil:
		return foreign[object.GetKind()](s, object)
	case ours(object) && object.GetKind() == "AddressPool":
		return s.addressPool(object)
	}
	for _, config := range ofRelease(object) {
		all = append(all, s.configMap(&config)...)
	}
	if all != nil {
		return all
	}
	return []unstructured.Unstructured{*object}
}

// configMap of MetalLB up to 0.12 has all in one text.
func (s *set) configMap(object *unstructured.Unstructured) (all []unstructured.Unstructured) {
	if why, known := others[object.GetName()]; known {
		s.remark(describe(object), why)
		return nil
	}
	text, _, _ := unstructured.NestedString(object.Object, "data", "config")
	if !strings.Contains(text, "address-pools") && !strings.Contains(text, "peers") {
		return nil // somebody else's
	}
	var read any
	if err := readYAML(text, &read); err != nil {
		s.remark(describe(object), "not carried over: it cannot be read: "+err.Error())
		return nil
	}
	config, _ := read.(map[string]any)
	for _, key := range slices.Sorted(maps.Keys(config)) {
		if !slices.Contains(topKeys, key) {
			s.remark(describe(object), "not carried over: "+key+": the key is not known")
		}
	}
	s.shapeless(object, config)
	for _, pool := range parts(config["address-pools"]) {
		made := part(object, "AddressPool", pool)
		all = append(all, s.addressPool(&made)...)
	}
	for _, profile := range parts(config["bfd-profiles"]) {
		all = append(all, part(object, "BFDProfile", profile))
	}
	return append(append(all, peers(object, config["peers"])...), named(object, config["bgp-communities"])...)
}

// shapeless parts of a configuration are named.
func (s *set) shapeless(object *unstructured.Unstructured, config map[string]any) {
	for _, key := range topKeys {
		items, isList := config[key].([]any)
		_, isMap := config[key].(map[string]any)
		if config[key] != nil && isList == (key == "bgp-communities") && isMap == (key != "bgp-communities") || config[key] != nil && !isList && !isMap {
			s.remark(describe(object), "not carried over: "+key+": it is not what MetalLB reads there")
		}
		for i, item := range items {
			if _, isMap := item.(map[string]any); !isMap {
				s.remark(describe(object), fmt.Sprintf("not carried over: %s[%d]: it has no fields", key, i))
			}
		}
	}
}

func parts(list any) (all []map[string]any) {
	items, _ := list.([]any)
	for _, item := range items {
		if fields, isMap := renamed(item).(map[string]any); isMap {
			all = append(all, fields)
		}
	}
	return all
}

// renamed has the fields' newer names. What selectors match is left alone.
func renamed(value any) any {
	switch value := value.(type) {
	case []any:
		all := make([]any, len(value))
		for i := range value {
			all[i] = renamed(value[i])
		}
		return all
	case map[string]any:
		fields := map[string]any{}
		for key, below := range value {
			name, known := configKeys[key]
			if !known {
				name = key
			}
			if key != "match-labels" {
				below = renamed(below)
			}
			fields[name] = below
		}
		return fields
	}
	return value
}

// part of an object as one of its own.
func part(of *unstructured.Unstructured, kind string, spec map[string]any) unstructured.Unstructured {
	name := ""
	if spec["name"] != nil {
		name = fmt.Sprint(spec["name"])
	}
	delete(spec, "name")
	made := unstructured.Unstructured{Object: map[string]any{"spec": spec}}
	made.SetAPIVersion("metallb.io/v1beta1")
	made.SetKind(kind)
	made.SetName(name)
	made.SetNamespace(of.GetNamespace())
	made.SetAnnotations(map[string]string{originAnnotation: describe(of) + ", " + kind + " " + name})
	return made
}

// peers had no names: they are called by their address.
func peers(of *unstructured.Unstructured, list any) (all []unstructured.Unstructured) {
	used := map[string]int{}
	for _, peer := range parts(list) {
		name := "peer-" + dnsName(fmt.Sprint(peer["peerAddress"]))
		if used[name]++; used[name] > 1 {
			name = fmt.Sprintf("%s-%d", name, used[name])
		}
		peer["name"] = name
		all = append(all, part(of, "BGPPeer", peer))
	}
	return all
}

func named(of *unstructured.Unstructured, communities any) []unstructured.Unstructured {
	values, _ := communities.(map[string]any)
	if len(values) == 0 {
		return nil
	}
	var list []any
	for _, name := range slices.Sorted(maps.Keys(values)) {
		list = append(list, map[string]any{"name": name, "value": fmt.Sprint(values[name])})
	}
	return []unstructured.Unstructured{part(of, "Community", map[string]any{"name": "communities", "communities": list})}
}

// addressPool of MetalLB up to 0.13 says itself how it is announced.
func (s *set) addressPool(object *unstructured.Unstructured) []unstructured.Unstructured {
	spec, _ := object.Object["spec"].(map[string]any)
	rest := maps.Clone(spec)
	delete(rest, "protocol")
	delete(rest, "bgpAdvertisements")
	pool := *object.DeepCopy()
	pool.SetKind("IPAddressPool")
	pool.SetAnnotations(map[string]string{originAnnotation: describe(object)})
	pool.Object["spec"] = rest
	all := []unstructured.Unstructured{pool}
	switch spec["protocol"] {
	case "layer2":
		return append(all, announcing(object, "L2Advertisement", object.GetName(), map[string]any{}))
	case "bgp":
		advertisements, _ := spec["bgpAdvertisements"].([]any)
		if len(advertisements) == 0 {
			advertisements = []any{map[string]any{}}
		}
		for i, advertisement := range advertisements {
			name := object.GetName()
			if i > 0 {
				name = fmt.Sprintf("%s-%d", name, i+1)
			}
			fields, _ := advertisement.(map[string]any)
			all = append(all, announcing(object, "BGPAdvertisement", name, maps.Clone(fields)))
		}
		return all
	}
	s.remark(describe(object), fmt.Sprintf("its addresses are not announced: the protocol %v is not known", spec["protocol"]))
	return all
}

// announcing is an advertisement of one pool.
func announcing(pool *unstructured.Unstructured, kind, name string, spec map[string]any) unstructured.Unstructured {
	if spec == nil {
		spec = map[string]any{}
	}
	spec["ipAddressPools"], spec["name"] = []any{dnsName(pool.GetName())}, name
	made := part(pool, kind, spec)
	made.SetName(dnsName(name)) // the pool has the remark
	made.SetAnnotations(map[string]string{originAnnotation: describe(pool)})
	return made
}
