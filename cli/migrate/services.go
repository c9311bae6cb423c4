package migrate

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/daymark-lb/daymark/api/v1beta1"
)

// prefixes of MetalLB's annotations, the newer one first.
var prefixes = []string{"metallb.io/", "metallb.universe.tf/"}

// annotations of MetalLB on Services, and what becomes of them.
var annotations = []row{
	{"loadBalancerIPs", "is read as it is: `" + v1beta1.AnnotationLoadBalancerIPs + "`", nil},
	{"address-pool", "is read as it is: `" + v1beta1.AnnotationAddressPool + "`", nil},
	{"allow-shared-ip", "is read as it is: `" + v1beta1.AnnotationAllowSharedIP + "`; Services of several namespaces need `" +
		v1beta1.AnnotationSharedIPNamespaces + "` beside it", nil},
	{"ip-allocated-from-pool", "a result of MetalLB, not read: `" + v1beta1.AnnotationLastAddresses + "` and the conditions say more. Remove it", nil},
}

// services looks at what Services ask for.
func (s *set) services(objects []unstructured.Unstructured) {
	asItIs, sharing := 0, map[string][]*unstructured.Unstructured{}
	for i := range objects {
		object := &objects[i]
		if !isService(object) {
			continue
		}
		read, remarks := s.service(object)
		remarks = s.foreignService(object) || remarks
		if read && !remarks {
			asItIs++
		}
		if key := annotation(object, "allow-shared-ip"); key != "" {
			sharing[key] = append(sharing[key], object)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(sharing)) {
		s.shared(key, sharing[key])
	}
	if asItIs > 0 {
		s.remark("Services", fmt.Sprintf("%d have annotations of MetalLB that Daymark reads as they are; nothing is to be done", asItIs))
	}
}

func isService(object *unstructured.Unstructured) bool {
	return object.GetKind() == "Service" && object.GroupVersionKind().Group == ""
}

// annotation of MetalLB with one of its two prefixes.
func annotation(object *unstructured.Unstructured, name string) string {
	for _, prefix := range prefixes {
		if value := object.GetAnnotations()[prefix+name]; value != "" {
			return value
		}
	}
	return ""
}

// service says of one whether it has annotations that are read, and whether there was something to remark.
func (s *set) service(object *unstructured.Unstructured) (read, remarks bool) {
	found := object.GetAnnotations()
	for _, key := range slices.Sorted(maps.Keys(found)) {
		name, isMetalLB := cutPrefix(key)
		if !isMetalLB {
			continue
		}
		i := slices.IndexFunc(annotations, func(r row) bool { return r.field == name })
		switch {
		case i < 0:
			s.remark(describe(object), "annotation "+key+" is not known, and is not read")
		case name == "ip-allocated-from-pool":
			s.remark(describe(object), "annotation "+key+" is "+strings.ReplaceAll(annotations[i].becomes, "`", ""))
		case name == "address-pool" && dnsName(found[key]) != found[key]:
			s.remark(describe(object), "annotation "+key+" names a pool that is called "+dnsName(found[key])+" now: change it")
		default:
			read = true
			continue
		}
		remarks = true
	}
	if class, _, _ := unstructured.NestedString(object.Object, "spec", "loadBalancerClass"); ofOther(class) {
		s.remark(describe(object), "spec.loadBalancerClass is "+class+" and cannot be changed: run the controller and the speakers with "+
			"--load-balancer-class="+class+", or make the Service anew")
		remarks = true
	}
	return read, remarks
}

// classes of the providers that Services may come from, by the words that they have in common.
var classes = []string{"metallb", "kube-vip", "purelb", "io.cilium/"}

func ofOther(class string) bool {
	return slices.ContainsFunc(classes, func(words string) bool { return strings.Contains(class, words) })
}

func cutPrefix(key string) (name string, found bool) {
	for _, prefix := range prefixes {
		if name, found = strings.CutPrefix(key, prefix); found {
			return name, true
		}
	}
	return "", false
}

// shared says what Services of several namespaces need to share an address: MetalLB lets them by the key alone. In the command names
// stand as dnsName has them, so that those of a stranger's file cannot be more than names.
func (s *set) shared(key string, services []*unstructured.Unstructured) {
	namespaces := map[string]bool{}
	for _, service := range services {
		namespaces[dnsName(service.GetNamespace())] = true
	}
	if len(namespaces) < 2 {
		return
	}
	for _, service := range services {
		others := maps.Clone(namespaces)
		delete(others, dnsName(service.GetNamespace()))
		if service.GetAnnotations()[v1beta1.AnnotationSharedIPNamespaces] != "" {
			continue
		}
		s.remark(describe(service), fmt.Sprintf("shares with the key %q across namespaces. If it is to be so, before the change: kubectl annotate service %s -n %s %s=%s",
			key, dnsName(service.GetName()), dnsName(service.GetNamespace()), v1beta1.AnnotationSharedIPNamespaces, strings.Join(slices.Sorted(maps.Keys(others)), ",")))
	}
}
