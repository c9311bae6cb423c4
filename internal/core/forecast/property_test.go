package forecast

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"pgregory.net/rapid"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/core/announce"
	"github.com/daymark-lb/daymark/internal/core/election"
	"github.com/daymark-lb/daymark/internal/core/lb"
)

// TestOutcome_IsWhatTheProgramsComeTo: in random clusters at rest something changes. What was forecast before has come true when the
// controller and the speakers are at rest again: addresses, holders, routes.
func TestOutcome_IsWhatTheProgramsComeTo(t *testing.T) {
	changed := 0
	rapid.Check(t, func(t *rapid.T) {
		g := &generator{t, time.Unix(1_700_000_000, 0)}
		r := &reality{
			random: rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0)), now: g.now.Add(time.Hour), links: map[string][]lb.Link{},
			speakers: map[string]*speaker{}, claims: election.Claims{},
		}
		whole := g.cluster(r.links)
		r.objects = Drain(whole, []string{"n0", "n1"})[1] // so that what is held has a history
		r.rest()
		r.objects = withStatuses(whole, r.objects)
		r.rest()
		r.report()
		r.rest() // now that there are sessions
		r.report()

		before := Start(r.objects, r.now, settings)
		after, steps := before, g.change(r.objects)
		for _, step := range steps {
			after = after.Next(step)
		}
		if changes, _ := Compare(before, before.Next(r.objects)); len(changes) > 0 {
			t.Fatalf("without a change there is %+v", changes)
		}
		if changes, _ := Compare(before, after); len(changes) > 0 {
			changed++
		}
		for _, step := range steps {
			r.objects = withStatuses(step, r.objects)
			r.rest()
		}
		r.compare(t, before, after)
		r.compareLater(t, before, after)
	})
	if changed < 20 {
		t.Errorf("the change has had an effect %d times", changed)
	}
}

// withStatuses are objects of a step, with what has been written into Services by now.
func withStatuses(step, by []runtime.Object) (objects []runtime.Object) {
	now := &reality{objects: by}
	for _, object := range step {
		object = object.DeepCopyObject()
		if s, ok := object.(*corev1.Service); ok {
			if has := now.find(lb.Key{Namespace: s.Namespace, Name: s.Name}); has != nil {
				s.Status = has.Status
			}
		}
		objects = append(objects, object)
	}
	return objects
}

func (r *reality) compare(t *rapid.T, before, forecast *Outcome) {
	for _, s := range forecast.objects.Services {
		var shown []string
		for _, entry := range r.find(s.Key).Status.LoadBalancer.Ingress {
			shown = append(shown, entry.IP)
		}
		if !slices.Equal(shown, lb.Strings(s.Ingress)) {
			t.Fatalf("%s was to have %v, and has %v", s.Key, s.Ingress, shown)
		}
	}
	r.compareHolders(t, before, forecast)
	r.compareRoutes(t, forecast)
	for name, speaker := range r.speakers {
		for peer, sent := range speaker.paths {
			got, want := inWords(sent), inWords(forecast.nodes()[name].peers[peer].list)
			if !maps.Equal(got, want) {
				t.Fatalf("%s was to send %s %v, and sends %v", name, peer, want, got)
			}
		}
	}
}

// inWords are the attributes of paths by prefix.
func inWords(paths []announce.Path) map[netip.Prefix]string {
	words := make(map[netip.Prefix]string, len(paths))
	for _, path := range paths {
		words[path.Prefix] = attributesText(path.Attributes)
	}
	return words
}

// compareHolders compares who holds what. The controller writes Services one after another, and nodes decide as they learn of it: when
// addresses are given or taken, it is certain of each that is new or loses its holder then that a node holds it, and not which.
func (r *reality) compareHolders(t *rapid.T, before, forecast *Outcome) {
	had, has := before.owners(), forecast.owners()
	rewritten := !maps.Equal(had, has)
	holders, foreseen := map[netip.Addr]string{}, map[netip.Addr]string{}
	for name, speaker := range r.speakers {
		for _, addr := range speaker.holds {
			holders[addr] += name
		}
	}
	for addr, holder := range forecast.holders {
		_, one := r.speakers[holders[addr]]
		switch {
		case rewritten && one && (had[addr] != has[addr] || holder.atOnce != before.holders[addr].atOnce) && holder.atOnce != "":
			foreseen[addr] = holders[addr]
		case holder.atOnce != "":
			foreseen[addr] = holder.atOnce
		}
	}
	if !maps.Equal(holders, foreseen) {
		t.Fatalf("holders were to be %v, and are %v", foreseen, holders)
	}
	for addr, holder := range forecast.holders {
		got, want := r.answering(addr), holder.answering(false)
		if certain := !rewritten || had[addr] == has[addr] && holder.table.Shared(); certain && !maps.Equal(got, want) {
			t.Fatalf("the clients of %s were to be divided as %v, and are as %v", addr, want, got)
		}
	}
}

// compareLater compares who holds what when the spread has been evened out: of nodes that are equal how many each holds. Where addresses were
// given or taken it began with other holders.
func (r *reality) compareLater(t *rapid.T, before, forecast *Outcome) {
	if !maps.Equal(before.owners(), forecast.owners()) {
		return
	}
	r.evenOut()
	got, want := map[string]int{}, map[string]int{}
	for addr, holder := range forecast.holders {
		if divided, foreseen := r.answering(addr), holder.answering(true); (holder.laterTable.Shared() || len(divided) > 1) && !maps.Equal(divided, foreseen) {
			t.Fatalf("later the clients of %s were to be divided as %v, and are as %v", addr, foreseen, divided)
		}
		want[holder.later]++
	}
	delete(want, "")
	for name, speaker := range r.speakers {
		if n := len(speaker.holds); n > 0 {
			got[name] = n
		}
	}
	if !maps.Equal(got, want) {
		t.Fatalf("later nodes were to hold %v, and hold %v", want, got)
	}
}

// owners are the Services of each address.
func (o *Outcome) owners() map[netip.Addr]string {
	owners := map[netip.Addr]string{}
	for _, s := range o.objects.Services {
		for _, addr := range s.Ingress {
			owners[addr] += s.Key.String() + " "
		}
	}
	return owners
}

// compareRoutes compares which nodes the routers are told of, and on which health checks succeed.
func (r *reality) compareRoutes(t *rapid.T, forecast *Outcome) {
	for _, s := range forecast.objects.Services {
		var healthy []string
		for _, name := range slices.Sorted(maps.Keys(r.speakers)) {
			if r.speakers[name].healthy[s.Key] {
				healthy = append(healthy, name)
			}
		}
		if want := forecast.healthy(s.Key); !slices.Equal(healthy, want) {
			t.Fatalf("%s was to be healthy on %v, and is on %v", s.Key, want, healthy)
		}
		for _, addr := range s.Ingress {
			answers, told := forecast.explainer.Answer(s, addr, nil), map[string]bool{}
			for name, speaker := range r.speakers {
				for _, sent := range speaker.paths {
					if slices.ContainsFunc(sent, func(p announce.Path) bool { return p.Prefix.Contains(addr) }) {
						told[name] = true
					}
				}
			}
			want := nodesOf(forecast.routes(&answers))
			if got := slices.Sorted(maps.Keys(told)); !slices.Equal(got, want) {
				t.Fatalf("routers were to be told of %s by %v, and are by %v", addr, want, got)
			}
		}
	}
}

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

// cluster of some nodes, which have a second interface or not, and Services.
func (g *generator) cluster(links map[string][]lb.Link) (objects []runtime.Object) {
	for i := range g.number(1, 5, "nodes") {
		name := fmt.Sprintf("n%d", i)
		node := &corev1.Node{ObjectMeta: g.meta(name)}
		node.Labels = map[string]string{"zone": g.zone()}
		node.Status.Conditions = []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue}}
		address := fmt.Sprintf("192.0.2.%d", 10+i)
		node.Status.Addresses = []corev1.NodeAddress{{Type: corev1.NodeInternalIP, Address: address}}
		of := &v1beta1.Speaker{ObjectMeta: g.meta(name)}
		of.Status.Conditions = []metav1.Condition{{Type: v1beta1.ConditionMembershipKnown, Status: metav1.ConditionTrue}}
		of.Status.Network.Addresses = []string{address + "/24"}
		links[name] = []lb.Link{{Name: "eth0", Up: true, Addresses: []netip.Prefix{netip.MustParsePrefix(address + "/24")}}}
		if second := fmt.Sprintf("198.51.100.%d/24", 10+i); g.flag("second interface") {
			of.Status.Network.Addresses = append(of.Status.Network.Addresses, second)
			links[name] = append(links[name], lb.Link{Name: "eth1", Up: true, Addresses: []netip.Prefix{netip.MustParsePrefix(second)}})
		}
		for _, link := range links[name] {
			reported := v1beta1.NodeInterface{Name: link.Name, Families: []v1beta1.AddressFamily{v1beta1.IPv4}}
			of.Status.Network.Interfaces = append(of.Status.Network.Interfaces, reported)
		}
		objects = append(objects, node, of)
	}
	for _, name := range []string{"lan", "side", "wan"} {
		objects = append(objects, g.pool(name))
	}
	for _, pool := range []string{"lan", "side"} {
		by := &v1beta1.L2Advertisement{ObjectMeta: g.meta(pool)}
		by.Spec.IPAddressPools, by.Spec.NodeSelectors = []string{pool}, g.selectors()
		by.Spec.Sharing = rapid.SampledFrom([]v1beta1.Sharing{v1beta1.SharingNone, v1beta1.SharingPerClient}).Draw(g.T, "sharing")
		objects = append(objects, by)
	}
	for i := range g.number(0, 8, "services") {
		objects = append(objects, g.service(fmt.Sprintf("s%d", i))...)
	}
	return append(objects, g.advertisement(), g.peer("tor"))
}

func (g *generator) zone() string { return rapid.SampledFrom([]string{"a", "b"}).Draw(g.T, "zone") }

func (g *generator) selectors() []v1beta1.LabelSelector {
	if g.flag("all nodes") {
		return nil
	}
	return []v1beta1.LabelSelector{{MatchLabels: map[string]v1beta1.LabelValue{"zone": v1beta1.LabelValue(g.zone())}}}
}

func (g *generator) pool(name string) *v1beta1.IPAddressPool {
	pool := &v1beta1.IPAddressPool{ObjectMeta: g.meta(name)}
	prefix := map[string]string{"lan": "192.0.2.", "side": "198.51.100.", "wan": "203.0.113."}[name]
	from := g.number(200, 204, "from")
	pool.Spec.Addresses = []v1beta1.AddressRange{v1beta1.AddressRange(fmt.Sprintf("%s%d-%s%d", prefix, from, prefix, from+g.number(0, 3, "size")))}
	return pool
}

func (g *generator) advertisement() *v1beta1.BGPAdvertisement {
	by := &v1beta1.BGPAdvertisement{ObjectMeta: g.meta("wan")}
	by.Spec.IPAddressPools, by.Spec.NodeSelectors = []string{"wan"}, g.selectors()
	by.Spec.MED = new(int64(g.number(0, 1, "med")))
	return by
}

func (g *generator) peer(name string) *v1beta1.BGPPeer {
	peer := &v1beta1.BGPPeer{ObjectMeta: g.meta(name)}
	peer.Spec.MyASN, peer.Spec.PeerASN, peer.Spec.PeerAddress = 64512, new(int64(64513)), "192.0.2.1"
	peer.Spec.NodeSelectors = g.selectors()
	return peer
}

func (g *generator) service(name string) []runtime.Object {
	s := &corev1.Service{ObjectMeta: g.meta(name)}
	s.Namespace, s.Spec.Type = "default", corev1.ServiceTypeLoadBalancer
	s.Spec.IPFamilies = []corev1.IPFamily{corev1.IPv4Protocol}
	s.Spec.Ports = []corev1.ServicePort{{Port: 80, Protocol: corev1.ProtocolTCP}}
	if pool := rapid.SampledFrom([]string{"", "lan", "side", "wan"}).Draw(g.T, "pool"); pool != "" {
		s.Annotations = map[string]string{v1beta1.AnnotationAddressPool: pool}
	}
	if g.flag("local") {
		s.Spec.ExternalTrafficPolicy, s.Spec.HealthCheckNodePort = corev1.ServiceExternalTrafficPolicyLocal, 30000
	}
	slice := &discoveryv1.EndpointSlice{ObjectMeta: g.meta(name), AddressType: discoveryv1.AddressTypeIPv4}
	slice.Namespace, slice.Labels = "default", map[string]string{discoveryv1.LabelServiceName: name}
	for i := range g.number(0, 3, "endpoints") {
		node := fmt.Sprintf("n%d", g.number(0, 4, "endpoint's node"))
		slice.Endpoints = append(slice.Endpoints, discoveryv1.Endpoint{Addresses: []string{fmt.Sprintf("10.0.0.%d", i)}, NodeName: &node})
	}
	return []runtime.Object{s, slice}
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
		switch o := object.(type) {
		case *corev1.Node:
			node := o.DeepCopy()
			node.Labels["zone"] = g.zone()
			changed = append(changed, node)
		case *v1beta1.IPAddressPool:
			if g.flag("stays") {
				pool := g.pool(o.Name)
				pool.ObjectMeta = o.ObjectMeta
				changed = append(changed, pool)
			}
		case *v1beta1.L2Advertisement:
			if g.flag("stays") {
				by := o.DeepCopy()
				by.Spec.NodeSelectors = g.selectors()
				by.Spec.Sharing = rapid.SampledFrom([]v1beta1.Sharing{v1beta1.SharingNone, v1beta1.SharingPerClient}).Draw(g.T, "sharing")
				changed = append(changed, by)
			}
		case *v1beta1.BGPPeer:
		case *v1beta1.BGPAdvertisement:
			changed = append(changed, g.advertisement())
		case *corev1.Service:
			s := o.DeepCopy()
			s.Spec.ExternalTrafficPolicy = corev1.ServiceExternalTrafficPolicyLocal
			changed = append(changed, s)
		default:
			changed = append(changed, object)
		}
	}
	if g.flag("new") {
		changed = append(append(changed, g.service("new")...), g.peer("spine"))
	}
	return [][]runtime.Object{changed}
}
