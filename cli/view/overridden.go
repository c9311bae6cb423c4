package view

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/core/announce"
	"github.com/daymark-lb/daymark/internal/core/cluster"
	"github.com/daymark-lb/daymark/internal/core/lb"
	"github.com/daymark-lb/daymark/internal/core/status"
)

// Of the BGPPeers that lead a node to one router the oldest has the session. The others are overridden: the router is told what is meant for
// the oldest, and nothing by them.

// overriddenPeer is what the speakers report of a BGPPeer that is younger than another one with the same router.
type overriddenPeer struct {
	// by are the older BGPPeers, in order; none: it is overridden nowhere.
	by []string
	// nodes on which it is.
	nodes int32
	// alone: no session of it is down for another reason.
	alone bool
}

func (c *Cluster) overridden(peer string) overriddenPeer {
	found := overriddenPeer{alone: true}
	for _, s := range all[*v1beta1.Speaker](c) {
		if lb.SpeakerGone(s) {
			continue // what it said is old
		}
		here := false
		for i := range s.Status.BGP {
			session := &s.Status.BGP[i]
			if session.Peer != peer {
				continue
			}
			if older := cluster.OlderPeer(session); older != "" {
				found.by, here = append(found.by, older), true
			} else if session.State != v1beta1.BGPEstablished {
				found.alone = false
			}
		}
		if here {
			found.nodes++
		}
	}
	slices.Sort(found.by)
	found.by = slices.Compact(found.by)
	found.alone = found.alone && len(found.by) > 0
	return found
}

// overrides are the BGPPeers, in order, that one overrides.
func (c *Cluster) overrides(peer string) (younger []string) {
	for _, raw := range all[*v1beta1.BGPPeer](c) {
		if slices.Contains(c.overridden(raw.Name).by, peer) {
			younger = append(younger, raw.Name)
		}
	}
	return younger
}

// advertisementsFor are the BGPAdvertisements that are meant for a BGPPeer, and for none of some others.
func (c *Cluster) advertisementsFor(peer string, others ...string) (names []string) {
	known := c.Parsed.Known()
	for _, a := range c.Parsed.BGPAdvertisements {
		a = lb.InForce(a, nil).Keeping(known)
		if a.MatchesPeer(peer) && !slices.ContainsFunc(others, a.MatchesPeer) {
			names = append(names, a.Name)
		}
	}
	return names
}

// remedy says what can be done about a BGPPeer that is overridden.
func (c *Cluster) remedyOf(peer string, o *overriddenPeer) string {
	by := strings.Join(o.by, " and ")
	text := fmt.Sprintf("Delete %s, and the sessions go on under the name of %s; or delete %[2]s, or lead it to another router.", by, peer)
	if missing := c.advertisementsFor(peer, o.by...); len(missing) > 0 && c.sees(resourceAdvertisements) {
		text += fmt.Sprintf(" Until then, name %s as well in peers of BGPAdvertisement %s: the router is not told of what is for %s alone.",
			by, strings.Join(missing, " and "), peer)
	}
	return text
}

// peerConditions are those of a BGPPeer. That it is overridden is nothing that could be mended on the node, in the network or on the router.
func (c *Cluster) peerConditions(raw *v1beta1.BGPPeer) []ConditionLine {
	lines, o := c.conditionLines("BGPPeer", raw.Status.Conditions), c.overridden(raw.Name)
	for i := range lines {
		l := &lines[i]
		if len(o.by) == 0 || l.Type != v1beta1.ConditionSessionsEstablished || l.Reason != status.NotEstablished.Name {
			continue
		}
		text := c.remedyOf(raw.Name, &o)
		if !o.alone {
			text = l.Remedy + " " + text
		}
		l.Remedy = text
	}
	return lines
}

// untold are sessions of a node that are overridden, where the router is not told of an address that is meant for it.
func untold(node *NodeStory, peer *PeerStory, address string) (found []Problem) {
	for i := range peer.Sessions {
		s := &peer.Sessions[i]
		older := slices.IndexFunc(node.Peers, func(p PeerStory) bool { return p.Peer == s.OverriddenBy })
		if older < 0 || node.Peers[older].Does || node.Peers[older].Against.Reason != notForPeer {
			continue
		}
		found = append(found, Problem{
			Severity: Warning, Kind: "BGPPeer", Name: peer.Peer, Reason: peer.Against.Reason, Since: &s.Since,
			Message: fmt.Sprintf("node %s: the router %s is not told of %s: BGPPeer %s is older and has the session, and no BGPAdvertisement of the address is for it",
				node.Node, s.Address, address, s.OverriddenBy),
			Remedy: peer.Against.Remedy, Command: "kubectl daymark explain peer " + peer.Peer, about: []subject{nodeSubject(node.Node)},
		})
	}
	return found
}

// notByOlder says why the session of an older BGPPeer with the same router does not carry a path that is meant for an overridden one; empty:
// it does.
func (c *Cluster) notByOlder(x *SessionRoutes, p *announce.Path) string {
	plan := c.planOf(x.Node)
	i := slices.IndexFunc(plan, func(s announce.Session) bool { return s.Peer == x.OverriddenBy && s.Address.String() == x.Address })
	if i < 0 {
		return ""
	}
	at, found := slices.BinarySearchFunc(plan[i].Paths, p.Prefix, func(p announce.Path, prefix netip.Prefix) int { return p.Prefix.Compare(prefix) })
	switch {
	case !found:
		return "not for " + x.OverriddenBy
	case !plan[i].Paths[at].Attributes.Equal(*p.Attributes):
		return "otherwise for " + x.OverriddenBy
	}
	return ""
}
