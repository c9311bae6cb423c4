package announce

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/daymark-lb/daymark/internal/core/lb"
)

// resolveSource fills in the address to connect from where the peer gives one, or says where each node finds its own, for the session's
// router. It returns what is missing in words; "" if nothing is.
func (r *rules) resolveSource(s *Session, peer *lb.Peer, n *lb.Node) string {
	var source netip.Addr
	var err error
	field, family := "sourceFrom", lb.FamilyOf(s.Address)
	switch {
	case peer.SourceAnnotation != "":
		source, err = r.annotatedSource(peer.SourceAnnotation, s.Address, n)
	case peer.SourceInterface != "":
		source, err = r.interfaceSource(peer.SourceInterface, family, n)
	case peer.Source.IsValid():
		field, source, err = "sourceAddress", peer.Source, r.checkOwn(peer.Source, n)
	default:
		return ""
	}
	s.Source = source
	if err == nil {
		return ""
	}
	before := r.world.LocalEnds[peer.Name]
	return r.keepSource(s, fmt.Sprintf("%s: %v", field, err), before.source(family), n)
}

// checkOwn returns that an address is none of the node's; nil when it is, or when only the speaker there can know.
func (r *rules) checkOwn(addr netip.Addr, n *lb.Node) error {
	if r.world.Reported || addr.IsUnspecified() || r.isOwn(addr, "") {
		return nil
	}
	return fmt.Errorf("no interface of node %s has %s", n.Name, addr)
}

// interfaceSource is the address of a family on an interface of this node.
func (r *rules) interfaceSource(name string, family lb.Family, n *lb.Node) (netip.Addr, error) {
	link := r.ownLink(name)
	if link == nil {
		return netip.Addr{}, fmt.Errorf("node %s has no interface %s", n.Name, name)
	}
	addr, found := addressOn(link, family, n)
	if !found {
		return netip.Addr{}, fmt.Errorf("interface %s of node %s has no %s address", name, n.Name, family)
	}
	return addr, nil
}

// keepSource leaves a session the source address that it had, if it may still have that, since something is wrong with the one that it is to
// have. It returns what is wrong where that is not so, else "".
func (r *rules) keepSource(s *Session, wrong string, before netip.Addr, n *lb.Node) string {
	s.Source = netip.Addr{}
	switch {
	case !before.IsValid() || lb.CheckSource(before, s.Address) != nil || r.checkOwn(before, n) != nil:
		return wrong
	case before.IsUnspecified():
		s.Warnings = append(s.Warnings, wrong+": the session goes on from the address that the kernel chooses, as it did")
	default:
		s.Source = before
		s.Warnings = append(s.Warnings, fmt.Sprintf("%s: %s, which it had, goes on", wrong, before))
	}
	return ""
}

// annotatedSource is the address of a router's family in an annotation of a node; an invalid one if it leaves that to the kernel.
func (r *rules) annotatedSource(key string, router netip.Addr, n *lb.Node) (netip.Addr, error) {
	text := strings.TrimSpace(n.Annotations[key])
	if text == "" {
		return netip.Addr{}, fmt.Errorf("node %s has no annotation %s", n.Name, key)
	}
	family := lb.FamilyOf(router)
	for _, item := range lb.AnnotatedAddresses(text) {
		addr, err := lb.ParseAddr(item)
		if err == nil && lb.FamilyOf(addr) == family {
			err = cmp.Or(lb.CheckSource(addr, router), r.checkOwn(addr, n))
		}
		if err != nil {
			return netip.Addr{}, fmt.Errorf("annotation %s of node %s: %w", key, n.Name, err)
		}
		switch {
		case lb.FamilyOf(addr) != family:
		case addr.IsUnspecified():
			return netip.Addr{}, nil
		default:
			return addr, nil
		}
	}
	return netip.Addr{}, fmt.Errorf("annotation %s of node %s has no %s address", key, n.Name, family)
}

// resolveRouterID fills in the BGP identifier from an annotation of the node, or else the one that it had, where the peer says so. It
// returns what is wrong in words; "" if nothing is.
func (r *rules) resolveRouterID(s *Session, peer *lb.Peer, n *lb.Node) string {
	if peer.RouterIDAnnotation == "" {
		return ""
	}
	id, err := annotatedRouterID(peer.RouterIDAnnotation, n)
	before := r.world.LocalEnds[peer.Name].RouterID
	switch {
	case err == nil:
		s.RouterID = id
	case before.IsValid() && lb.CheckRouterID(before) == nil:
		s.RouterID = before
		s.Warnings = append(s.Warnings, fmt.Sprintf("routerIDFrom: %v: %s, which it had, goes on", err, before))
	default:
		s.RouterID = netip.Addr{}
		return fmt.Sprintf("routerIDFrom: %v", err)
	}
	return ""
}

// annotatedRouterID is the BGP identifier in an annotation of a node.
func annotatedRouterID(key string, n *lb.Node) (netip.Addr, error) {
	text := strings.TrimSpace(n.Annotations[key])
	if text == "" {
		return netip.Addr{}, fmt.Errorf("node %s has no annotation %s", n.Name, key)
	}
	id, err := lb.ParseAddr(text)
	if err == nil {
		err = lb.CheckRouterID(id)
	}
	if err != nil {
		return netip.Addr{}, fmt.Errorf("annotation %s of node %s: %w", key, n.Name, err)
	}
	return id, nil
}

// ownLink is an interface of this node by name; nil if there is none.
func (r *rules) ownLink(name string) *lb.Link {
	for i := range r.world.OwnLinks {
		if link := &r.world.OwnLinks[i]; link.Name == name {
			return link
		}
	}
	return nil
}

// addressOn returns the address of an interface that routers are told of: of several the node's InternalIP comes first, then
// one with a subnet, then the lowest.
func addressOn(link *lb.Link, family lb.Family, n *lb.Node) (netip.Addr, bool) {
	var known []netip.Prefix
	for _, prefix := range link.Addresses {
		addr := prefix.Addr()
		if lb.FamilyOf(addr) == family && addr.IsGlobalUnicast() && !slices.Contains(link.NotPreferred, addr) {
			known = append(known, prefix)
		}
	}
	if len(known) == 0 || link.OfServiceProxy() {
		return netip.Addr{}, false
	}
	rank := func(p netip.Prefix) int {
		switch {
		case slices.Contains(n.Addresses, p.Addr()):
			return 0
		case !p.IsSingleIP():
			return 1
		default:
			return 2
		}
	}
	best := slices.MinFunc(known, func(a, b netip.Prefix) int {
		return cmp.Or(cmp.Compare(rank(a), rank(b)), a.Addr().Compare(b.Addr()))
	})
	return best.Addr(), true
}
