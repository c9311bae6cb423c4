package ipam

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"net/netip"
	"reflect"
	"slices"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	"pgregory.net/rapid"

	"github.com/daymark-lb/daymark/internal/core/lb"
)

// TestCompute_KeepsPromisesInRandomHistories simulates a cluster: Services, pools, reservations and nodes are created,
// changed and deleted, plans are written in any order or only in part, and the controller sometimes loses its memory. After
// each pass the promises must hold.
func TestCompute_KeepsPromisesInRandomHistories(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h := &history{t: t, now: time.Unix(1_000_000, 0), grace: time.Duration(rapid.IntRange(0, 6).Draw(t, "grace")) * time.Second}
		for range rapid.IntRange(1, 40).Draw(t, "steps") {
			h.edit()
			h.pass()
		}
	})
}

// history is a simulated cluster.
type history struct {
	t            *rapid.T
	now          time.Time
	created      int
	services     []*lb.Service
	pools        []*lb.Pool
	reservations []*lb.Reservation
	nodes        []*lb.Node
	networks     []lb.NodeNetwork
	memory       Memory
	// grace is how long addresses of pools that are gone are kept.
	grace time.Duration
}

var (
	historyFamilies = [][]lb.Family{{lb.IPv4}, {lb.IPv6}, {lb.IPv4, lb.IPv6}, {lb.IPv6, lb.IPv4}}
	historyRanges   = []string{"192.0.2.0-192.0.2.3", "192.0.2.2-192.0.2.5", "192.0.2.254-192.0.3.1", "2001:db8::/126", "2001:db8::2-2001:db8::5", "192.0.2.1"}
	historySpaces   = []string{"red", "blue"}
)

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
	switch kind := rapid.IntRange(0, 11).Draw(h.t, "edit"); {
	case kind <= 3 || len(h.services) == 0:
		h.services = append(h.services, h.newService())
	case kind == 4:
		i := h.pick(len(h.services))
		h.services = slices.Delete(h.services, i, i+1)
	case kind == 5:
		i := h.pick(len(h.services))
		changed := h.newService()
		before := h.services[i]
		changed.Key, changed.UID, changed.Created, changed.Ingress, changed.Provenance = before.Key, before.UID, before.Created, before.Ingress, before.Provenance
		h.services[i] = changed
	case kind == 6:
		s := *h.services[h.pick(len(h.services))]
		s.Ingress = append(slices.Clone(s.Ingress), h.addr("by hand"))
		h.services[slices.IndexFunc(h.services, func(other *lb.Service) bool { return other.Key == s.Key })] = &s
	case kind == 7:
		h.reservations = h.newReservations()
		h.nodes = []*lb.Node{{Name: "n1", Addresses: []netip.Addr{h.addr("node")}}}
		own := h.addr("own")
		h.networks = []lb.NodeNetwork{{
			Node: "n1", Addresses: []netip.Prefix{netip.PrefixFrom(own, own.BitLen())}, Gateways: []netip.Addr{h.addr("gateway")},
		}}
	case kind <= 9:
		h.editPool()
	default:
		h.editByOthers()
	}
}

// editByOthers makes a change as other providers, tenants and backups do.
func (h *history) editByOthers() {
	i := h.pick(len(h.services))
	s := *h.services[i]
	switch rapid.IntRange(0, 5).Draw(h.t, "others") {
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
	case 4:
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
		Key: lb.Key{Namespace: rapid.SampledFrom(historySpaces).Draw(h.t, "namespace"), Name: fmt.Sprintf("s%d", h.created)},
		UID: types.UID(fmt.Sprintf("uid-%d", h.created)), Created: h.now.Truncate(3 * time.Second), LoadBalancer: !h.flag("no balancer"),
		Families: rapid.SampledFrom(historyFamilies).Draw(h.t, "families"), Labels: map[string]string{"app": "web"},
		Ports: []lb.Port{{Protocol: "TCP", Number: rapid.SampledFrom([]uint16{80, 443}).Draw(h.t, "port")}}, Local: h.flag("local"),
	}
	if len(s.Families) == 2 {
		s.Policy = rapid.SampledFrom([]lb.FamilyPolicy{lb.PreferDualStack, lb.RequireDualStack}).Draw(h.t, "policy")
	}
	if h.flag("shares") {
		s.SharingKey = "key"
	}
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

// pass computes a plan, checks the promises, and then writes all of the plan or a part of it.
func (h *history) pass() {
	if h.flag("restart") {
		h.memory = Memory{}
	}
	world := World{
		Now: h.now, Classes: lb.Classes{Name: "daymark.io/daymark", Classless: true}, Services: h.services, Pools: lb.NewPools(h.pools),
		Reservations: h.reservations, Nodes: h.nodes, NodeNetworks: h.networks, Memory: h.memory, PoolGrace: h.grace,
		Namespaces: map[string]map[string]string{"red": nil, "blue": nil},
	}
	plan := Compute(world)
	h.checkOrderDoesNotMatter(world, plan)
	h.checkNoAddressIsGivenTwice(plan)
	h.checkStickiness(world, plan)
	h.checkWhoCameFirst(world, plan)
	h.checkNothingOfOthersIsTaken(world, plan)
	h.checkGivenIsAllowed(world, plan)
	h.checkNobodyWaitsForAFreeAddress(world, plan)
	h.memory = plan.Memory

	order := rapid.Permutation(indices(len(plan.Assignments))).Draw(h.t, "order")
	if h.flag("crash") {
		order = order[:rapid.IntRange(0, len(order)).Draw(h.t, "written")]
	}
	for _, i := range order {
		h.write(&plan.Assignments[i])
	}
	for _, c := range plan.Cleanups {
		i := slices.IndexFunc(h.services, func(s *lb.Service) bool { return s.Key == c.Service.Key })
		s := *h.services[i]
		s.Provenance, s.Managed = lb.Provenance{}, false
		s.Ingress = slices.DeleteFunc(slices.Clone(s.Ingress), func(addr netip.Addr) bool { return slices.Contains(c.Addresses, addr) })
		h.services[i] = &s
	}
}

// checkNothingOfOthersIsTaken checks that what Daymark did not give stays until it has something in its place, that addresses of
// pools that are gone stay for the grace time, and that only what Daymark gave is cleaned.
func (h *history) checkNothingOfOthersIsTaken(world World, plan Plan) {
	for _, c := range plan.Cleanups {
		for _, addr := range c.Addresses {
			if world.Classes.Ours(c.Service) || c.Service.Provenance.Class != "daymark.io/daymark" || c.Service.Provenance.PoolOf(addr) == "" {
				h.t.Fatalf("%s of %s is cleaned and was not given", addr, c.Service.Key)
			}
		}
	}
	for _, a := range plan.Assignments {
		s := a.Service
		has := map[lb.Family]bool{}
		for _, address := range a.Addresses {
			has[lb.FamilyOf(address.Addr)] = true
		}
		for _, addr := range s.Ingress {
			kept := slices.ContainsFunc(a.Addresses, func(has Address) bool { return has.Addr == addr }) || slices.Contains(a.Foreign, addr)
			foreign := s.Provenance.PoolOf(addr) == "" && !slices.Contains(holders(world.Memory, addr), s.UID)
			inPlace := has[lb.FamilyOf(addr)] || !s.Wants(lb.FamilyOf(addr)) && len(a.Addresses) > 0
			if foreign && !kept && !inPlace {
				h.t.Fatalf("%s lost %s, which Daymark did not give, and has nothing in its place\n%s", s.Key, addr, describe(plan))
			}
			since := s.Provenance.MissingSince
			for i := range world.Memory.Assignments {
				if before := &world.Memory.Assignments[i]; since.IsZero() && before.Service.UID == s.UID {
					since = before.MissingSince // which was not written
				}
			}
			waits := world.Pools.Missing(s.Provenance.PoolOf(addr)) && (since.IsZero() || h.now.Before(since.Add(h.grace))) && h.grace > 0
			if waits && !kept && !inPlace && s.Wants(lb.FamilyOf(addr)) && !h.shown(addr, s) {
				h.t.Fatalf("%s lost %s of a pool that is gone for less than the grace time\n%s", s.Key, addr, describe(plan))
			}
		}
	}
}

func indices(n int) []int {
	list := make([]int, n)
	for i := range list {
		list[i] = i
	}
	return list
}

// write replaces the Service by a copy with the assigned addresses. Plans and memories refer to the old value.
func (h *history) write(a *Assignment) {
	i := slices.IndexFunc(h.services, func(s *lb.Service) bool { return s.Key == a.Service.Key })
	s := *h.services[i]
	show(&s, a)
	before := h.services[i]
	h.services[i] = &s
	h.checkShown(&s, before)
}

func (h *history) checkOrderDoesNotMatter(world World, plan Plan) {
	shuffle := rand.New(rand.NewPCG(1, uint64(h.created)))
	world.Services = slices.Clone(world.Services)
	shuffle.Shuffle(len(world.Services), func(i, j int) { world.Services[i], world.Services[j] = world.Services[j], world.Services[i] })
	pools := slices.Clone(h.pools)
	slices.Reverse(pools)
	world.Pools = lb.NewPools(pools)
	world.Reservations = slices.Clone(world.Reservations)
	slices.Reverse(world.Reservations)
	if again := Compute(world); !reflect.DeepEqual(again, plan) {
		h.t.Fatalf("another order gives another plan:\n%s\n%s", describe(plan), describe(again))
	}
}

func (h *history) checkNoAddressIsGivenTwice(plan Plan) {
	holders := map[netip.Addr][]*lb.Service{}
	for _, a := range plan.Assignments {
		for _, has := range a.Addresses {
			for _, other := range holders[has.Addr] {
				if !mayShare(a.Service, other) {
					h.t.Fatalf("%s is given to %s and %s\n%s", has.Addr, a.Service.Key, other.Key, describe(plan))
				}
			}
			holders[has.Addr] = append(holders[has.Addr], a.Service)
		}
	}
}

// checkShown checks what people see at any moment, even between two writes: an address that appears in a status is in no
// other status whose Service may not share it.
func (h *history) checkShown(s, before *lb.Service) {
	for _, addr := range s.Ingress {
		for _, other := range h.services {
			if other != s && !slices.Contains(before.Ingress, addr) && slices.Contains(other.Ingress, addr) && !mayShare(s, other) {
				h.t.Fatalf("%s is written into the status of %s while that of %s shows it", addr, s.Key, other.Key)
			}
		}
	}
}

// checkStickiness checks that Services keep their addresses. It is written in another way than the code.
func (h *history) checkStickiness(world World, plan Plan) {
	for _, a := range plan.Assignments {
		s := a.Service
		if len(s.Requested) > 0 || len(s.RequestedPools) > 0 || s.SharingKey != "" {
			continue // these may move for other causes, which the tables of tests look at
		}
		seen := map[lb.Family]bool{}
		for _, addr := range heldFirst(world.Memory, s) {
			family := lb.FamilyOf(addr)
			if world.Pools.Missing(s.Provenance.PoolOf(addr)) && h.grace > 0 && s.Wants(family) {
				seen[family] = true // checkNothingOfOthersIsTaken looks at it
				continue
			}
			from := world.Pools.SourceOf(s.Provenance.PoolOf(addr), addr)
			if from == nil || seen[family] || !s.Wants(family) {
				continue
			}
			if h.shown(addr, s) && !onlyHolder(world.Memory, s, addr) {
				seen[family] = true // it may be the one to go, or not
				continue
			}
			if gave := s.Provenance.PoolOf(addr); gave != "" && gave != from.Name && !from.ServesNamespace(s.Key.Namespace, nil) {
				continue
			}
			seen[family] = true
			if !slices.ContainsFunc(a.Addresses, func(has Address) bool { return has.Addr == addr }) {
				h.t.Fatalf("%s had %s from pool %s and lost it\n%s", s.Key, addr, from.Name, describe(plan))
			}
		}
	}
}

// heldFirst returns the addresses in a status, those first that the Service held in the pass before.
func heldFirst(memory Memory, s *lb.Service) []netip.Addr {
	list := slices.Clone(s.Ingress)
	slices.SortStableFunc(list, func(a, b netip.Addr) int {
		switch x, y := slices.Contains(holders(memory, a), s.UID), slices.Contains(holders(memory, b), s.UID); {
		case x == y:
			return 0
		case x:
			return -1
		}
		return 1
	})
	return list
}

// onlyHolder reports whether a Service, and no other, held an address in the pass before.
func onlyHolder(memory Memory, s *lb.Service, addr netip.Addr) bool {
	return slices.Equal(holders(memory, addr), []types.UID{s.UID})
}

func holders(memory Memory, addr netip.Addr) []types.UID {
	var list []types.UID
	for i := range memory.Assignments {
		for _, has := range memory.Assignments[i].Addresses {
			if has.Addr == addr {
				list = append(list, memory.Assignments[i].Service.UID)
			}
		}
	}
	return list
}

// shown reports whether another Service's status shows an address too, so that one of them must give it up.
func (h *history) shown(addr netip.Addr, s *lb.Service) bool {
	return slices.ContainsFunc(h.services, func(other *lb.Service) bool { return other != s && slices.Contains(other.Ingress, addr) })
}

// checkGivenIsAllowed checks the addresses that a Service did not have before.
func (h *history) checkGivenIsAllowed(world World, plan Plan) {
	for _, a := range plan.Assignments {
		for _, release := range a.Released {
			if causes[release.Cause].released == "" {
				h.t.Fatalf("%s releases %s without a text: %s", a.Service.Key, release.Addr, release.Cause)
			}
		}
		families := map[lb.Family]int{}
		for _, has := range a.Addresses {
			s := a.Service
			families[lb.FamilyOf(has.Addr)]++
			if !s.Wants(lb.FamilyOf(has.Addr)) {
				h.t.Fatalf("%s does not want %s", s.Key, has.Addr)
			}
			if slices.Contains(s.Ingress, has.Addr) {
				continue
			}
			pool, reservation := has.Pool, h.reservationOf(has.Addr)
			switch {
			case pool.Closed(), pool.Drain, !pool.Contains(has.Addr), world.Pools.Containing(has.Addr) != pool,
				!pool.ServesNamespace(s.Key.Namespace, nil), pool.AvoidBuggyIPs && mayBeBroadcast(has.Addr) && reservation == nil,
				!pool.AutoAssign && len(s.RequestedPools)+len(s.Requested) == 0 && reservation == nil,
				reservation != nil && !reservation.For(s),
				h.usedByNode(has.Addr),
				len(s.RequestedPools) > 0 && !slices.Contains(s.RequestedPools, pool.Name):
				h.t.Fatalf("%s is given %s of pool %+v, reserved by %+v\n%s", s.Key, has.Addr, pool, reservation, describe(plan))
			}
			for _, other := range h.services {
				if other.Key != s.Key && slices.Contains(other.Ingress, has.Addr) && !mayShare(s, other) {
					h.t.Fatalf("%s is given %s, which %s still shows\n%s", s.Key, has.Addr, other.Key, describe(plan))
				}
				if other.Key != s.Key && slices.Contains(other.ExternalIPs, has.Addr) && !has.Joined && pool.MaxPerNamespace == 0 {
					h.t.Fatalf("%s is given %s, which is in externalIPs of %s\n%s", s.Key, has.Addr, other.Key, describe(plan))
				}
			}
			if rest, ok := plan.Memory.Freed[has.Addr]; ok && rest.Service != s.Key {
				h.t.Fatalf("%s is given %s, which rests", s.Key, has.Addr)
			}
		}
		if len(a.Service.Requested) == 0 && !a.replacing && (families[lb.IPv4] > 1 || families[lb.IPv6] > 1) {
			h.t.Fatalf("%s has too many addresses\n%s", a.Service.Key, describe(plan))
		}
	}
}

// checkWhoCameFirst checks that a Service joins only one that shares with its namespace, and that the one that came first stays.
func (h *history) checkWhoCameFirst(world World, plan Plan) {
	first := map[netip.Addr]*lb.Service{}
	for _, a := range plan.Assignments {
		for _, has := range a.Addresses {
			if !has.Joined {
				first[has.Addr] = a.Service
			}
		}
	}
	for _, a := range plan.Assignments {
		for _, has := range a.Addresses {
			owner := first[has.Addr]
			if owner == nil || has.Joined && !slices.Contains(a.Service.Ingress, has.Addr) && !owner.SharesWith(a.Service.Key.Namespace) {
				h.t.Fatalf("%s joins %s\n%s", a.Service.Key, has.Addr, describe(plan))
			}
		}
	}
	for i := range world.Memory.Assignments {
		before := &world.Memory.Assignments[i]
		for _, had := range before.Addresses {
			owner := first[had.Addr]
			if had.Joined || owner == nil || owner.UID == before.Service.UID {
				continue
			}
			now := slices.IndexFunc(plan.Assignments, func(a Assignment) bool { return a.Service.UID == before.Service.UID })
			if now >= 0 && slices.ContainsFunc(plan.Assignments[now].Released, func(r Release) bool { return r.Addr == had.Addr && r.Cause == Taken }) {
				h.t.Fatalf("%s had %s first and moves for %s\n%s", before.Service.Key, had.Addr, owner.Key, describe(plan))
			}
		}
	}
}

// usedByNode reports whether an address is a node's own or its gateway.
func (h *history) usedByNode(addr netip.Addr) bool {
	return len(h.nodes) > 0 && (slices.Contains(h.nodes[0].Addresses, addr) || h.networks[0].Addresses[0].Addr() == addr ||
		h.networks[0].Gateways[0] == addr)
}

func (h *history) reservationOf(addr netip.Addr) *lb.Reservation {
	var found *lb.Reservation
	for _, r := range h.reservations {
		if lb.Containing(r.Ranges, addr) >= 0 && (found == nil || r.Created.Before(found.Created) || r.Created.Equal(found.Created) && r.Name < found.Name) {
			found = r
		}
	}
	return found
}

// checkNobodyWaitsForAFreeAddress tries every address for the Services that request nothing certain and got nothing.
func (h *history) checkNobodyWaitsForAFreeAddress(world World, plan Plan) {
	used := map[netip.Addr]bool{}
	for _, s := range h.services {
		for _, addr := range slices.Concat(s.Ingress, s.ExternalIPs) {
			used[addr] = true
		}
	}
	for _, a := range plan.Assignments {
		for _, has := range a.Addresses {
			used[has.Addr] = true
		}
	}
	for _, a := range plan.Assignments {
		s := a.Service
		if len(a.Addresses) > 0 || len(s.Requested) > 0 || s.Policy == lb.RequireDualStack {
			continue
		}
		for _, pool := range h.pools {
			if pool.Closed() || pool.Drain || !pool.AutoAssign || pool.MaxPerNamespace > 0 || !pool.ServesNamespace(s.Key.Namespace, nil) ||
				len(s.RequestedPools) > 0 && !slices.Contains(s.RequestedPools, pool.Name) {
				continue
			}
			for _, r := range pool.Ranges {
				for addr := r.From; r.Contains(addr); addr = addr.Next() {
					free := s.Wants(lb.FamilyOf(addr)) && !used[addr] && pool.Contains(addr) && world.Pools.Containing(addr) == pool && h.reservationOf(addr) == nil
					node := h.usedByNode(addr)
					if _, rests := plan.Memory.Freed[addr]; free && !rests && !node && !(pool.AvoidBuggyIPs && mayBeBroadcast(addr)) {
						h.t.Fatalf("%s waits though %s is free\n%s", s.Key, addr, describe(plan))
					}
				}
			}
		}
	}
}

func describe(plan Plan) string {
	var text string
	for i := range plan.Assignments {
		a := &plan.Assignments[i]
		o := a.Outcome()
		text += fmt.Sprintf("%s: %v %s %s (showed %v, released %v)\n", a.Service.Key, o.Assigned, o.Reason.Name, o.Message, a.Service.Ingress, a.Released)
	}
	for _, addr := range slices.SortedFunc(maps.Keys(plan.Memory.Freed), netip.Addr.Compare) {
		text += fmt.Sprintf("%s rests\n", addr)
	}
	return text
}
