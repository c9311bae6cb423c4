package informer

import (
	"slices"

	"github.com/daymark-lb/daymark/internal/core/cluster"
	"github.com/daymark-lb/daymark/internal/core/lb"
)

// LastGood remembers the last version of each object that could be parsed, by name: an edit that breaks an object must not
// withdraw what is announced because of it. The zero value remembers nothing. It is not safe for use by several goroutines.
type LastGood[V any] struct{ good map[string]V }

// Substitute replaces each value that has an error by the last good version of the object, if there was one. It is given all
// values, so it forgets objects that do not exist any more. Check returns the name of a value's object and its error.
func (l *LastGood[V]) Substitute(values []V, check func(V) (name string, err error)) []V {
	substituted := make([]V, len(values))
	good := make(map[string]V, len(values))
	for i, value := range values {
		name, err := check(value)
		if before, ok := l.good[name]; err != nil && ok {
			value, err = before, nil
		}
		if err == nil {
			good[name] = value
		}
		substituted[i] = value
	}
	l.good = good
	return substituted
}

// LastGoodObjects is LastGood for all kinds that announcing depends on.
type LastGoodObjects struct {
	pools LastGood[*lb.Pool]
	l2    LastGood[*lb.L2Advertisement]
	bgp   LastGood[*lb.BGPAdvertisement]
	peers LastGood[*lb.Peer]
	index poolIndex
	// seen are all pools as they were last, those that are gone included: Services keep their addresses for a while.
	seen map[string]*lb.Pool
}

// Substitute returns the objects with the last good version in the place of each one that has an error.
func (l *LastGoodObjects) Substitute(objects cluster.Objects) cluster.Objects {
	now := objects.Pools.ByAge()
	if good := l.pools.Substitute(now, (*lb.Pool).Check); !slices.Equal(good, now) {
		objects.Pools = l.index.of(good)
	}
	if l.seen == nil {
		l.seen = map[string]*lb.Pool{}
	}
	for _, pool := range objects.Pools.ByAge() {
		l.seen[pool.Name] = pool
	}
	if len(l.seen) > len(now) {
		objects.Pools = objects.Pools.WithGone(l.seen)
	}
	objects.L2Advertisements = l.l2.Substitute(objects.L2Advertisements, (*lb.L2Advertisement).Check)
	objects.BGPAdvertisements = l.bgp.Substitute(objects.BGPAdvertisements, (*lb.BGPAdvertisement).Check)
	objects.Peers = l.peers.Substitute(objects.Peers, (*lb.Peer).Check)
	return objects
}
