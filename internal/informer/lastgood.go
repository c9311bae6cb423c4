package informer

import (
	"maps"
	"slices"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/core/cluster"
	"github.com/daymark-lb/daymark/internal/core/lb"
)

// LastGood remembers the last version of each object that could be understood, by name: an edit that breaks an object must not
// withdraw what is announced because of it. Instead says what counts of a value with an error, given the version that was good,
// or the zero value if none was. LastGood is not safe for use by several goroutines.
type LastGood[V comparable] struct {
	check   func(V) (name string, err error)
	instead func(value, before V) V
	good    map[string]V
}

// Substitute replaces each value that has an error. It is given all values, so it forgets objects that do not exist any more.
func (l *LastGood[V]) Substitute(values []V) []V {
	substituted := make([]V, len(values))
	good := make(map[string]V, len(values))
	for i, value := range values {
		name, err := l.check(value)
		if err != nil {
			value = l.instead(value, l.good[name])
			_, err = l.check(value)
		}
		if err == nil {
			good[name] = value
		}
		substituted[i] = value
	}
	l.good = good
	return substituted
}

// remembered is a LastGood of a kind of which the controller writes down what it accepts.
func remembered[V lb.Remembered[V]]() LastGood[V] {
	return LastGood[V]{check: V.Check, instead: lb.InForce[V]}
}

// lastPool is what counts of a pool with an error.
func lastPool(pool, before *lb.Pool) *lb.Pool {
	if before != nil {
		return before
	}
	return pool
}

// LastGoodObjects is LastGood for all kinds that announcing depends on.
type LastGoodObjects struct {
	pools LastGood[*lb.Pool]
	l2    LastGood[*lb.L2Advertisement]
	bgp   LastGood[*lb.BGPAdvertisement]
	peers LastGood[*lb.Peer]
	index poolIndex
	// resolved are the BGPAdvertisements and communities that were resolved last, and what they became: the same as long as they are.
	resolved struct {
		from, to    []*lb.BGPAdvertisement
		communities []*v1beta1.Community
	}
	// seen are all pools as they were last, those that are gone included: Services keep their addresses for a while. withGone are the
	// pools that were seen last, with those that are gone: the same as long as they are.
	seen           map[string]*lb.Pool
	last, withGone *lb.Pools
}

// NewLastGoodObjects remembers nothing yet.
func NewLastGoodObjects() *LastGoodObjects {
	return &LastGoodObjects{
		pools: LastGood[*lb.Pool]{check: (*lb.Pool).Check, instead: lastPool}, seen: map[string]*lb.Pool{},
		l2: remembered[*lb.L2Advertisement](), bgp: remembered[*lb.BGPAdvertisement](), peers: remembered[*lb.Peer](),
	}
}

// Substitute returns the objects with the last good version in the place of each one that has an error. The communities of
// BGPAdvertisements are resolved: one that stands for nothing is an error, too.
func (l *LastGoodObjects) Substitute(objects cluster.Objects) cluster.Objects {
	objects = *l.SubstitutePools(objects)
	if r := &l.resolved; !slices.Equal(r.from, objects.BGPAdvertisements) || !slices.Equal(r.communities, objects.Communities) {
		r.from, r.communities, r.to = objects.BGPAdvertisements, objects.Communities, objects.Resolved().BGPAdvertisements
	}
	objects.BGPAdvertisements = l.resolved.to
	objects.L2Advertisements = l.l2.Substitute(objects.L2Advertisements)
	objects.BGPAdvertisements = l.bgp.Substitute(objects.BGPAdvertisements)
	objects.Peers = l.peers.Substitute(objects.Peers)
	return objects
}

// SubstitutePools is Substitute for pools alone. The controller leaves the other kinds as they are: what counts of them stands in
// their status, where the speakers read it, too.
func (l *LastGoodObjects) SubstitutePools(objects cluster.Objects) *cluster.Objects {
	now := objects.Pools.ByAge()
	if good := l.pools.Substitute(now); !slices.Equal(good, now) {
		objects.Pools = l.index.of(good)
	}
	if l.last != objects.Pools {
		l.last, l.withGone = objects.Pools, objects.Pools
		l.seen = maps.Clone(l.seen)
		for _, pool := range objects.Pools.ByAge() {
			l.seen[pool.Name] = pool
		}
		if len(l.seen) > len(now) {
			l.withGone = objects.Pools.WithGone(l.seen)
		}
	}
	objects.Pools = l.withGone
	return &objects
}
