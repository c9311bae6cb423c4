package reconcile

import (
	"net/netip"

	"k8s.io/apimachinery/pkg/api/meta"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/core/announce"
	"github.com/daymark-lb/daymark/internal/core/lb"
)

// explainer answers whether Services are announced, by the speakers' own rules and by what the speakers report.
func (l *Loop) explainer(s *sight) *announce.Explainer {
	profiles := make(map[string]*lb.BFDProfile, len(s.profiles))
	for _, profile := range s.profiles {
		profiles[profile.Name] = lb.ParseBFDProfile(profile)
	}
	aliases := lb.Aliases{}
	for _, community := range s.communities {
		_ = aliases.AddAliases(community) // what is wrong with it is a condition on it
	}
	members, established := reports(s.nodes, s.speakers)
	t := &l.tables
	return announce.NewExplainer(&announce.World{
		Endpoints:         t.endpoints.Join(s.slices),
		Nodes:             s.nodes,
		Pools:             s.index,
		L2Advertisements:  t.goodL2.Substitute(values(s.l2), (*lb.L2Advertisement).Check),
		BGPAdvertisements: t.goodBGP.Substitute(values(s.bgp), (*lb.BGPAdvertisement).Check),
		Peers:             t.goodPeers.Substitute(values(s.peers), (*lb.Peer).Check),
		Aliases:           aliases,
		BFDProfiles:       profiles,
		Members:           members,
		Established:       established,
		Conflicts:         conflicts(s.speakers),
		Options:           l.options,
	})
}

// reports are which speakers hold layer-2 addresses, and which sessions each has, by node and peer. A speaker whose node
// is down is not there, whatever it said last; one that does not know the others holds nothing.
func reports(nodes []*lb.Node, speakers []*v1beta1.Speaker) (announce.Members, map[string]map[string]bool) {
	down := make(map[string]bool, len(nodes))
	for _, node := range nodes {
		down[node.Name] = node.Down
	}
	members := announce.Members{Known: true}
	established := make(map[string]map[string]bool, len(speakers))
	for _, speaker := range speakers {
		if down[speaker.Name] {
			continue
		}
		if meta.IsStatusConditionTrue(speaker.Status.Conditions, v1beta1.ConditionMembershipKnown) {
			members.Alive = append(members.Alive, speaker.Name)
		}
		peers := map[string]bool{}
		for i := range speaker.Status.BGP {
			session := &speaker.Status.BGP[i]
			peers[session.Peer] = peers[session.Peer] || session.State == v1beta1.BGPEstablished
		}
		established[speaker.Name] = peers
	}
	return members, established
}

// conflicts are the addresses that hosts outside the cluster use, as the speakers say. Of several that say so of one
// address, the first by name is heard, so that the words do not change with the holder.
func conflicts(speakers []*v1beta1.Speaker) map[netip.Addr]announce.Conflict {
	found := map[netip.Addr]announce.Conflict{}
	for _, speaker := range speakers {
		for _, c := range speaker.Status.Layer2.Conflicts {
			addr, err := lb.ParseAddr(c.Address)
			known, heard := found[addr]
			if err != nil || heard && known.Node <= speaker.Name {
				continue
			}
			found[addr] = announce.Conflict{Node: speaker.Name, Interface: c.Interface, MAC: c.MAC, Announced: c.Announced}
		}
	}
	return found
}
