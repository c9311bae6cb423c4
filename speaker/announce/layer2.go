package announce

import (
	"fmt"
	"net/netip"
	"path"
	"slices"

	"github.com/daymark-lb/daymark/internal/lb"
	"github.com/daymark-lb/daymark/speaker/election"
)

// foreignLinks are interfaces that lead to containers, tunnels and virtual switches of the node itself. An
// advertisement that names no interface leaves them out.
var foreignLinks = []string{
	"veth*", "cali*", "cilium_*", "lxc*", "cni*", "flannel*", "weave*", "kube-*", "nodelocaldns", "docker*", "podman*",
	"br-*", "virbr*", "vnet*", "tap*", "tun*", "tunl*", "vxlan*", "geneve*", "gre*", "ip6tnl*", "sit*", "wg*",
	"tailscale*", "zt*", "ovs-*", "genev_sys_*", "antrea-*", "dummy*", "ifb*",
}

// layer2 is what this node answers for, and what it should and cannot. A speaker that has not met the others answers for
// nothing: to think itself alone would put two holders on the segment.
func (r *rules) layer2() (held []Layer2Address, unheld []string) {
	if !r.world.Members.Known || len(r.l2) == 0 {
		return nil, nil
	}
	claims := map[netip.Addr]*claim{}
	for _, s := range r.world.Services {
		for _, addr := range s.Ingress {
			r.addClaim(claims, r.address(s, addr))
		}
	}
	for addr, c := range claims {
		holder, ok := election.Holder(addr, c.candidates)
		if !ok || holder.Node != r.world.Node {
			continue
		}
		interfaces := r.interfaces(addr, c.matches)
		if len(interfaces) == 0 {
			unheld = append(unheld, fmt.Sprintf("%s is for this node to hold, and no interface that is up and matches the advertisement leads to its neighbors", addr))
			continue
		}
		held = append(held, Layer2Address{addr, interfaces})
	}
	slices.SortFunc(held, func(a, b Layer2Address) int { return a.Addr.Compare(b.Addr) })
	slices.Sort(unheld)
	return held, unheld
}

// claim gathers the nodes that may hold an address, over all Services that share it.
type claim struct {
	candidates []election.Candidate
	matches    set
}

// addClaim narrows the candidates of an address to those that can serve all Services that share it: it has one holder,
// and that one gets the traffic of all. A Service that nobody can serve at the moment narrows nothing.
func (r *rules) addClaim(claims map[netip.Addr]*claim, a address) {
	matches := r.l2Matches(a)
	if len(matches) == 0 {
		return
	}
	candidates := r.servers(a, r.l2Candidates(matches))
	if len(candidates) == 0 {
		return
	}
	known, ok := claims[a.addr]
	if !ok {
		claims[a.addr] = &claim{candidates, matches}
		return
	}
	if both := intersect(known.candidates, candidates); len(both) > 0 {
		known.candidates = both
	}
	known.matches = known.matches.union(matches)
}

// servers are the candidates that can serve an address.
func (r *rules) servers(a address, candidates []election.Candidate) []election.Candidate {
	endpoints, family := r.world.Endpoints[a.service.Key], lb.FamilyOf(a.addr)
	if !a.service.Local {
		if !endpoints.Any(family) {
			return nil
		}
		return candidates
	}
	var local []election.Candidate
	for _, c := range candidates {
		if endpoints.On(c.Node).Of(family).Serving > 0 {
			local = append(local, c)
		}
	}
	return local
}

func intersect(a, b []election.Candidate) []election.Candidate {
	var both []election.Candidate
	for _, c := range a {
		if slices.ContainsFunc(b, func(other election.Candidate) bool { return other.Node == c.Node }) {
			both = append(both, c)
		}
	}
	return both
}

// interfaces are those of this node that the advertisements select. Where some have the address's own subnet, only
// those, whatever their names: the segment whose hosts ask for the address is theirs.
func (r *rules) interfaces(addr netip.Addr, matches set) []string {
	var names, onLink []string
	me := r.place(r.world.Node)
	for i := range r.world.Links {
		link := &r.world.Links[i]
		if !link.Up || link.NoARP || link.Enslaved {
			continue
		}
		named, chosen := r.announcesOn(link.Name, matches, me)
		switch {
		case chosen && link.OnLink(addr):
			onLink = append(onLink, link.Name)
		case named || chosen && !foreign(link.Name):
			names = append(names, link.Name)
		}
	}
	if len(onLink) > 0 {
		names = onLink
	}
	slices.Sort(names)
	return names
}

// announcesOn reports whether one of the advertisements that select this node announces on an interface, and whether it
// names it.
func (r *rules) announcesOn(name string, matches set, me int) (named, chosen bool) {
	for place := range matches.all() {
		rule := &r.l2[place]
		if me >= 0 && rule.weights[me] >= 0 && rule.MatchesInterface(name) {
			named, chosen = named || len(rule.Interfaces) > 0, true
		}
	}
	return named, chosen
}

func foreign(name string) bool {
	return slices.ContainsFunc(foreignLinks, func(glob string) bool {
		matched, _ := path.Match(glob, name)
		return matched
	})
}
