package web

import (
	"math"
	"math/big"

	"github.com/daymark-lb/daymark/cli/view"
	"github.com/daymark-lb/daymark/internal/core/lb"
)

// overview is the first page.
func (s *snapshot) overview(p *page) {
	p.is("overview", "Overview", "")
	p.add("summary", s.summary())
	p.add("picture", draw(&s.network))
	p.add("nodes", s.network)
	p.add("pools", bars(s.status.Pools))
	p.add("problems", first(s.status.Problems, 6, "/problems"))
	p.add("timeline", first(s.history, 12, "/timeline"))
	p.add("services", first(worstFirst(s.services), 12, "/services"))
}

// summary is the cluster in a few numbers.
type summary struct {
	view.Status
	Critical int
	Nodes    int
	Routers  int
	Held     int32
	// Sessions that should be established with all routers, and how many are.
	Sessions, Established int32
}

func (s *snapshot) summary() summary {
	sum := summary{Status: s.status, Nodes: len(s.network.Nodes), Routers: len(s.network.Routers)}
	for i := range s.status.Problems {
		if s.status.Problems[i].Severity == view.Critical {
			sum.Critical++
		}
	}
	for _, held := range s.status.Layer2 {
		sum.Held += held.Count
	}
	for _, peer := range s.status.Peers {
		sum.Sessions += peer.Nodes
		sum.Established += peer.Established
	}
	return sum
}

// bar shows how much of a pool is given, of one family.
type bar struct {
	Pool, Family string
	Assigned     int64
	Available    string
	// Percent of the addresses that are given: 0 for none, 100 for all.
	Percent int
}

func bars(pools []view.PoolLine) (all []bar) {
	for _, pool := range pools {
		if pool.IPv4 != nil {
			all = append(all, newBar(pool.Name, "IPv4", pool.IPv4))
		}
		if pool.IPv6 != nil {
			all = append(all, newBar(pool.Name, "IPv6", pool.IPv6))
		}
	}
	return all
}

func newBar(pool, family string, count *view.PoolCount) bar {
	b := bar{Pool: pool, Family: family, Assigned: count.Assigned, Available: count.Available}
	left, known := new(big.Float).SetString(count.Available)
	if !known {
		return b
	}
	free, _ := left.Float64()
	switch share := 100 * float64(count.Assigned) / (float64(count.Assigned) + free); {
	case free == 0:
		b.Percent = 100
	case count.Assigned > 0:
		b.Percent = int(math.Min(math.Max(share, 1), 99))
	}
	return b
}

// story is the page of a Service.
func (s *snapshot) story(p *page, key lb.Key) {
	s.mu.Lock()
	x := s.cluster.ExplainService(key)
	s.mu.Unlock()
	if x == nil {
		p.missing("There is no Service " + key.String() + " of type LoadBalancer, or you may not see it.")
		return
	}
	p.is("story-page", key.String(), "services")
	p.Data = key
	p.add("story", x)
}

// node is the page of a node.
func (s *snapshot) node(p *page, name string) {
	s.mu.Lock()
	x := s.cluster.ExplainNode(name)
	s.mu.Unlock()
	if x == nil {
		p.missing("There is no node " + name + ", or you may not see it.")
		return
	}
	p.is("node-page", "Node "+name, "")
	p.Data = name
	p.add("node", struct {
		*view.NodeExplanation
		Shown list[view.NodeAddressLine]
	}{x, first(x.Addresses, 100, "")})
}
