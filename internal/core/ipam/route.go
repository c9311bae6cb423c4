package ipam

import "github.com/daymark-lb/daymark/internal/core/lb"

type routeKey struct {
	namespace string
	family    lb.Family
}

// route is the pools that may serve the Services of a namespace that ask for nothing certain, in order of priority, so
// that ten thousand such Services do not each look at a hundred pools that never serve them, or have nothing left.
type route struct {
	pools []*pool
	// verdicts on all pools, for the Services that get nothing; they stay true for the rest of the pass. answers are the same
	// in words, made at its end.
	verdicts []Verdict
	answers  string
}

func (p *pass) route(namespace string, family lb.Family) *route {
	key := routeKey{namespace, family}
	if known := p.routes[key]; known != nil {
		return known
	}
	r := &route{}
	for _, pool := range p.pools {
		if pool.Err == nil && pool.has(family) && pool.AutoAssign && !pool.Drain &&
			pool.ServesNamespace(namespace, p.world.Namespaces[namespace]) {
			r.pools = append(r.pools, pool)
		}
	}
	p.routes[key] = r
	return r
}

// open drops the first pools as long as they have nothing left, and gives the rest.
func (r *route) open(b *book, family lb.Family) []*pool {
	for len(r.pools) > 0 {
		if _, ok := r.pools[0].free(b, family); ok {
			break
		}
		r.pools = r.pools[1:]
	}
	return r.pools
}
