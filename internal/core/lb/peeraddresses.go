package lb

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"
)

// PeerAddress is an address at which nodes have a router.
type PeerAddress struct {
	Addr netip.Addr
	// Peer is the name of the BGPPeer that leads there.
	Peer string
}

// PeerAddresses are those of the routers that BGPPeers name, themselves or by an annotation of nodes that they select, in order of address. They
// are without link-local ones, which no Service has, and default gateways, which the nodes report.
func PeerAddresses(peers []*Peer, nodes []*Node) []PeerAddress {
	var found []PeerAddress
	add := func(peer *Peer, addr netip.Addr) {
		if addr.IsValid() && !addr.IsLinkLocalUnicast() {
			found = append(found, PeerAddress{addr, peer.Name})
		}
	}
	for _, peer := range peers {
		if add(peer, peer.Address); peer.NodeAnnotation == "" {
			continue
		}
		for _, node := range nodes {
			value := node.Annotations[peer.NodeAnnotation]
			if value == "" || !peer.NodeSelectors.Match(node.Labels) {
				continue
			}
			parts := AnnotatedAddresses(value)
			for _, text := range parts[:min(len(parts), MaxAnnotatedRouters)] {
				addr, _ := ParsePeerAddr(text) // The node's session says what is wrong.
				add(peer, addr)
			}
		}
	}
	slices.SortFunc(found, func(a, b PeerAddress) int { return cmp.Or(a.Addr.Compare(b.Addr), strings.Compare(a.Peer, b.Peer)) })
	return slices.Compact(found)
}
