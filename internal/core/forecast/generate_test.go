package forecast

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"pgregory.net/rapid"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/core/lb"
)

// generator of clusters and changes.
type generator struct {
	*rapid.T
	now time.Time
}

func (g *generator) meta(name string) metav1.ObjectMeta {
	g.now = g.now.Add(time.Second)
	return metav1.ObjectMeta{Name: name, UID: types.UID(name), CreationTimestamp: metav1.NewTime(g.now)}
}

func (g *generator) number(least, most int, label string) int {
	return rapid.IntRange(least, most).Draw(g.T, label)
}

func (g *generator) flag(label string) bool { return rapid.Bool().Draw(g.T, label) }

// rarely is true in a third of the cases, and never where all else is as simple as can be.
func (g *generator) rarely(label string) bool { return g.number(0, 2, label) == 2 }

func oneOf[V any](g *generator, label string, values ...V) V {
	return rapid.SampledFrom(values).Draw(g.T, label)
}

// networks by pool: the beginning of the addresses of both families.
var networks = map[string][2]string{
	"lan": {"192.0.2.", "2001:db8::"}, "side": {"198.51.100.", "2001:db8:1::"}, "wan": {"203.0.113.", "2001:db8:2::"},
}

// cluster of some nodes, which have a second interface or not, and Services.
func (g *generator) cluster(links map[string][]lb.Link) (objects []runtime.Object) {
	for i := range oneOf(g, "nodes", 1, 2, 3, 4, 5) {
		objects = append(objects, g.node(i, links)...)
	}
	for _, name := range []string{"lan", "side", "wan"} {
		objects = append(objects, g.pool(name))
	}
	objects = append(objects, g.l2Advertisement("lan", "lan"), g.l2Advertisement("side", "side"))
	if g.rarely("a third L2Advertisement") {
		objects = append(objects, g.l2Advertisement("more", oneOf(g, "pool", "lan", "side")))
	}
	for i := range oneOf(g, "services", 0, 1, 2, 4, 6, 8) {
		objects = append(objects, g.service(fmt.Sprintf("s%d", i))...)
	}
	objects = append(objects, g.bgpAdvertisement("wan"), g.peer("tor"))
	if g.rarely("a second BGPPeer") {
		objects = append(objects, g.peer("leaf"))
	}
	if g.rarely("a second BGPAdvertisement") {
		objects = append(objects, g.bgpAdvertisement("more"))
	}
	return objects
}

func (g *generator) node(i int, links map[string][]lb.Link) []runtime.Object {
	name := fmt.Sprintf("n%d", i)
	node, of := &corev1.Node{ObjectMeta: g.meta(name)}, &v1beta1.Speaker{ObjectMeta: g.meta(name)}
	node.Labels = map[string]string{"zone": g.zone()}
	node.Labels[corev1.LabelTopologyZone] = node.Labels["zone"]
	if g.rarely("has a weight") {
		node.Annotations = map[string]string{v1beta1.AnnotationWeight: fmt.Sprint(g.number(0, 3, "weight"))}
	}
	node.Status.Conditions = []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue}}
	of.Status.Conditions = []metav1.Condition{{Type: v1beta1.ConditionMembershipKnown, Status: metav1.ConditionTrue}}
	segments := []string{"lan"}
	if g.flag("second interface") {
		segments = append(segments, "side")
	}
	for at, segment := range segments {
		link := lb.Link{Name: fmt.Sprintf("eth%d", at), Up: true}
		link.Addresses = []netip.Prefix{netip.MustParsePrefix(fmt.Sprintf("fe80::%d/64", 10+i))}
		for family, bits := range []int{24, 64} {
			text := fmt.Sprintf("%s%d/%d", networks[segment][family], 10+i, bits)
			link.Addresses = append(link.Addresses, netip.MustParsePrefix(text))
			of.Status.Network.Addresses = append(of.Status.Network.Addresses, text)
		}
		links[name] = append(links[name], link)
		reported := v1beta1.NodeInterface{Name: link.Name, Families: []v1beta1.AddressFamily{v1beta1.IPv4, v1beta1.IPv6}}
		of.Status.Network.Interfaces = append(of.Status.Network.Interfaces, reported)
	}
	for _, own := range links[name][0].Addresses[1:] {
		node.Status.Addresses = append(node.Status.Addresses, corev1.NodeAddress{Type: corev1.NodeInternalIP, Address: own.Addr().String()})
	}
	return []runtime.Object{node, of}
}

func (g *generator) zone() string { return oneOf(g, "zone", "a", "b") }

func (g *generator) inZone() v1beta1.LabelSelector {
	return v1beta1.LabelSelector{MatchLabels: map[string]v1beta1.LabelValue{"zone": v1beta1.LabelValue(g.zone())}}
}

func (g *generator) selectors() []v1beta1.LabelSelector {
	if !g.rarely("of a zone") {
		return nil
	}
	return []v1beta1.LabelSelector{g.inZone()}
}

func (g *generator) pool(name string) *v1beta1.IPAddressPool {
	pool := &v1beta1.IPAddressPool{ObjectMeta: g.meta(name)}
	for _, network := range networks[name] {
		from := g.number(200, 204, "from")
		to := from + g.number(0, 7, "size")
		pool.Spec.Addresses = append(pool.Spec.Addresses, v1beta1.AddressRange(fmt.Sprintf("%s%d-%s%d", network, from, network, to)))
	}
	return pool
}

func (g *generator) l2Advertisement(name, pool string) *v1beta1.L2Advertisement {
	by := &v1beta1.L2Advertisement{ObjectMeta: g.meta(name)}
	by.Spec.IPAddressPools, by.Spec.NodeSelectors = []string{pool}, g.selectors()
	by.Spec.Sharing = oneOf(g, "sharing", v1beta1.SharingNone, v1beta1.SharingPerClient)
	by.Spec.NodePreference = oneOf(g, "nodePreference", "", v1beta1.PreferEndpoints, v1beta1.PreferNone)
	by.Spec.ConflictDetection = oneOf(g, "conflictDetection", "", v1beta1.ConflictOff)
	if g.rarely("prefers some nodes") {
		by.Spec.PreferredNodeSelectors = []v1beta1.PreferredNodeSelector{{Weight: 10, Selector: g.inZone()}}
	}
	return by
}

func (g *generator) bgpAdvertisement(name string) *v1beta1.BGPAdvertisement {
	by := &v1beta1.BGPAdvertisement{ObjectMeta: g.meta(name)}
	by.Spec.IPAddressPools, by.Spec.NodeSelectors = []string{"wan"}, g.selectors()
	by.Spec.MED = new(int64(g.number(0, 1, "med")))
	by.Spec.WeightBy = oneOf(g, "weightBy", "", v1beta1.WeightByEndpoints, v1beta1.WeightByNodeAnnotation)
	if g.rarely("aggregates") {
		by.Spec.AggregationLength, by.Spec.AggregationLengthV6 = new(int32(g.number(24, 32, "length"))), new(int32(g.number(120, 128, "length")))
	}
	if g.rarely("to one peer") {
		by.Spec.Peers = []string{oneOf(g, "peer", "tor", "leaf", "spine")}
	}
	return by
}

func (g *generator) peer(name string) *v1beta1.BGPPeer {
	peer := &v1beta1.BGPPeer{ObjectMeta: g.meta(name)}
	peer.Spec.MyASN, peer.Spec.PeerASN, peer.Spec.PeerAddress = 64512, new(int64(64513)), oneOf(g, "router", "192.0.2.1", "192.0.2.2")
	peer.Spec.NodeSelectors = g.selectors()
	peer.Spec.AddressFamilies = oneOf(g, "peer's families", nil, []v1beta1.AddressFamily{v1beta1.IPv4, v1beta1.IPv6})
	return peer
}

// service of one family or both, which may share its address with others, and its endpoints.
func (g *generator) service(name string) []runtime.Object {
	s := &corev1.Service{ObjectMeta: g.meta(name)}
	s.Namespace, s.Spec.Type, s.Annotations = "default", corev1.ServiceTypeLoadBalancer, map[string]string{}
	v4, v6 := corev1.IPv4Protocol, corev1.IPv6Protocol
	s.Spec.IPFamilies = oneOf(g, "families", []corev1.IPFamily{v4}, []corev1.IPFamily{v6}, []corev1.IPFamily{v4, v6}, []corev1.IPFamily{v6, v4})
	s.Spec.IPFamilyPolicy = new(corev1.IPFamilyPolicySingleStack)
	if len(s.Spec.IPFamilies) > 1 {
		s.Spec.IPFamilyPolicy = new(oneOf(g, "policy", corev1.IPFamilyPolicyPreferDualStack, corev1.IPFamilyPolicyRequireDualStack))
	}
	s.Spec.Ports = []corev1.ServicePort{{Port: int32(g.number(80, 82, "port")), Protocol: corev1.ProtocolTCP}}
	if pool := oneOf(g, "pool", "", "lan", "side", "wan"); pool != "" {
		s.Annotations[v1beta1.AnnotationAddressPool] = pool
	}
	if g.rarely("shares its address") {
		s.Annotations[v1beta1.AnnotationAllowSharedIP] = oneOf(g, "key", "one", "two")
	}
	if g.flag("local") {
		s.Spec.ExternalTrafficPolicy, s.Spec.HealthCheckNodePort = corev1.ServiceExternalTrafficPolicyLocal, 30000
	}
	if g.rarely("affinity") {
		s.Spec.SessionAffinity = corev1.ServiceAffinityClientIP
	}
	if near := oneOf(g, "trafficDistribution", "", corev1.ServiceTrafficDistributionPreferSameZone, corev1.ServiceTrafficDistributionPreferSameNode); near != "" {
		s.Spec.TrafficDistribution = &near
	}
	objects, nodes := []runtime.Object{s}, make([]string, g.number(0, 3, "endpoints"))
	for i := range nodes {
		nodes[i] = fmt.Sprintf("n%d", g.number(0, 4, "endpoint's node"))
	}
	for _, family := range slices.Sorted(slices.Values(s.Spec.IPFamilies)) {
		slice := &discoveryv1.EndpointSlice{ObjectMeta: g.meta(name + "-" + string(family)), AddressType: discoveryv1.AddressType(family)}
		slice.Namespace, slice.Labels = "default", map[string]string{discoveryv1.LabelServiceName: name}
		for i, node := range nodes {
			address := fmt.Sprintf("10.0.0.%d", i)
			if family == v6 {
				address = fmt.Sprintf("fd00::%d", i)
			}
			slice.Endpoints = append(slice.Endpoints, discoveryv1.Endpoint{Addresses: []string{address}, NodeName: &node})
		}
		objects = append(objects, slice)
	}
	return objects
}

// change objects, in one step or several.
func (g *generator) change(objects []runtime.Object) [][]runtime.Object {
	if g.flag("drain") {
		var nodes []string
		for range g.number(1, 2, "drained") {
			nodes = append(nodes, fmt.Sprintf("n%d", g.number(0, 4, "drained node")))
		}
		return Drain(objects, nodes)
	}
	var changed []runtime.Object
	for _, object := range objects {
		if g.number(0, 3, "kept") > 0 {
			changed = append(changed, object)
			continue
		}
		if object = g.edit(object); object != nil {
			changed = append(changed, object)
		}
	}
	if g.flag("new") {
		changed = append(append(changed, g.service("new")...), g.peer("spine"))
	}
	return [][]runtime.Object{changed}
}

// edit an object; nil: it is deleted.
func (g *generator) edit(object runtime.Object) runtime.Object {
	stays := func() bool { return g.flag("stays") }
	switch o := object.(type) {
	case *corev1.Node:
		node := o.DeepCopy()
		node.Labels["zone"] = g.zone()
		node.Labels[corev1.LabelTopologyZone] = node.Labels["zone"]
		return node
	case *v1beta1.IPAddressPool:
		if !stays() {
			return nil
		}
		pool := g.pool(o.Name)
		pool.ObjectMeta = o.ObjectMeta
		return pool
	case *v1beta1.L2Advertisement:
		if !stays() {
			return nil
		}
		by := g.l2Advertisement(o.Name, o.Spec.IPAddressPools[0])
		by.ObjectMeta = o.ObjectMeta
		return by
	case *v1beta1.BGPPeer:
		if !stays() {
			return nil
		}
		peer := g.peer(o.Name)
		peer.ObjectMeta = o.ObjectMeta
		return peer
	case *v1beta1.BGPAdvertisement:
		return g.bgpAdvertisement(o.Name)
	case *corev1.Service:
		s := o.DeepCopy()
		s.Spec.ExternalTrafficPolicy, s.Spec.HealthCheckNodePort = corev1.ServiceExternalTrafficPolicyLocal, 30000
		s.Spec.SessionAffinity = oneOf(g, "affinity", corev1.ServiceAffinityNone, corev1.ServiceAffinityClientIP)
		return s
	default:
		return object
	}
}
