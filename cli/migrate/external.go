package migrate

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/cli/source"
	"github.com/daymark-lb/daymark/internal/core/cluster"
	"github.com/daymark-lb/daymark/internal/core/lb"
)

// external is the conversion of spec.externalIPs.
type external struct {
	*set
	parsed   *cluster.Objects
	services map[lb.Key]*corev1.Service
	// users of each address, in order.
	users map[netip.Addr][]*lb.Service
}

// externalPool is the name of the pool, or of the first of several.
const externalPool = "external-ips"

// maxPoolRanges is how many ranges a pool may have.
const maxPoolRanges = 256

// External makes pools of the addresses in spec.externalIPs of Services that no pool among the objects contains, and a reservation for
// each Service; remarks have the commands by which the Service asks for them. An address of a Node among the objects is named. It returns
// the pools among the objects as well.
func External(objects []unstructured.Unstructured) (result *Result, pools []runtime.Object, err error) {
	typed, err := typedOf(objects)
	if err != nil {
		return nil, nil, err
	}
	x := &external{
		set: &set{result: &Result{}}, parsed: cluster.Parse(typed), services: map[lb.Key]*corev1.Service{}, users: map[netip.Addr][]*lb.Service{},
	}
	for _, o := range typed {
		switch o := o.(type) {
		case *corev1.Service:
			x.services[lb.Key{Namespace: o.Namespace, Name: o.Name}] = o
		case *v1beta1.IPAddressPool:
			pools = append(pools, o)
		}
	}
	slices.SortFunc(x.parsed.Services, func(a, b *lb.Service) int { return a.Key.Compare(b.Key) })
	usable := map[*lb.Service][]netip.Addr{}
	for _, s := range x.parsed.Services {
		usable[s] = x.usable(s)
		for _, addr := range usable[s] {
			x.users[addr] = append(x.users[addr], s)
		}
	}
	x.pools()
	for _, s := range x.parsed.Services {
		if len(usable[s]) > 0 {
			x.reserve(s, usable[s])
		}
	}
	return x.result, pools, nil
}

// typedOf are the objects that matter, as Go types.
func typedOf(objects []unstructured.Unstructured) (all []runtime.Object, err error) {
	for i := range objects {
		switch objects[i].GetKind() {
		case "Service", "Node", "Namespace", v1beta1.GroupVersion.WithKind("IPAddressPool").Kind:
		default:
			continue
		}
		into, err := source.Scheme.New(objects[i].GroupVersionKind())
		if err != nil {
			continue // MetalLB's pool, for one
		}
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(objects[i].Object, into); err != nil {
			return nil, fmt.Errorf("read %s: %w", describe(&objects[i]), err)
		}
		all = append(all, into)
	}
	return all, nil
}

// usable addresses in spec.externalIPs of a Service: those that it can be given.
func (x *external) usable(s *lb.Service) (usable []netip.Addr) {
	raw := x.services[s.Key]
	remark := func(text string, args ...any) {
		x.result.Remarks = append(x.result.Remarks, Remark{"Service " + s.Key.String(), "spec.externalIPs", fmt.Sprintf(text, args...)})
	}
	switch {
	case len(raw.Spec.ExternalIPs) == 0:
		return nil
	case raw.Spec.Type == corev1.ServiceTypeExternalName || raw.Spec.ClusterIP == corev1.ClusterIPNone:
		remark("left out: no service proxy heeds it on a Service without a cluster IP. Remove it")
		return nil
	case s.Class != "" && s.Class != v1beta1.LoadBalancerClass || s.HandedOver():
		remark("left out: the Service is another provider's")
		return nil
	}
	if n := len(raw.Spec.ExternalIPs); n > lb.MaxExternalIPs {
		remark("%d of %d are left out: Daymark reads no more than %d", n-lb.MaxExternalIPs, n, lb.MaxExternalIPs)
	}
	for _, addr := range s.ExternalIPs {
		switch node := x.nodeWith(addr); {
		case node != "":
			remark("%s is left out: it is an address of node %s, which Daymark gives to no Service. Use a hostPort, a NodePort, or another address", addr, node)
		case !slices.Contains(s.Families, lb.FamilyOf(addr)):
			remark("%s is left out: the Service has no %s. Set spec.ipFamilyPolicy to PreferDualStack first", addr, lb.FamilyOf(addr))
		default:
			usable = append(usable, addr)
		}
	}
	return usable
}

func (x *external) nodeWith(addr netip.Addr) string {
	for _, n := range x.parsed.Nodes {
		if slices.Contains(n.AllAddresses(), addr) {
			return n.Name
		}
	}
	return ""
}

// pools for the addresses that none contains yet.
func (x *external) pools() {
	var ranges []lb.Range
	for addr := range x.users {
		if x.parsed.Pools.Containing(addr) == nil {
			ranges = append(ranges, lb.Range{From: addr, To: addr})
		}
	}
	exists := func(name string) bool {
		return slices.ContainsFunc(x.parsed.Pools.ByAge(), func(p *lb.Pool) bool { return p.Name == name })
	}
	number := 1
	for part := range slices.Chunk(lb.Merge(ranges), maxPoolRanges) {
		name := externalPool
		for number > 1 && name == externalPool || exists(name) {
			name = fmt.Sprintf("%s-%d", externalPool, number)
			number++
		}
		number = max(number, 2)
		var texts []any
		for _, r := range part {
			texts = append(texts, r.String())
		}
		x.add("IPAddressPool", name, "spec.externalIPs", map[string]any{"addresses": texts, "autoAssign": false},
			"nothing announces it: make an L2Advertisement or a BGPAdvertisement for it when Daymark is to lead the traffic here, and take away "+
				"what does so now (keepalived, a route)")
	}
}

// add an object of ours.
func (x *external) add(kind, name, from string, spec map[string]any, remarks ...string) {
	item := Item{From: from}
	item.Object.SetUnstructuredContent(map[string]any{"spec": spec})
	item.Object.SetAPIVersion(v1beta1.GroupVersion.String())
	item.Object.SetKind(kind)
	item.Object.SetName(name)
	for _, text := range remarks {
		item.Remarks = append(item.Remarks, Remark{Object: kind + " " + name, Text: text})
	}
	x.result.Items = append(x.result.Items, item)
}

// reserve the addresses of a Service, and say how it asks for them. An address that several use is reserved for none, and they share it.
func (x *external) reserve(s *lb.Service, addresses []netip.Addr) {
	var alone []any
	var with []*lb.Service
	for _, addr := range addresses {
		if len(x.users[addr]) == 1 {
			alone = append(alone, addr.String())
			continue
		}
		for _, other := range x.users[addr] {
			if other != s && !slices.Contains(with, other) {
				with = append(with, other)
			}
		}
	}
	if len(alone) > 0 {
		x.add("IPReservation", s.Key.Namespace+"."+s.Key.Name, "Service "+s.Key.String(), map[string]any{
			"addresses": alone, "serviceRef": map[string]any{"namespace": s.Key.Namespace, "name": s.Key.Name},
		})
	}
	text := "then: " + patchOf(s, x.wish(s, addresses, with))
	if len(with) > 0 {
		var names []string
		for _, other := range with {
			names = append(names, other.Key.String())
		}
		text += ", at once with " + strings.Join(names, ", ") + ", which has the same address"
	} else {
		text += "; and when Daymark announces it: " + patchOf(s, map[string]any{"spec": map[string]any{"externalIPs": x.leftOut(s, addresses)}})
	}
	x.result.Remarks = append(x.result.Remarks, Remark{Object: "Service " + s.Key.String(), Text: text})
}

// wish is what is to be written to a Service so that it asks for its addresses, and keeps those that it has. While it asks alone it keeps
// externalIPs, so that traffic never stops; Daymark gives an address to nobody while two Services have it there.
func (x *external) wish(s *lb.Service, addresses []netip.Addr, with []*lb.Service) map[string]any {
	raw := x.services[s.Key]
	wanted := slices.Clone(s.Ingress)
	for _, addr := range addresses {
		if !slices.Contains(wanted, addr) {
			wanted = append(wanted, addr)
		}
	}
	annotations := map[string]any{v1beta1.AnnotationLoadBalancerIPs: strings.Join(lb.Strings(wanted), ",")}
	spec := map[string]any{"type": string(corev1.ServiceTypeLoadBalancer)}
	if raw.Spec.Type == "" || raw.Spec.Type == corev1.ServiceTypeClusterIP {
		spec["allocateLoadBalancerNodePorts"] = false
	}
	if len(with) > 0 {
		spec["externalIPs"] = x.leftOut(s, addresses)
		annotations[v1beta1.AnnotationAllowSharedIP] = externalPool
		var namespaces []string
		for _, other := range with {
			if other.Key.Namespace != s.Key.Namespace && !slices.Contains(namespaces, other.Key.Namespace) {
				namespaces = append(namespaces, other.Key.Namespace)
			}
		}
		if len(namespaces) > 0 {
			annotations[v1beta1.AnnotationSharedIPNamespaces] = strings.Join(namespaces, ",")
		}
	}
	return map[string]any{"metadata": map[string]any{"annotations": annotations}, "spec": spec}
}

// leftOut are the addresses that stay in spec.externalIPs, since the Service is not given them; nil: none, so that the field goes.
func (x *external) leftOut(s *lb.Service, addresses []netip.Addr) (left []string) {
	for _, text := range x.services[s.Key].Spec.ExternalIPs {
		if addr, err := netip.ParseAddr(text); err == nil && !slices.Contains(addresses, addr.Unmap()) {
			left = append(left, addr.String())
		}
	}
	return left
}

// patchOf a Service as a command. Names stand in it as dnsName has them, so that those of a stranger's file cannot be more than names.
func patchOf(s *lb.Service, body map[string]any) string {
	text, err := json.Marshal(body)
	if err != nil {
		panic(err) // cannot be, of maps and texts
	}
	return fmt.Sprintf("kubectl patch service %s -n %s --type=merge -p '%s'", dnsName(s.Key.Name), dnsName(s.Key.Namespace), text)
}
