package announce

import (
	"net/netip"
	"path"
	"slices"

	"github.com/daymark-lb/daymark/internal/core/lb"
)

// internalLinks are the interfaces that lead to containers, tunnels and virtual switches of the node itself. An
// advertisement that names no interface does not use them.
var internalLinks = []string{
	"veth*", "cali*", "cilium_*", "lxc*", "cni*", "flannel*", "weave*", "kube-*", "nodelocaldns", "docker*", "podman*",
	"br-*", "virbr*", "vnet*", "tap*", "tun*", "tunl*", "vxlan*", "geneve*", "gre*", "ip6tnl*", "sit*", "wg*",
	"tailscale*", "zt*", "ovs-*", "genev_sys_*", "antrea-*", "dummy*", "ifb*",
}

// RelevantLinks are those links of a node that the other nodes need to know: it may announce on them, somebody may have
// meant it to, or they have addresses that nobody may announce, or MAC addresses that are no strangers'. It leaves out the
// many links to the node's own containers, which come and go.
func RelevantLinks(links []lb.Link, advertisements []*lb.L2Advertisement) []lb.Link {
	var relevant []lb.Link
	for i := range links {
		link := &links[i]
		named := isNamed(link, advertisements)
		addressed := len(link.Local) > 0 || slices.ContainsFunc(link.Addresses, func(p netip.Prefix) bool { return p.Addr().IsGlobalUnicast() })
		member := link.Enslaved && !isInternal(link.Name)
		if usable(link) && (named || !isInternal(link.Name)) || (addressed || member) && !link.OfServiceProxy() {
			relevant = append(relevant, *link)
		}
	}
	return relevant
}

// AnsweringLinks are the relevant links on which a node may answer for a family at least, by what the advertisements name.
func AnsweringLinks(links []lb.Link, advertisements []*lb.L2Advertisement) []lb.Link {
	var answering []lb.Link
	for i := range links {
		link := &links[i]
		named := isNamed(link, advertisements)
		if (named || !isInternal(link.Name)) && (link.Answers(lb.IPv4) || link.Answers(lb.IPv6)) {
			answering = append(answering, *link)
		}
	}
	return answering
}

// isNamed reports whether an advertisement names an interface, or did before it was edited: that may count still.
func isNamed(link *lb.Link, advertisements []*lb.L2Advertisement) bool {
	names := func(a *lb.L2Advertisement) bool {
		return a != nil && len(a.Interfaces) > 0 && a.MatchesInterface(link.Name)
	}
	return slices.ContainsFunc(advertisements, func(a *lb.L2Advertisement) bool { return names(a) || names(a.Accepted) })
}

// LinkUp reports whether an interface that is up has an address.
func LinkUp(links []lb.Link, addr netip.Addr) bool {
	return slices.ContainsFunc(links, func(link lb.Link) bool {
		return link.Up && slices.ContainsFunc(link.Addresses, func(p netip.Prefix) bool { return p.Addr() == addr })
	})
}

// usable reports whether an interface can have neighbors to answer.
func usable(link *lb.Link) bool { return link.Up && !link.NoARP && !link.Enslaved }

// isInternal reports whether an interface is one of internalLinks, by its name.
func isInternal(name string) bool {
	return slices.ContainsFunc(internalLinks, func(glob string) bool {
		matched, _ := path.Match(glob, name)
		return matched
	})
}
