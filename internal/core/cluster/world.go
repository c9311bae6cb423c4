package cluster

import (
	"slices"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/core/announce"
	"github.com/daymark-lb/daymark/internal/core/ipam"
	"github.com/daymark-lb/daymark/internal/core/lb"
)

// AnnounceWorld is what announcing depends on, as far as the objects say: a speaker adds what only its node knows.
func (o *Objects) AnnounceWorld(classes lb.Classes, options announce.Options) announce.World {
	return o.AnnounceWorldOf(o.Owned(classes), options)
}

// AnnounceWorldOf is AnnounceWorld of Services that are known to be served.
func (o *Objects) AnnounceWorldOf(owned []*lb.Service, options announce.Options) announce.World {
	resolved := o.Resolved()
	peers := inForce(o.Peers)
	return announce.World{
		Services: owned, Endpoints: o.Endpoints, Nodes: o.Nodes, Pools: o.Pools,
		L2Advertisements: inForce(o.L2Advertisements), BGPAdvertisements: inForce(resolved.BGPAdvertisements),
		Peers: peers, BFDProfiles: profiles(o.BFDProfiles), Passwords: passwords(peers, o.Secrets),
		Options: options,
	}
}

// ReportedWorld is AnnounceWorld with what the Speaker objects report: what explanations rest on, outside of the nodes.
func (o *Objects) ReportedWorld(classes lb.Classes, options announce.Options) announce.World {
	w, present := o.AnnounceWorld(classes, options), Present(o.Nodes, o.Speakers)
	w.Members, w.Established = Report(present)
	w.HeldBack, w.Overridden = heldBack(o.Speakers), overridden(present)
	w.Conflicts, w.StandIns = Conflicts(present, w.Services), StandIns(present)
	w.ProxyUnhealthy = proxyUnhealthy(o.Speakers)
	w.Links, w.Reported = o.ReportedLinks(), true
	w.NodeAddresses = nodeAddresses(o.Nodes, o.Speakers, w.Services)
	return w
}

// AddressWorld is what the assignment of addresses depends on.
func (o *Objects) AddressWorld(now time.Time, classes lb.Classes, poolGrace time.Duration, memory ipam.Memory) ipam.World {
	return ipam.World{
		Now: now, Classes: classes, PoolGrace: poolGrace, Memory: memory,
		Services: o.Services, Pools: o.Pools, Reservations: o.Reservations, Namespaces: o.Namespaces, Nodes: o.Nodes,
		NodeNetworks: nodeNetworks(o.Speakers), PeerAddresses: lb.PeerAddresses(inForce(o.Peers), o.Nodes),
		ServiceCIDRs: o.ServiceCIDRs, Withdrawals: withdrawals(o.Nodes, o.Speakers),
	}
}

// nodeNetworks are what Speaker objects say of the nodes' networks. That of a node that is down counts: it may come back.
func nodeNetworks(speakers []*v1beta1.Speaker) []lb.NodeNetwork {
	networks := make([]lb.NodeNetwork, len(speakers))
	for i, speaker := range speakers {
		networks[i] = lb.ParseNodeNetwork(speaker)
	}
	return networks
}

// withdrawals are what Speaker objects say of withdrawn Services, without those of nodes that are down or gone, and of speakers
// that are: nobody waits for them.
func withdrawals(nodes []*lb.Node, speakers []*v1beta1.Speaker) []ipam.Withdrawal {
	up, down := make(map[string]bool, len(nodes)), downNodes(nodes, speakers)
	for _, node := range nodes {
		up[node.Name] = !down[node.Name]
	}
	list := make([]ipam.Withdrawal, 0, len(speakers))
	for _, speaker := range speakers {
		if up[speaker.Name] && !lb.SpeakerGone(speaker) {
			version, _ := strconv.ParseUint(speaker.Status.Withdrawn, 10, 64) // 0 when nothing is said
			list = append(list, ipam.Withdrawal{Node: speaker.Name, Version: version})
		}
	}
	return list
}

// Owned are the Services of the classes that Daymark serves, without those whose addresses are being withdrawn.
func (o *Objects) Owned(classes lb.Classes) []*lb.Service {
	owned := make([]*lb.Service, 0, len(o.Services))
	for _, s := range o.Services {
		if Announced(classes, s) {
			owned = append(owned, s)
		}
	}
	return owned
}

// Announced reports whether a Service is of a class that Daymark serves, and its addresses are not being withdrawn.
func Announced(classes lb.Classes, s *lb.Service) bool {
	return classes.Ours(s) && !s.Provenance.Withdrawing
}

// Resolved returns the objects with the communities that the names in BGPAdvertisements stand for.
func (o *Objects) Resolved() Objects {
	resolved := *o
	aliases, _ := lb.NewAliases(o.Communities)
	resolved.BGPAdvertisements = make([]*lb.BGPAdvertisement, len(o.BGPAdvertisements))
	for i, advertisement := range o.BGPAdvertisements {
		resolved.BGPAdvertisements[i] = advertisement.Resolve(aliases)
	}
	return resolved
}

// Known is what advertisements may name.
func (o *Objects) Known() *lb.Known {
	return lb.NewKnown(o.Pools, o.Peers, o.Nodes, o.ReportedLinks(), true)
}

// inForce are values, with what the controller accepted last in the place of each that cannot be understood.
func inForce[V lb.Remembered[V]](values []V) []V {
	var none V
	list := make([]V, len(values))
	for i, value := range values {
		list[i] = lb.InForce(value, none)
	}
	return list
}

// profiles are BFD profiles by name.
func profiles(list []*lb.BFDProfile) map[string]*lb.BFDProfile {
	byName := make(map[string]*lb.BFDProfile, len(list))
	for _, profile := range list {
		byName[profile.Name] = profile
	}
	return byName
}

// passwords are the values of the Secrets that peers refer to. A reference to a value that does not exist or cannot be used has no
// entry.
func passwords(peers []*lb.Peer, secrets []*corev1.Secret) map[lb.SecretKey]string {
	found := map[lb.SecretKey]string{}
	for _, peer := range peers {
		keys := []*lb.SecretKey{peer.Password}
		if peer.Accepted != nil {
			keys = append(keys, peer.Accepted.Password)
		}
		for _, key := range keys {
			if password, usable := passwordIn(secrets, key); usable {
				found[*key] = password
			}
		}
	}
	return found
}

// passwordIn is the password under a key of a Secret, if it can be used. No key has none.
func passwordIn(secrets []*corev1.Secret, key *lb.SecretKey) (password string, usable bool) {
	i := slices.IndexFunc(secrets, func(s *corev1.Secret) bool { return key != nil && s.Name == key.Name })
	if i < 0 {
		return "", false
	}
	password, _, err := lb.ParsePassword(secrets[i].Data[key.Key])
	return password, err == nil
}
