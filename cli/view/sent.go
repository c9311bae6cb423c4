package view

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/core/adjribout"
	"github.com/daymark-lb/daymark/internal/core/announce"
	"github.com/daymark-lb/daymark/internal/core/cluster"
	"github.com/daymark-lb/daymark/internal/core/lb"
)

// SentCheck compares what a router was sent with what the objects ask for.
type SentCheck struct {
	Result SentResult `json:"result"`
	// Message says in words why they are not known to agree.
	Message string `json:"message,omitempty"`
}

// SentResult is the result of a SentCheck.
type SentResult string

// The results.
const (
	// SentAgrees: the digest that the speaker reports is that of the routes.
	SentAgrees SentResult = "Agrees"
	// SentDiffers: it is another one.
	SentDiffers SentResult = "Differs"
	// SentUnknown: they cannot be compared.
	SentUnknown SentResult = "Unknown"
	// SentNothing: the session is not established.
	SentNothing SentResult = "Nothing"
	// SentOverridden: the router has the session of an older BGPPeer, which Message names.
	SentOverridden SentResult = "Overridden"
)

// planOf a node: the sessions that the objects ask for, each with the paths for its router; none when not all objects are seen. Their
// next hops and their problems are not to be relied on.
func (c *Cluster) planOf(node string) []announce.Session {
	sessions, known := c.plans[node]
	if !known && len(c.Unseen) == 0 {
		sessions = c.computePlan(node)
		c.plans[node] = sessions
	}
	return sessions
}

// computePlan computes the plan of a node. It changes nothing, so that those of several nodes may be computed at the same time.
func (c *Cluster) computePlan(node string) []announce.Session {
	w := c.Parsed.AsNode(*c.announceWorld(), node)
	w.L2Advertisements = nil
	return announce.Sessions(&w)
}

// planAll computes the plans of several nodes, at the same time if that may be: of a hundred nodes with ten thousand Services they are most
// of what a look at the cluster costs.
func (c *Cluster) planAll(nodes []string) {
	nodes = slices.DeleteFunc(nodes, func(node string) bool { _, known := c.plans[node]; return known })
	c.announceWorld() // is there before several ask for it
	plans := make([][]announce.Session, len(nodes))
	each := c.Each
	if each == nil {
		each = oneByOne
	}
	each(len(nodes), func(i int) { plans[i] = c.computePlan(nodes[i]) })
	for i, node := range nodes {
		c.plans[node] = plans[i]
	}
}

func oneByOne(n int, do func(i int)) {
	for i := range n {
		do(i)
	}
}

// plannedFor is the index of the session of a plan that a reported one is; -1: there is none.
func plannedFor(plan []announce.Session, reported *v1beta1.BGPSession) int {
	addr, _ := lb.ParsePeerAddr(reported.Address)
	return slices.IndexFunc(plan, func(s announce.Session) bool { return s.Peer == reported.Peer && s.Address == addr })
}

// sent compares what a speaker reports to have sent on a session with the routes that the objects ask for, once.
func (c *Cluster) sent(speaker *v1beta1.Speaker, reported *v1beta1.BGPSession) SentCheck {
	check, made := c.checks[reported]
	if !made {
		check = c.checkSent(speaker, reported)
		c.checks[reported] = check
	}
	return check
}

// checkSent compares the digest that a speaker reports of a session with that of the routes which the objects ask for.
func (c *Cluster) checkSent(speaker *v1beta1.Speaker, reported *v1beta1.BGPSession) SentCheck {
	switch {
	case lb.SpeakerGone(speaker):
		return SentCheck{SentUnknown, "its speaker is gone, and what it said is old"}
	case cluster.OlderPeer(reported) != "":
		return SentCheck{SentOverridden, fmt.Sprintf("BGPPeer %s leads to the same router and is older, so it has the session", cluster.OlderPeer(reported))}
	case reported.State != v1beta1.BGPEstablished:
		return SentCheck{SentNothing, reported.LastError}
	case reported.Digest == "":
		return SentCheck{SentUnknown, "its report has no digest of what it sent, as that of an earlier version, or one with other names"}
	case len(c.Unseen) > 0:
		return SentCheck{SentUnknown, c.notComputed()}
	}
	plan := c.planOf(speaker.Name)
	i := plannedFor(plan, reported)
	if i < 0 {
		return SentCheck{SentDiffers, "by the objects there is no such session"}
	}
	planned := &plan[i]
	for _, fourOctets := range []bool{true, false} { // No report has that, and the digest is of one of them.
		if adjribout.DigestOf(planned, fourOctets, familiesOf(reported.Families), nextHopsOf(reported)).String() == reported.Digest {
			return SentCheck{Result: SentAgrees}
		}
	}
	return SentCheck{SentDiffers, c.difference(speaker, reported, planned)}
}

// difference says what is known of why a router was sent something else.
func (c *Cluster) difference(speaker *v1beta1.Speaker, reported *v1beta1.BGPSession, planned *announce.Session) string {
	encoder, wanted := adjribout.EncoderOf(planned, true), map[lb.Family]int{}
	for i := range planned.Paths {
		if p := &planned.Paths[i]; notSent(encoder, p, reported) == "" {
			wanted[lb.FamilyOf(p.Prefix.Addr())]++
		}
	}
	text := fmt.Sprintf("%d IPv4 and %d IPv6 prefixes were sent, and the objects ask for %d and %d",
		reported.IPv4, reported.IPv6, wanted[lb.IPv4], wanted[lb.IPv6])
	if int(reported.IPv4) == wanted[lb.IPv4] && int(reported.IPv6) == wanted[lb.IPv6] {
		text += ", which are others or have other attributes"
	}
	if reported.Warning != "" {
		text += ": " + reported.Warning
	}
	for _, line := range c.wrongLines("Speaker", speaker.Status.Conditions) {
		text += "; " + line.Message
	}
	if !c.Settings.Known {
		text += "; that is by the default flags of the programs, since theirs are not seen"
	}
	return text
}

func familiesOf(names []v1beta1.AddressFamily) (families []lb.Family) {
	for _, family := range []lb.Family{lb.IPv4, lb.IPv6} {
		if slices.Contains(names, v1beta1.AddressFamily(family.String())) {
			families = append(families, family)
		}
	}
	return families
}

// nextHopsOf a session as its speaker reports them.
func nextHopsOf(reported *v1beta1.BGPSession) adjribout.NextHops {
	return adjribout.NextHops{IPv4: nextHop(reported.NextHops.IPv4), IPv6: nextHop(reported.NextHops.IPv6)}
}

func nextHop(texts []string) (next adjribout.NextHop) {
	for _, text := range texts {
		addr, err := netip.ParseAddr(text)
		switch {
		case err != nil:
		case addr.Is6() && addr.IsLinkLocalUnicast():
			next.LinkLocal = addr
		default:
			next.Addr = addr
		}
	}
	return next
}
