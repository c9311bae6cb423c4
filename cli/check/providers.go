package check

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/cli/source"
)

// Kinds of other programs.
var (
	calicoPeers       = foreign("crd.projectcalico.org", "v1", "BGPPeer", "bgppeers")
	ciliumPeers       = foreign("cilium.io", "v2", "CiliumBGPClusterConfig", "ciliumbgpclusterconfigs")
	ciliumPeersBefore = foreign("cilium.io", "v2alpha1", "CiliumBGPClusterConfig", "ciliumbgpclusterconfigs")
	// ciliumPolicies are those of Cilium up to 1.17, each with its routers.
	ciliumPolicies    = foreign("cilium.io", "v2alpha1", "CiliumBGPPeeringPolicy", "ciliumbgppeeringpolicies")
	ciliumPools       = foreign("cilium.io", "v2", "CiliumLoadBalancerIPPool", "ciliumloadbalancerippools")
	ciliumPoolsBefore = foreign("cilium.io", "v2alpha1", "CiliumLoadBalancerIPPool", "ciliumloadbalancerippools")
)

// providerKinds are where other providers are seen.
var providerKinds = []source.Kind{source.DaemonSets, source.Deployments, source.Pods, source.Services, ciliumPools, ciliumPoolsBefore}

func foreign(group, version, kind, resource string) source.Kind {
	return source.Kind{GroupVersionKind: schema.GroupVersionKind{Group: group, Version: version, Kind: kind}, Resource: resource}
}

// images of other providers: what the name of an image has in it, who that is, and whether its container leaves Services without a class
// alone; nil: it does not.
var images = []struct {
	part, name string
	leaves     func(*corev1.Container) bool
}{
	{"metallb/frr-k8s", "frr-k8s", func(*corev1.Container) bool { return true }}, // MetalLB's router, which serves no Services
	{"metallb/", "MetalLB", func(c *corev1.Container) bool { return flagOf(c, "lb-class") != "" }},
	{"klipper-lb", "servicelb of k3s", nil},
	{"kube-vip-cloud-provider", "kube-vip", nil},
	{"kube-vip", "kube-vip", kubeVIPLeaves},
	{"purelb/", "PureLB", nil},
	{"openelb", "OpenELB", nil},
	{"cloud-controller-manager", "a cloud's controller", nil},
}

// kubeVIPLeaves: very many clusters have kube-vip for the address of their control plane alone, and it may have a class of its own. What an
// object elsewhere says may be that it serves Services, and not that it has a class.
func kubeVIPLeaves(c *corev1.Container) bool {
	serves := len(c.EnvFrom) > 0 || isOn(c, "svc_enable", "services", true)
	return !serves || isOn(c, "lb_class_only", "lbClassOnly", false)
}

// isOn reports whether a variable of a container's environment or a flag turns something on; unseen: what it does where the variable's value is
// in another object.
func isOn(c *corev1.Container, variable, flag string, unseen bool) bool {
	for _, v := range c.Env {
		if value, err := strconv.ParseBool(v.Value); v.Name == variable && (v.ValueFrom != nil && unseen || err == nil && value) {
			return true
		}
	}
	for _, word := range slices.Concat(c.Command, c.Args) {
		name, text, has := strings.Cut(strings.TrimLeft(word, "-"), "=")
		value, err := strconv.ParseBool(text)
		if strings.HasPrefix(word, "-") && name == flag && (!has || err == nil && value) {
			return true
		}
	}
	return false
}

// flagOf is the value of a flag that a container is started with, of those that have one, as Go's packages read it; empty: it has none.
func flagOf(c *corev1.Container, name string) string {
	words := slices.Concat(c.Command, c.Args)
	for i, word := range words {
		flag, value, has := strings.Cut(strings.TrimLeft(word, "-"), "=")
		switch {
		case !strings.HasPrefix(word, "-") || flag != name:
		case has:
			return value
		case i+1 < len(words):
			return words[i+1]
		}
	}
	return ""
}

// otherProviders are found by their programs, by Cilium's pools, and by who writes addresses into the status of Services.
func otherProviders(in *Input) (found []Finding) {
	if !in.Cluster.Settings.Classes.Classless {
		return nil // each has Services of its own
	}
	seen := map[string]string{} // by provider, the first object
	add := func(provider, object string) {
		if _, has := seen[provider]; provider != "" && !has {
			seen[provider] = object
		}
	}
	for _, o := range source.Of[*appsv1.DaemonSet](in.Objects) {
		add(providerOf(&o.Spec.Template.Spec), "DaemonSet "+o.Namespace+"/"+o.Name)
	}
	for _, o := range source.Of[*appsv1.Deployment](in.Objects) {
		add(providerOf(&o.Spec.Template.Spec), "Deployment "+o.Namespace+"/"+o.Name)
	}
	for _, o := range source.Of[*corev1.Pod](in.Objects) {
		add(providerOf(&o.Spec), "Pod "+o.Namespace+"/"+o.Name)
	}
	for _, o := range source.Of[*unstructured.Unstructured](in.Objects) {
		if o.GetKind() == ciliumPools.Kind {
			add("Cilium's LB IPAM", o.GetKind()+" "+o.GetName())
		}
	}
	for _, provider := range slices.Sorted(maps.Keys(seen)) {
		found = append(found, Finding{
			Severity: Warning, Object: seen[provider],
			Message: "this is " + provider + ", which serves Services without a class, too, unless it is told not to",
		})
	}
	return append(found, writers(in)...)
}

// providerOf a Pod is who serves Services without a class in it; empty: nobody.
func providerOf(pod *corev1.PodSpec) string {
	for i := range pod.Containers {
		c := &pod.Containers[i]
		for _, image := range images {
			if !strings.Contains(c.Image, image.part) {
				continue
			}
			if image.leaves == nil || !image.leaves(c) {
				return image.name
			}
			break // it is that one, and no other
		}
	}
	return ""
}

// writers of addresses of Services without a class that are not Daymark, as managedFields name them; of each the first Service.
func writers(in *Input) (found []Finding) {
	seen := map[string]bool{}
	for _, s := range source.Of[*corev1.Service](in.Objects) {
		if s.Spec.Type != corev1.ServiceTypeLoadBalancer || s.Spec.LoadBalancerClass != nil {
			continue
		}
		for _, entry := range s.ManagedFields {
			who := entry.Manager
			if entry.FieldsV1 == nil || !strings.Contains(entry.FieldsV1.GetRawString(), `"f:loadBalancer"`) ||
				strings.HasPrefix(who, "daymark-") || seen[who] {
				continue
			}
			seen[who] = true
			found = append(found, Finding{
				Severity: Warning, Object: "Service " + s.Namespace + "/" + s.Name,
				Message: fmt.Sprintf("it has no class, and %s has written its address", who),
			})
		}
	}
	return found
}

// bgpBeside are the routers of Calico and Cilium; once there are BGPPeers those that both dial from the same address.
func bgpBeside(in *Input) (found []Finding) {
	dialed := map[string]string{} // name of the BGPPeer by address
	for _, p := range source.Of[*v1beta1.BGPPeer](in.Objects) {
		if p.Spec.SourceFrom == nil && p.Spec.SourceAddress == "" {
			dialed[canonical(p.Spec.PeerAddress)] = p.Name
		}
	}
	for _, o := range source.Of[*unstructured.Unstructured](in.Objects) {
		for _, router := range routersOf(o) {
			peer, both := dialed[router]
			about := Finding{Severity: Warning, Object: o.GroupVersionKind().GroupKind().String() + " " + o.GetName()}
			switch {
			case both:
				about.Message = fmt.Sprintf("it is for the router %s, as the BGPPeer %s is: a router keeps one session with an address of a node", router, peer)
			case in.Pre:
				about.Severity, about.Message = Note, fmt.Sprintf("it is for the router %s: a router keeps one session with an address of a node", router)
			default:
				continue
			}
			found = append(found, about)
		}
	}
	return found
}

// routersOf an object of Calico or Cilium that says with whom to peer: addresses in their canonical form.
func routersOf(o *unstructured.Unstructured) (routers []string) {
	add := func(fields map[string]any, path ...string) {
		if text, _, _ := unstructured.NestedString(fields, path...); text != "" {
			routers = append(routers, canonical(text))
		}
	}
	switch o.GroupVersionKind().GroupKind() {
	case calicoPeers.GroupKind():
		add(o.Object, "spec", "peerIP")
	case ciliumPeers.GroupKind():
		for _, instance := range entries(o.Object, "spec", "bgpInstances") {
			for _, peer := range entries(instance, "peers") {
				add(peer, "peerAddress")
			}
		}
	case ciliumPolicies.GroupKind():
		for _, router := range entries(o.Object, "spec", "virtualRouters") {
			for _, neighbor := range entries(router, "neighbors") {
				add(neighbor, "peerAddress")
			}
		}
	}
	return routers
}

// entries of a list of objects.
func entries(fields map[string]any, path ...string) (list []map[string]any) {
	all, _, _ := unstructured.NestedSlice(fields, path...)
	for _, one := range all {
		if object, ok := one.(map[string]any); ok {
			list = append(list, object)
		}
	}
	return list
}

// canonical form of a router's address: without the port that Calico may add, and the length that Cilium's policies have.
func canonical(text string) string {
	if withPort, err := netip.ParseAddrPort(text); err == nil {
		return withPort.Addr().String()
	}
	if prefix, err := netip.ParsePrefix(text); err == nil {
		return prefix.Addr().String()
	}
	if addr, err := netip.ParseAddr(text); err == nil {
		return addr.String()
	}
	return text
}
