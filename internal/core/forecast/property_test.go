package forecast

import (
	"maps"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"pgregory.net/rapid"

	"github.com/daymark-lb/daymark/internal/core/announce"
	"github.com/daymark-lb/daymark/internal/core/election"
	"github.com/daymark-lb/daymark/internal/core/lb"
)

// TestOutcome_IsWhatTheProgramsComeTo: in random clusters at rest something changes. What was forecast before has come true when the
// controller and the speakers are at rest again: addresses, holders, routes; and what they even out later.
func TestOutcome_IsWhatTheProgramsComeTo(t *testing.T) {
	changed, evened := 0, 0
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
		if r.compareLater(t, before, after) {
			evened++
		}
	})
	if changed < 20 || evened == 0 {
		t.Errorf("the change has had an effect %d times, and evening out %d times", changed, evened)
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
		for _, peer := range forecast.objects.Peers {
			if _, has := speaker.paths[peer.Name]; has != forecast.world.Established[name][peer.Name] {
				t.Fatalf("%s has a session with %s: %t, which is not as foreseen", name, peer.Name, has)
			}
		}
		for peer, sent := range speaker.paths {
			got, want := inWords(sent), inWords(ofFamilies(forecast.nodes()[name].peers[peer].list, speaker.families[peer]))
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

// compareLater compares who holds what when the spread has been evened out: of nodes that are equal how many each holds. Where addresses differ
// in the nodes that may have them, one or two may come out otherwise, since the nodes do not move all in the foreseen order. Where addresses
// were given or taken it began with other holders. It reports whether something has been evened out.
func (r *reality) compareLater(t *rapid.T, before, forecast *Outcome) (evened bool) {
	if !maps.Equal(before.owners(), forecast.owners()) {
		return false
	}
	r.evenOut()
	got, want := map[string]int{}, map[string]int{}
	for addr, holder := range forecast.holders {
		if divided, foreseen := r.answering(addr), holder.answering(true); (holder.laterTable.Shared() || len(divided) > 1) && !maps.Equal(divided, foreseen) {
			t.Fatalf("later the clients of %s were to be divided as %v, and are as %v", addr, foreseen, divided)
		}
		if (holder.later == "") != (len(r.answering(addr)) == 0) {
			t.Fatalf("later %s was to be held by %q, and is answered by %v", addr, holder.later, r.answering(addr))
		}
		want[holder.later]++
		evened = evened || holder.atOnce != holder.later || holder.table != holder.laterTable
	}
	delete(want, "")
	for name, speaker := range r.speakers {
		if n := len(speaker.holds); n > 0 {
			got[name] = n
		}
	}
	unlike := 0
	for name := range r.speakers {
		unlike += max(0, got[name]-want[name])
	}
	if unlike > 2 || unlike > 0 && forecast.isOneGroup() {
		t.Fatalf("later nodes were to hold %v, and hold %v", want, got)
	}
	return evened
}

// isOneGroup reports whether the same nodes may hold each address, with the same weights.
func (o *Outcome) isOneGroup() bool {
	world := o.world
	world.BGPAdvertisements, world.Peers = nil, nil
	contests := announce.Compute(&world).ElectionContests()
	return !slices.ContainsFunc(contests, func(c election.Contest) bool {
		return !slices.Equal(c.Group.Candidates(), contests[0].Group.Candidates())
	})
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

// tells reports whether a speaker tells a router of an address, and whether by a prefix that is of this address alone: an aggregated one may
// be there for others.
func (s *speaker) tells(addr netip.Addr) (tells, alone bool) {
	for _, sent := range s.paths {
		for _, path := range sent {
			tells = tells || path.Prefix.Contains(addr)
			alone = alone || path.Prefix == netip.PrefixFrom(addr, addr.BitLen())
		}
	}
	return tells, alone
}

// told are the nodes that tell routers of an address, for one of its Services or another.
func (o *Outcome) told(addr netip.Addr) (nodes []string) {
	for _, s := range o.objects.Services {
		if slices.Contains(s.Ingress, addr) {
			answers := o.explainer.Answer(s, addr, nil)
			nodes = append(nodes, nodesOf(o.routes(&answers))...)
		}
	}
	return nodes
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
			want := forecast.told(addr)
			for name, speaker := range r.speakers {
				tells, alone := speaker.tells(addr)
				if foreseen := slices.Contains(want, name); alone && !foreseen || foreseen && !tells {
					t.Fatalf("routers were to be told of %s by %v; %s tells: %t", addr, want, name, tells)
				}
			}
		}
	}
}
