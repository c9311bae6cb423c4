package view

import (
	"math/big"
	"slices"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/core/ipam"
	"github.com/daymark-lb/daymark/internal/core/lb"
)

// PoolExplanation is what a pool has and gives.
type PoolExplanation struct {
	PoolLine
	Conditions []ConditionLine `json:"conditions,omitempty"`
	Addresses  []string        `json:"addresses,omitempty"`
	Exclude    []string        `json:"exclude,omitempty"`
	// Serves says in words which Services it serves.
	Serves []string `json:"serves,omitempty"`
	// Advertisements that select it.
	Advertisements []AdvertisementLine `json:"advertisements,omitempty"`
	// Services that hold an address of it.
	Services []ServiceLine `json:"services,omitempty"`
	// Reservations of addresses of it.
	Reservations []string `json:"reservations,omitempty"`
	Unseen       []Unseen `json:"unseen,omitempty"`
	// NotComputed says why there is nothing of what the objects ask for.
	NotComputed string      `json:"notComputed,omitempty"`
	Problems    []Problem   `json:"problems,omitempty"`
	Events      []EventLine `json:"events,omitempty"`
}

// Wrong reports whether it is not as it should be.
func (x *PoolExplanation) Wrong() bool { return len(x.Problems) > 0 }

// PoolLine is a pool in short.
type PoolLine struct {
	Name string     `json:"name"`
	IPv4 *PoolCount `json:"ipv4,omitempty"`
	IPv6 *PoolCount `json:"ipv6,omitempty"`
}

// PoolCount counts the addresses of one family. Available and Reserved may have more digits than a number.
type PoolCount struct {
	Assigned     int64  `json:"assigned"`
	Available    string `json:"available"`
	Reserved     string `json:"reserved,omitempty"`
	ReuseDelayed int64  `json:"reuseDelayed,omitempty"`
	// Unusable are those of nodes, gateways and others that are never given.
	Unusable int64 `json:"unusable,omitempty"`
}

// ExplainPool explains a pool; nil: there is none of the name.
func (c *Cluster) ExplainPool(name string) *PoolExplanation {
	raw, found := named[*v1beta1.IPAddressPool](c, name)
	pool := c.Parsed.Pools.Named(name)
	if !found || pool == nil {
		return nil
	}
	self := subject{kind: "IPAddressPool", name: name}
	x := &PoolExplanation{
		PoolLine: PoolLine{Name: name}, Conditions: c.poolConditions(raw),
		Addresses: lb.Strings(pool.Ranges), Exclude: lb.Strings(pool.Exclude), Serves: serves(pool), Unseen: c.Unseen,
		Problems: c.problemsAbout(nil, self), Events: c.eventsOf(self),
	}
	x.Advertisements = c.selecting(pool)
	for _, s := range c.ours(true) {
		if slices.Contains(poolsOf(s), name) {
			x.Services = append(x.Services, c.line(s))
		}
	}
	for _, r := range c.Parsed.Reservations {
		if len(lb.Intersect(r.Ranges, pool.Ranges)) > 0 {
			x.Reservations = append(x.Reservations, r.Name)
		}
	}
	if len(c.Unseen) > 0 {
		x.NotComputed = c.notComputed()
		return x
	}
	for _, use := range c.Addresses().Pools {
		if use.Pool == pool {
			x.PoolLine = poolLine(use)
		}
	}
	return x
}

func poolLine(use *ipam.PoolUse) PoolLine {
	return PoolLine{Name: use.Pool.Name, IPv4: poolCount(use.IPv4), IPv6: poolCount(use.IPv6)}
}

func poolCount(c *ipam.Count) *PoolCount {
	if c == nil {
		return nil
	}
	return &PoolCount{c.Assigned, text(c.Available), text(c.Reserved), c.ReuseDelayed, c.NodeOwned + c.Unmanaged + c.NeverGiven}
}

func text(n *big.Int) string {
	if n == nil || n.Sign() == 0 {
		return "0"
	}
	return n.String()
}

// serves says which Services a pool serves.
func serves(p *lb.Pool) (texts []string) {
	add := func(so bool, text string) {
		if so {
			texts = append(texts, text)
		}
	}
	add(p.Drain, "none: it is being drained")
	add(!p.AutoAssign, "only Services that ask for it")
	for _, namespace := range p.Namespaces {
		texts = append(texts, "namespace "+namespace)
	}
	for _, selector := range p.NamespaceSelectors {
		texts = append(texts, "namespaces with "+selector.String())
	}
	for _, selector := range p.ServiceSelectors {
		texts = append(texts, "Services with "+selector.String())
	}
	if len(texts) == 0 {
		texts = []string{"all Services"}
	}
	return texts
}

// selecting are all advertisements, with whether they select a pool.
func (c *Cluster) selecting(pool *lb.Pool) (lines []AdvertisementLine) {
	add := func(kind string, a *lb.Advertisement) {
		line := AdvertisementLine{Kind: kind, Name: a.Name, Announces: a.MatchesPool(pool)}
		if !line.Announces {
			line.Why = "it does not select the pool"
		}
		lines = append(lines, line)
	}
	known := c.Parsed.Known()
	for _, a := range c.Parsed.L2Advertisements {
		add("L2Advertisement", &lb.InForce(a, nil).Keeping(known).Advertisement)
	}
	for _, a := range c.Parsed.BGPAdvertisements {
		add("BGPAdvertisement", &lb.InForce(a, nil).Keeping(known).Advertisement)
	}
	return lines
}
