package check

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
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
	ciliumPools       = foreign("cilium.io", "v2", "CiliumLoadBalancerIPPool", "ciliumloadbalancerippools")
	ciliumPoolsBefore = foreign("cilium.io", "v2alpha1", "CiliumLoadBalancerIPPool", "ciliumloadbalancerippools")
)

// providerKinds are where other providers are seen.
var providerKinds = []source.Kind{source.DaemonSets, source.Deployments, source.Pods, source.Services, ciliumPools, ciliumPoolsBefore}

func foreign(group, version, kind, resource string) source.Kind {
	return source.Kind{GroupVersionKind: schema.GroupVersionKind{Group: group, Version: version, Kind: kind}, Resource: resource}
}

// images of other providers: what the name of an image has in it, and who that is.
var images = []struct{ part, name string }{
	{"metallb/", "MetalLB"},
	{"klipper-lb", "servicelb of k3s"},
	{"kube-vip", "kube-vip"},
	{"purelb/", "PureLB"},
	{"openelb", "OpenELB"},
	{"cloud-controller-manager", "a cloud's controller"},
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

func providerOf(pod *corev1.PodSpec) string {
	for i := range pod.Containers {
		for _, image := range images {
			if strings.Contains(pod.Containers[i].Image, image.part) {
				return image.name
			}
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
			dialed[p.Spec.PeerAddress] = p.Name
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

// routersOf an object of Calico or Cilium that says with whom to peer.
func routersOf(o *unstructured.Unstructured) (routers []string) {
	switch o.GroupVersionKind().GroupKind() {
	case calicoPeers.GroupKind():
		text, _, _ := unstructured.NestedString(o.Object, "spec", "peerIP")
		if withPort, err := netip.ParseAddrPort(text); err == nil {
			text = withPort.Addr().String()
		}
		if text != "" {
			routers = append(routers, text)
		}
	case ciliumPeers.GroupKind():
		instances, _, _ := unstructured.NestedSlice(o.Object, "spec", "bgpInstances")
		for _, instance := range instances {
			fields, _ := instance.(map[string]any)
			peers, _, _ := unstructured.NestedSlice(fields, "peers")
			for _, peer := range peers {
				fields, _ := peer.(map[string]any)
				if text, _, _ := unstructured.NestedString(fields, "peerAddress"); text != "" {
					routers = append(routers, text)
				}
			}
		}
	}
	return routers
}
