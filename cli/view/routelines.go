package view

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/core/adjribout"
	"github.com/daymark-lb/daymark/internal/core/announce"
	"github.com/daymark-lb/daymark/internal/core/lb"
)

// RouteLine is a prefix with its next hop and path attributes.
type RouteLine struct {
	Prefix string `json:"prefix"`
	// NextHops, one or a global and a link-local one; empty: only the node knows it, or there is none.
	NextHops    []string `json:"nextHops,omitempty"`
	ASPath      []uint32 `json:"asPath,omitempty"`
	LocalPref   *uint32  `json:"localPref,omitempty"`
	MED         *uint32  `json:"med,omitempty"`
	Communities []string `json:"communities,omitempty"`
	// Weight of the node among those that announce the prefix; absent: it has none.
	Weight lb.Weight `json:"weight,omitempty"`
	// NotSent says why an established session does not carry it, although its BGPPeer asks for the family, or that of the older BGPPeer
	// with the same router; empty: it does.
	NotSent string `json:"notSent,omitempty"`
	// Services that have an address of the prefix.
	Services []string `json:"services,omitempty"`
}

// addRoutes adds those of a session of a plan that are wanted, of the families that its BGPPeer asks for, with the next hops that the
// node reports of it. There may be millions, so all with the same attributes share what follows from these.
func (c *Cluster) addRoutes(x *SessionRoutes, planned *announce.Session, reported *v1beta1.BGPSession, filter *RouteFilter) {
	type key struct {
		attributes *announce.Attributes
		family     lb.Family
	}
	var last key
	var line RouteLine
	encoder := adjribout.EncoderOf(planned, true)
	for i := range planned.Paths {
		p := &planned.Paths[i]
		k := key{p.Attributes, lb.FamilyOf(p.Prefix.Addr())}
		if !slices.Contains(planned.Families, k.family) || !c.wants(filter, p.Prefix) {
			continue
		}
		if k != last {
			last, line = k, routeLine(encoder, p, reported)
		}
		x.Prefixes++
		if x.OverriddenBy != "" {
			line.NotSent = c.notByOlder(x, p)
		}
		if line.NotSent != "" {
			x.NotSent++
		}
		if !filter.Counted {
			line.Prefix, line.Services = p.Prefix.String(), c.servicesIn(p.Prefix)
			x.Routes = append(x.Routes, line)
		}
	}
}

// wants reports whether a prefix has an address of the Service that is wanted, or of one of the namespace.
func (c *Cluster) wants(filter *RouteFilter, prefix netip.Prefix) bool {
	switch {
	case filter.Service != (lb.Key{}):
		return slices.Contains(c.servicesIn(prefix), filter.Service.String())
	case filter.Namespace != "":
		return slices.ContainsFunc(c.servicesIn(prefix), func(name string) bool { return strings.HasPrefix(name, filter.Namespace+"/") })
	}
	return true
}

// routeLine is a path without its prefix.
func routeLine(encoder *adjribout.Encoder, p *announce.Path, reported *v1beta1.BGPSession) RouteLine {
	next := nextHopsOf(reported)
	line := RouteLine{
		NextHops: lb.Strings(next.Of(lb.FamilyOf(p.Prefix.Addr())).Addresses()), MED: p.Attributes.MED,
		ASPath: encoder.ASPath(p.Attributes), Communities: lb.Strings(encoder.Communities(p.Attributes)), Weight: p.Attributes.Weight,
		NotSent: notSent(encoder, p, reported),
	}
	if preference, sent := encoder.LocalPref(p.Attributes); sent {
		line.LocalPref = &preference
	}
	return line
}

// notSent says why a path is not sent on an established session; empty: it is, or that is not known.
func notSent(encoder *adjribout.Encoder, p *announce.Path, reported *v1beta1.BGPSession) string {
	if reported.State != v1beta1.BGPEstablished || reported.Digest == "" {
		return ""
	}
	family, exchanged, hops := lb.FamilyOf(p.Prefix.Addr()), familiesOf(reported.Families), nextHopsOf(reported)
	next := hops.Of(family)
	path, _ := encoder.Path(p.Attributes, family, exchanged, next)
	switch {
	case path != nil:
		return ""
	case !slices.Contains(exchanged, family):
		return family.String() + " not carried"
	case !next.Valid():
		return "no " + family.String() + " next hop"
	}
	return "attributes too long"
}

// within are the Services that have an address of a prefix.
func (c *Cluster) servicesIn(prefix netip.Prefix) []string {
	length := prefix.Bits()
	if c.within[length] == nil {
		c.within[length] = c.servicesByPrefix(length)
	}
	return c.within[length][prefix]
}

// servicesByPrefix are the Services that have an address of each prefix of a length, in order.
func (c *Cluster) servicesByPrefix(length int) map[netip.Prefix][]string {
	names := map[netip.Prefix][]string{}
	for _, s := range c.ours(false) {
		for _, addr := range s.Ingress {
			if prefix, err := addr.Prefix(length); err == nil && !slices.Contains(names[prefix], s.Key.String()) {
				names[prefix] = append(names[prefix], s.Key.String())
			}
		}
	}
	return names
}
