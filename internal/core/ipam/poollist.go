package ipam

import "github.com/daymark-lb/daymark/internal/core/lb"

type poolListKey struct {
	namespace string
	family    lb.Family
}

// poolList is the pools that may serve the Services of a namespace that request nothing certain, in order of priority. It
// spares ten thousand such Services from looking at a hundred pools that never serve them or have nothing left.
type poolList struct {
	pools []*pool
	// verdicts on all pools, for the Services that get nothing. They stay true for the rest of the pass. text is the same as
	// text, made at the end of the pass.
	verdicts []Verdict
	text     string
}

// poolListOf returns the pool list for the namespace of an assignment's Service.
func (p *pass) poolListOf(a *Assignment, family lb.Family) *poolList {
	key := poolListKey{a.Service.Key.Namespace, family}
	if known := p.poolLists[key]; known != nil {
		return known
	}
	list := &poolList{}
	for _, pool := range p.pools {
		// These causes are the same for all Services of the namespace that request nothing certain.
		if p.firstCause(check{assignment: a, pool: pool, family: family}, PoolInvalid, NamespaceNotServed) == Allowed {
			list.pools = append(list.pools, pool)
		}
	}
	p.poolLists[key] = list
	return list
}

// withFree drops the first pools of the list while they have no free address, and returns the rest.
func (l *poolList) withFree(all *allocations, family lb.Family) []*pool {
	for len(l.pools) > 0 {
		if _, ok := l.pools[0].free(all, family); ok {
			break
		}
		l.pools = l.pools[1:]
	}
	return l.pools
}
