package ipam

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	"pgregory.net/rapid"

	"github.com/daymark-lb/daymark/internal/core/lb"
)

var (
	historyFamilies = [][]lb.Family{{lb.IPv4}, {lb.IPv6}, {lb.IPv4, lb.IPv6}, {lb.IPv6, lb.IPv4}}
	historyRanges   = []string{"192.0.2.0-192.0.2.3", "192.0.2.2-192.0.2.5", "192.0.2.254-192.0.3.1", "2001:db8::/126", "2001:db8::2-2001:db8::5", "192.0.2.1"}
	historySpaces   = []string{"red", "blue"}
)

// historyForged are Services as they are read with what a tenant may write into the annotations: nothing, the name of a pool,
// and more than the bounds allow.
var historyForged = func() (list []*lb.Service) {
	for _, annotations := range []map[string]string{
		nil,
		{"daymark.io/pool": "p2", "daymark.io/last-addresses": "192.0.2.5"},
		{"daymark.io/load-balancer-ips": strings.Repeat("192.0.2.1,", 25_000)},
		{"daymark.io/address-pool": strings.Repeat("p1,p2,", 40_000)},
		{"daymark.io/allow-shared-ip": strings.Repeat("key", 80_000), "daymark.io/last-addresses": strings.Repeat("192.0.2.1,", 25_000)},
	} {
		from := &corev1.Service{Spec: corev1.ServiceSpec{Type: corev1.ServiceTypeLoadBalancer}}
		from.Annotations = annotations
		list = append(list, lb.ParseService(from))
	}
	return list
}()

func (h *history) addr(label string) netip.Addr {
	return rapid.SampledFrom([]netip.Addr{
		netip.MustParseAddr("192.0.2.0"), netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.3"), netip.MustParseAddr("192.0.2.5"),
		netip.MustParseAddr("192.0.2.255"), netip.MustParseAddr("2001:db8::"), netip.MustParseAddr("2001:db8::3"), netip.MustParseAddr("203.0.113.1"),
	}).Draw(h.t, label)
}

func (h *history) ranges(label string) []lb.Range {
	var ranges []lb.Range
	for _, text := range rapid.SliceOfNDistinct(rapid.SampledFrom(historyRanges), 1, 3, rapid.ID).Draw(h.t, label) {
		r, err := lb.ParseRange(text)
		if err != nil {
			h.t.Fatal(err)
		}
		ranges = append(ranges, r)
	}
	return lb.Merge(ranges)
}

func (h *history) flag(label string) bool { return rapid.IntRange(0, 3).Draw(h.t, label) == 0 }

// edit makes one random change.
func (h *history) edit() {
	h.now = h.now.Add(time.Second)
	if h.flag("a long time passes") && h.flag("and it is very long") {
		h.now = h.now.Add(WithdrawLimit)
	}
	switch kind := rapid.IntRange(0, 11).Draw(h.t, "edit"); {
	case kind <= 3 || len(h.services) == 0:
		h.services = append(h.services, h.newService())
	case kind == 4:
		h.deleteService(h.pick(len(h.services)))
	case kind == 5:
		i := h.pick(len(h.services))
		changed := h.newService()
		before := h.services[i]
		changed.Key, changed.UID, changed.Created, changed.Ingress, changed.Provenance = before.Key, before.UID, before.Created, before.Ingress, before.Provenance
		changed.Finalizer = before.Finalizer && before.Provenance.Finalizer
		if changed.Finalizer && !changed.LoadBalancer {
			changed.Ingress = nil // as the API server does
		}
		h.services[i] = changed
	case kind == 6:
		s := edited(h.services[h.pick(len(h.services))])
		s.Ingress = append(slices.Clone(s.Ingress), h.addr("by hand"))
		h.services[slices.IndexFunc(h.services, func(other *lb.Service) bool { return other.Key == s.Key })] = &s
	case kind == 7:
		h.reservations = h.newReservations()
		h.nodes = []*lb.Node{{Name: "n1", Addresses: []netip.Addr{h.addr("node")}}}
		own := h.addr("own")
		h.networks = []lb.NodeNetwork{{
			Node: "n1", Addresses: []netip.Prefix{netip.PrefixFrom(own, own.BitLen())}, Gateways: []netip.Addr{h.addr("gateway")},
		}}
		h.routers = []lb.PeerAddress{{Addr: h.addr("router"), Peer: "tor"}}
	case kind <= 9:
		h.editPool()
	default:
		h.editByOthers()
	}
}

// editByOthers makes a change as other providers, tenants and backups do.
func (h *history) editByOthers() {
	i := h.pick(len(h.services))
	s := edited(h.services[i])
	switch rapid.IntRange(0, 8).Draw(h.t, "others") {
	case 8: // a speaker reports, and not always the newest
		node := rapid.IntRange(0, 1).Draw(h.t, "node")
		h.withdrawn[node] = max(h.withdrawn[node], uint64(h.created-rapid.IntRange(0, 2).Draw(h.t, "behind")))
	case 0: // another provider writes its own address
		s.Ingress = []netip.Addr{h.addr("theirs")}
	case 1: // somebody removes the conditions
		s.Provenance, s.Managed = lb.Provenance{}, false
	case 2: // restored from a backup, by a new name in the API server
		h.created++
		s.UID, s.Created = types.UID(fmt.Sprintf("uid-%d", h.created)), h.now.Truncate(3*time.Second)
		s.LastAddresses, s.Ingress, s.Provenance, s.Managed = s.Ingress, nil, lb.Provenance{}, false
	case 3: // a wish of somebody's own making
		s.LastAddresses = []netip.Addr{h.addr("wish"), h.addr("second wish")}
	case 4: // a tenant forges annotations, or writes as much as the API server takes
		forged := rapid.SampledFrom(historyForged).Draw(h.t, "forged")
		s.Requested, s.RequestedPools, s.RequestError = forged.Requested, forged.RequestedPools, forged.RequestError
		s.SharingKey, s.LastAddresses = forged.SharingKey, forged.LastAddresses
	case 5: // another installation claims to have given what the Service has
		s.Provenance.Class = "example.com/other"
	case 6:
		s.Class = rapid.SampledFrom([]string{"", "daymark.io/daymark", "example.com/other"}).Draw(h.t, "class")
	default:
		s.Provider = rapid.SampledFrom([]string{"", "daymark", "metallb"}).Draw(h.t, "provider")
	}
	h.services[i] = &s
}

func (h *history) pick(n int) int { return rapid.IntRange(0, n-1).Draw(h.t, "which") }

func (h *history) newService() *lb.Service {
	h.created++
	s := &lb.Service{
		Key:     lb.Key{Namespace: rapid.SampledFrom(historySpaces).Draw(h.t, "namespace"), Name: fmt.Sprintf("s%d", h.created)},
		Created: h.now.Truncate(3 * time.Second), LoadBalancer: !h.flag("no balancer"),
		Labels: lb.NewLabels(map[string]string{"app": "web"}),
		Request: &lb.Request{
			UID: types.UID(fmt.Sprintf("uid-%d", h.created)), Families: rapid.SampledFrom(historyFamilies).Draw(h.t, "families"),
			Ports: []lb.Port{{Protocol: "TCP", Number: rapid.SampledFrom([]uint16{80, 443}).Draw(h.t, "port")}},
		},
		Local: h.flag("local"),
	}
	if len(s.Families) == 2 {
		s.Policy = rapid.SampledFrom([]lb.FamilyPolicy{lb.PreferDualStack, lb.RequireDualStack}).Draw(h.t, "policy")
	}
	if h.flag("shares") {
		s.SharingKey = "key"
	}
	s.Finalizer, s.Version = h.flag("finalizer"), uint64(h.created)
	if h.flag("shares with others") {
		s.SharedNamespaces = []string{rapid.SampledFrom([]string{"*", "red", "blue"}).Draw(h.t, "with")}
	}
	if h.flag("external") {
		s.ExternalIPs = []netip.Addr{h.addr("external address")}
	}
	if h.flag("requests") {
		s.Requested = []netip.Addr{h.addr("requested")}
	}
	if h.flag("asks for pools") {
		s.RequestedPools = rapid.Permutation([]string{"p1", "p2", "p3"}).Draw(h.t, "pools")[:2]
	}
	return s
}

func (h *history) editPool() {
	name := rapid.SampledFrom([]string{"p1", "p2", "p3"}).Draw(h.t, "pool")
	i := slices.IndexFunc(h.pools, func(p *lb.Pool) bool { return p.Name == name })
	p := &lb.Pool{
		Name: name, Created: h.now, Ranges: h.ranges("addresses"), AutoAssign: !h.flag("not automatic"), AvoidBuggyIPs: h.flag("avoid"),
		Drain: h.flag("drain"), Priority: int32(rapid.IntRange(0, 2).Draw(h.t, "priority")),
	}
	if h.flag("excludes") {
		p.Exclude = []lb.Range{{From: netip.MustParseAddr("192.0.2.3"), To: netip.MustParseAddr("192.0.2.3")}}
	}
	if h.flag("quota") {
		p.MaxPerNamespace = 1
	}
	if h.flag("namespaces") {
		p.Namespaces = []string{"red"}
	}
	if h.flag("rests") {
		p.ReuseDelay = 3 * time.Second
	}
	switch {
	case i < 0:
		h.pools = append(h.pools, p)
	case h.flag("delete"):
		h.pools = slices.Delete(h.pools, i, i+1)
	case h.flag("break"):
		broken := *h.pools[i]
		broken.Err, broken.Ranges = fmt.Errorf("cannot be read"), nil
		h.pools[i] = &broken
	case h.flag("break a line"):
		broken := *h.pools[i]
		broken.Err, broken.Partial, broken.Ranges = fmt.Errorf("a line cannot be read"), true, broken.Ranges[:min(1, len(broken.Ranges))]
		h.pools[i] = &broken
	default:
		p.Created = h.pools[i].Created
		h.pools[i] = p
	}
}

func (h *history) newReservations() []*lb.Reservation {
	var list []*lb.Reservation
	for i := range rapid.IntRange(0, 2).Draw(h.t, "reservations") {
		r := &lb.Reservation{Name: fmt.Sprintf("r%d", i), Created: h.now, Ranges: h.ranges("reserved")}
		if len(h.services) > 0 && h.flag("by name") {
			r.Service = h.services[h.pick(len(h.services))].Key
		} else {
			r.Namespace, r.Selector = "red", labels.Everything()
		}
		if h.flag("break a reservation") {
			r.Err = fmt.Errorf("a line cannot be read")
		}
		list = append(list, r)
	}
	return list
}
