package ipam

import (
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"

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
	routers      []lb.PeerAddress
	memory       Memory
	planner      Planner
	// before are the assignments of the pass before.
	before map[types.UID]Assignment
	// deleted are the Services that are deleted and wait for their finalizer to go.
	deleted map[types.UID]bool
	// withdrawn is what the speakers of two nodes report.
	withdrawn [2]uint64
	// grace is how long addresses of pools that are gone are kept.
	grace time.Duration
}

// pass computes a plan, checks the promises, and then writes all of the plan or a part of it.
func (h *history) pass() {
	if h.flag("restart") {
		h.memory, h.planner, h.before = Memory{}, Planner{}, nil
	}
	world := World{
		Now: h.now, Classes: lb.Classes{Name: "daymark.io/daymark", Classless: true}, Services: h.services, Pools: lb.NewPools(h.pools),
		Reservations: h.reservations, Nodes: h.nodes, NodeNetworks: h.networks, PeerAddresses: h.routers, Memory: h.memory, PoolGrace: h.grace,
		Namespaces:  map[string]map[string]string{"red": nil, "blue": nil},
		Withdrawals: []Withdrawal{{"n1", h.withdrawn[0]}, {"n2", h.withdrawn[1]}},
	}
	plan := Compute(world)
	h.checkPlanner(world, plan)
	h.checkOrderDoesNotMatter(world, plan)
	h.checkNoAddressIsGivenTwice(plan)
	h.checkStickiness(world, plan)
	h.checkWhoCameFirst(world, plan)
	h.checkNothingOfOthersIsTaken(world, plan)
	h.checkGivenIsAllowed(world, plan)
	h.checkNobodyWaitsForAFreeAddress(world, plan)
	h.checkLeaving(world, plan)
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
		s := edited(h.services[i])
		clean(&s, &c)
		h.services[i] = &s
		if !c.Waits && h.deleted[s.UID] {
			h.services = slices.Delete(h.services, i, i+1)
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
	s := edited(h.services[i])
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
	again := Compute(world)
	for i := range again.Assignments {
		a := &again.Assignments[i]
		if world.Services[a.Index] != a.Service {
			h.t.Fatalf("%s is not the Service at its index", a.Service.Key)
		}
		a.Index = plan.Assignments[i].Index
	}
	if !reflect.DeepEqual(again, plan) {
		h.t.Fatalf("another order gives another plan:\n%s\n%s", describe(plan), describe(again))
	}
}
