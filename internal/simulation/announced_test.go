package simulation

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/core/lb"
)

// valuesOf are the objects of a kind, in order.
func valuesOf[T client.Object](o objects) (all []T) {
	var example T
	for _, object := range o[kindOf(example)] { // order does not matter: they are sorted
		all = append(all, object.(T))
	}
	slices.SortFunc(all, func(a, b T) int {
		return cmp.Or(strings.Compare(a.GetNamespace(), b.GetNamespace()), strings.Compare(a.GetName(), b.GetName()))
	})
	return all
}

// selected reports whether one of some selectors matches labels. None selects all.
func selected(selectors []v1beta1.LabelSelector, labels map[string]string) bool {
	return len(selectors) == 0 || slices.ContainsFunc(selectors, func(s v1beta1.LabelSelector) bool {
		for key, value := range s.MatchLabels { // order does not matter: all must match
			if labels[key] != string(value) {
				return false
			}
		}
		return true
	})
}

// attracts reports whether a node may attract packets at all.
func (o objects) attracts(node string) (*corev1.Node, bool) {
	n, found := o["Node"][client.ObjectKey{Name: node}].(*corev1.Node)
	if !found {
		return nil, false
	}
	_, excluded := n.Labels[corev1.LabelNodeExcludeBalancers]
	return n, !excluded && n.Annotations[v1beta1.AnnotationDrain] != "true"
}

// vip is an address of a Service, with the pool that it is of.
type vip struct {
	service *corev1.Service
	addr    netip.Addr
	pool    string
}

// vips are the addresses of the Services that Daymark serves.
func (o objects) vips() (list []vip) {
	for _, s := range valuesOf[*corev1.Service](o) {
		provenance := lb.ParseProvenance(s.Status.Conditions)
		if !ours(s) || provenance.Withdrawing {
			continue
		}
		for _, addr := range shown(s) {
			if pool, found := o.poolOf(s, addr); found {
				list = append(list, vip{s, addr, pool})
			}
		}
	}
	return list
}

// poolOf is the pool that an address of a Service is of: the one that gave it, also when that is gone, or else the oldest one that has it.
func (o objects) poolOf(s *corev1.Service, addr netip.Addr) (name string, found bool) {
	gave := poolOf(s, addr)
	if gave == "" {
		return "", false // Somebody else gave it.
	}
	var has []*v1beta1.IPAddressPool
	for _, p := range valuesOf[*v1beta1.IPAddressPool](o) {
		if lb.ParsePool(p).Contains(addr) {
			has = append(has, p)
		}
	}
	slices.SortStableFunc(has, func(a, b *v1beta1.IPAddressPool) int {
		return a.CreationTimestamp.Compare(b.CreationTimestamp.Time)
	})
	_, exists := o["IPAddressPool"][client.ObjectKey{Name: gave}]
	switch {
	case !exists, slices.ContainsFunc(has, func(p *v1beta1.IPAddressPool) bool { return p.Name == gave }):
		return gave, true
	case len(has) > 0:
		return has[0].Name, true
	}
	return "", false
}

// serves reports whether a node can serve an address: somewhere an endpoint is ready, or on the node if it must be there.
func (o objects) serves(node string, v vip) bool {
	family := discoveryv1.AddressTypeIPv4
	if v.addr.Is6() {
		family = discoveryv1.AddressTypeIPv6
	}
	for _, slice := range valuesOf[*discoveryv1.EndpointSlice](o) {
		if slice.Namespace != v.service.Namespace || slice.Labels[discoveryv1.LabelServiceName] != v.service.Name || slice.AddressType != family {
			continue
		}
		for i := range slice.Endpoints {
			e := &slice.Endpoints[i]
			here := v.service.Spec.ExternalTrafficPolicy != corev1.ServiceExternalTrafficPolicyLocal || *e.NodeName == node
			if *e.Conditions.Ready && here {
				return true
			}
		}
	}
	return false
}

// mayHold reports whether a node may answer for an address by layer 2, for one of the Services that have it, and for all of them.
func (o objects) mayHold(node string, addr netip.Addr) (one, all bool) {
	n, attracts := o.attracts(node)
	if !attracts {
		return false, false
	}
	all = true
	for _, v := range o.vips() {
		if v.addr != addr {
			continue
		}
		may := o.serves(node, v) && slices.ContainsFunc(valuesOf[*v1beta1.L2Advertisement](o), func(by *v1beta1.L2Advertisement) bool {
			return selected(by.Spec.NodeSelectors, n.Labels)
		})
		one, all = one || may, all && may
	}
	return one, one && all
}

// routes are those that the objects ask a node to tell the routers of each BGPPeer.
func (o objects) routes(node string) map[string]map[netip.Prefix]bool {
	wanted := map[string]map[netip.Prefix]bool{}
	n, attracts := o.attracts(node)
	if n == nil {
		return wanted
	}
	vips := o.vips()
	for _, peer := range valuesOf[*v1beta1.BGPPeer](o) {
		if !selected(o.nodesOf(peer), n.Labels) {
			continue
		}
		wanted[peer.Name] = map[netip.Prefix]bool{}
		for _, by := range valuesOf[*v1beta1.BGPAdvertisement](o) {
			pools, peers := o.named(by)
			if !attracts || !selected(by.Spec.NodeSelectors, n.Labels) || len(peers) > 0 && !slices.Contains(peers, peer.Name) {
				continue
			}
			for _, v := range vips {
				if (len(pools) == 0 || slices.Contains(pools, v.pool)) && o.serves(node, v) {
					wanted[peer.Name][prefixOf(v.addr, &by.Spec)] = true
				}
			}
		}
	}
	return wanted
}

// nodesOf are the nodeSelectors of a BGPPeer. An edit after which they match no node at all, which may be a mistake, does not count.
func (o objects) nodesOf(peer *v1beta1.BGPPeer) []v1beta1.LabelSelector {
	some := func(selectors []v1beta1.LabelSelector) bool {
		return slices.ContainsFunc(valuesOf[*corev1.Node](o), func(n *corev1.Node) bool { return selected(selectors, n.Labels) })
	}
	before := peer.Status.Accepted
	if before != nil && before.Generation != peer.Generation && !some(peer.Spec.NodeSelectors) && some(before.Spec.NodeSelectors) {
		return before.Spec.NodeSelectors
	}
	return peer.Spec.NodeSelectors
}

// named are the pools and peers of an advertisement; none: all. While it names one that does not exist and that it did not name before,
// which may be a typing error, those that the controller accepted before count, too.
func (o objects) named(by *v1beta1.BGPAdvertisement) (pools, peers []string) {
	names := func(kind string, now, before []string) []string {
		if !slices.ContainsFunc(now, func(name string) bool {
			return o[kind][client.ObjectKey{Name: name}] == nil && !slices.Contains(before, name)
		}) {
			return now
		}
		if len(before) == 0 {
			return nil
		}
		return slices.Concat(before, now)
	}
	pools, peers = by.Spec.IPAddressPools, by.Spec.Peers
	if before := by.Status.Accepted; before != nil {
		pools, peers = names("IPAddressPool", pools, before.Spec.IPAddressPools), names("BGPPeer", peers, before.Spec.Peers)
	}
	return pools, peers
}

// prefixOf an address by which it is announced.
func prefixOf(addr netip.Addr, by *v1beta1.BGPAdvertisementSpec) netip.Prefix {
	bits := addr.BitLen()
	if length := by.AggregationLength; addr.Is4() && length != nil {
		bits = int(*length)
	}
	prefix, _ := addr.Prefix(bits)
	return prefix
}

// actsWithin is how long after it was told something a speaker may act on what was before.
const actsWithin = 5 * time.Second

// routes judges what a process tells a router in the place of what it, or the process before it, told before: all that it takes away the
// objects that it has been told of must not ask for, and all that it adds they must. What it has not been told is no reason, and
// neither is that it has read nothing of a kind yet.
func (j *judge) routes(p *process, node, peer string, before, after map[netip.Prefix]bool) {
	var wrong []string
	lost := missing(before, after)
	for _, prefix := range lost {
		if !p.sight.within(actsWithin, func(o objects) bool { return o.complete() && !o.routes(node)[peer][prefix] }) {
			wrong = append(wrong, fmt.Sprintf("withdraws %s from %s, and nothing that it has read asks for it", prefix, peer))
		}
	}
	gained := missing(after, before)
	for _, prefix := range gained {
		if !p.sight.within(actsWithin, func(o objects) bool { return o.routes(node)[peer][prefix] }) {
			wrong = append(wrong, fmt.Sprintf("announces %s to %s, and nothing that it has read asks for it", prefix, peer))
		}
	}
	if len(lost)+len(gained) > 0 {
		j.note("%s tells %s %v and no more %v", p.id, peer, gained, lost)
	}
	j.server.mu.Lock()
	defer j.server.mu.Unlock()
	j.announced += len(gained)
	j.withdrawn += len(lost)
	for _, what := range wrong {
		j.violate("%s %s", p.id, what)
	}
}

// took judges that a node begins to answer for an address: objects that it has been told of must allow it.
func (j *judge) took(p *process, node string, addr netip.Addr) {
	if !p.sight.within(actsWithin, func(o objects) bool {
		one, _ := o.mayHold(node, addr)
		return one
	}) {
		j.condemn("%s answers for %s, and nothing that it has read asks for it", p.id, addr)
	}
}

// gaveUp judges that a node answers for an address no more: it leaves it to another one, or is told to end, or objects that it has been told
// of do not let it hold it for one of the Services that have it.
func (j *judge) gaveUp(p *process, node string, addr netip.Addr, to string) {
	if to == "" && !p.leaving.Load() && !p.sight.within(actsWithin, func(o objects) bool {
		_, all := o.mayHold(node, addr)
		return o.complete() && !all
	}) {
		j.condemn("%s does not answer for %s any more, leaves it to nobody, and nothing that it has read asks for it", p.id, addr)
	}
}

// condemn is violate for who does not hold the server's lock.
func (j *judge) condemn(format string, args ...any) {
	j.server.mu.Lock()
	defer j.server.mu.Unlock()
	j.violate(format, args...)
}

// missing are those of some prefixes that others do not have, in order.
func missing(from, in map[netip.Prefix]bool) (list []netip.Prefix) {
	for prefix := range from { // order does not matter: they are sorted
		if !in[prefix] {
			list = append(list, prefix)
		}
	}
	slices.SortFunc(list, netip.Prefix.Compare)
	return list
}

// reportsEvery is the shortest time between two writes of the status of one object by one speaker.
const reportsEvery = time.Second

// reports judges how often a process sends the status of an object.
func (j *judge) reports(p *process, object client.Object) {
	if p.node == "" {
		return
	}
	name := p.id + " " + kindOf(object) + " " + object.GetName()
	if last, sent := j.reported[name]; sent && time.Since(last) < reportsEvery {
		j.violate("%s sends the status of %s %s after that of %s before", p.id, kindOf(object), object.GetName(), time.Since(last))
	}
	j.reported[name] = time.Now()
}
