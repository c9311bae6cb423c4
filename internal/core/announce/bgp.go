package announce

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/daymark-lb/daymark/internal/core/lb"
)

// sessions of this node, with the paths each peer is told.
func (r *rules) sessions() []Session {
	me := r.place(r.world.Node)
	if me < 0 {
		// The Node object is gone: whatever this process is, it is no node of the cluster.
		return nil
	}
	routes := r.routes(me)
	// Peers that hear the same advertisements share one list of paths.
	paths := map[set][]Path{}
	var sessions []Session
	for _, peer := range r.peers {
		if !peer.NodeSelectors.Match(r.nodes[me].Labels) {
			continue
		}
		heard := r.heardBy(peer)
		if _, ok := paths[heard]; !ok {
			paths[heard] = r.paths(routes, heard)
		}
		for _, session := range r.sessionsWith(peer, r.nodes[me].Node) {
			session.Paths = paths[heard]
			session.Links = [2]int{r.linkIndex(session.Address.Zone()), r.linkIndex(session.VRF)}
			session.Distant = r.distant(&session, peer)
			sessions = append(sessions, session)
		}
	}
	r.keepApart(sessions)
	slices.SortFunc(sessions, func(a, b Session) int { return strings.Compare(a.Name, b.Name) })
	return sessions
}

// unnumbered are the interfaces that this node's peers are at the other end of.
func (r *rules) unnumbered() []string {
	me := r.place(r.world.Node)
	var interfaces []string
	for _, peer := range r.peers {
		if me >= 0 && peer.Interface != "" && peer.NodeSelectors.Match(r.nodes[me].Labels) {
			interfaces = append(interfaces, peer.Interface)
		}
	}
	slices.Sort(interfaces)
	return slices.Compact(interfaces)
}

// linkIndex of an interface of this node, by name.
func (r *rules) linkIndex(name string) int {
	for i := range r.world.OwnLinks {
		if link := &r.world.OwnLinks[i]; link.Name == name {
			return link.Index
		}
	}
	return 0
}

// distant reports whether a router is more than one hop away: one of our own AS may be anywhere.
func (r *rules) distant(s *Session, peer *lb.Peer) bool {
	return s.MultiHop || !peer.External() && !s.Address.IsLinkLocalUnicast() &&
		!slices.ContainsFunc(r.world.OwnLinks, func(link lb.Link) bool { return link.OnLink(s.Address) })
}

// keepApart leaves a router that several BGPPeers name to the oldest of them that can have it: the router would drop one
// session for the other, again and again. It puts the sessions in the order of their peers' age.
func (r *rules) keepApart(sessions []Session) {
	type place struct {
		vrf  string
		addr netip.AddrPort
	}
	created := make(map[string]time.Time, len(r.peers))
	for _, peer := range r.peers {
		created[peer.Name] = peer.Created
	}
	slices.SortStableFunc(sessions, func(a, b Session) int { return created[a.Peer].Compare(created[b.Peer]) })
	first := map[place]*Session{}
	for i := range sessions {
		session := &sessions[i]
		at := place{session.VRF, netip.AddrPortFrom(session.Address, session.Port)}
		if !session.Address.IsValid() || session.Problem != "" && !r.world.Running[session.Name] {
			continue
		}
		if other := first[at]; other == nil {
			first[at] = session
		} else if session.Problem == "" {
			session.Problem = fmt.Sprintf("BGPPeer %s names the same router, %s, and is older", other.Peer, at.addr)
		}
	}
}

// route is an address that this node announces, with the advertisements that say so.
type route struct {
	addr    netip.Addr
	matches set
}

func (r *rules) routes(me int) []route {
	if r.nodes[me].refusal != Eligible || len(r.bgp) == 0 {
		return nil
	}
	routes := make([]route, 0, len(r.world.Services))
	for _, s := range r.world.Services {
		for _, addr := range s.Ingress {
			a := r.address(s, addr)
			matches := r.bgpMatches(a).where(func(place int) bool { return r.bgp[place].selected[me] })
			if len(matches) > 0 && r.serving(a, r.world.Node) {
				routes = append(routes, route{addr, matches})
			}
		}
	}
	return routes
}

// heardBy are the advertisements meant for a peer.
func (r *rules) heardBy(peer *lb.Peer) set {
	var heard set
	for i := range r.bgp {
		if r.bgp[i].MatchesPeer(peer.Name) {
			heard += r.bgp[i].self
		}
	}
	return heard
}

// paths joins routes into prefixes. Where several advertisements announce a prefix, their communities are united and
// the oldest decides the rest.
func (r *rules) paths(routes []route, heard set) []Path {
	type advertised struct {
		prefix netip.Prefix
		by     set
	}
	all := make([]advertised, 0, len(routes))
	for _, route := range routes {
		for place := range route.matches.all() {
			if !heard.has(place) {
				continue
			}
			prefix, err := route.addr.Prefix(r.bgp[place].Length(lb.FamilyOf(route.addr)))
			if err != nil {
				continue // the schema keeps the length within the family's bits
			}
			all = append(all, advertised{prefix, r.bgp[place].self})
		}
	}
	slices.SortFunc(all, func(a, b advertised) int { return a.prefix.Compare(b.prefix) })
	attributes := map[set]*Attributes{}
	paths := make([]Path, 0, len(all))
	for i := 0; i < len(all); {
		prefix, matches := all[i].prefix, all[i].by
		for i++; i < len(all) && all[i].prefix == prefix; i++ {
			matches = matches.union(all[i].by)
		}
		if attributes[matches] == nil {
			attributes[matches] = r.attributes(matches)
		}
		paths = append(paths, Path{prefix, attributes[matches]})
	}
	return paths
}

// attributes of paths that a set of advertisements, in order of age, announces: for each attribute the oldest that sets
// it decides.
func (r *rules) attributes(matches set) *Attributes {
	united := &Attributes{}
	for place := range matches.all() {
		adv := &r.bgp[place]
		united.LocalPref = cmp.Or(united.LocalPref, adv.LocalPref)
		united.MED = cmp.Or(united.MED, adv.MED)
		united.Prepend = cmp.Or(united.Prepend, adv.Prepend)
		united.Communities = append(united.Communities, adv.communities...)
	}
	slices.SortFunc(united.Communities, lb.Community.Compare)
	united.Communities = slices.Compact(united.Communities)
	return united
}

// sessionsWith makes the sessions of a node with a peer: one, or one for each address in the node's annotation, or for
// each of its default gateways.
func (r *rules) sessionsWith(peer *lb.Peer, n *lb.Node) []Session {
	base := Session{
		Name: peer.Name, Peer: peer.Name,
		MyASN: peer.MyASN, LocalASN: peer.LocalASN, PeerASN: peer.PeerASN, Dynamic: peer.Dynamic,
		Address: peer.Address, Port: peer.Port, Source: peer.Source, RouterID: routerID(peer, n),
		HoldTime: peer.HoldTime, KeepaliveTime: peer.KeepaliveTime, ConnectTime: peer.ConnectTime,
		MultiHop: peer.MultiHop, TTLSecurity: peer.TTLSecurity, RestartTime: peer.RestartTime, VRF: peer.VRF,
	}
	base.Problem = r.refer(peer, &base)
	switch {
	case peer.NodeAnnotation != "":
		return annotated(base, peer, n)
	case peer.GatewayFamily != 0:
		return r.gateways(base, peer, n)
	case peer.Interface != "":
		router, heard := r.world.Routers[peer.Interface]
		if !heard && base.Problem == "" {
			base.Problem = fmt.Sprintf("no router has been heard on interface %s", peer.Interface)
		}
		base.reach(router, peer, n)
	default:
		base.reach(base.Address, peer, n)
	}
	return []Session{base}
}

// gateways makes a session for each of the node's default gateways. The first bears the name of the peer alone, so that
// it stays the same session while the route is gone for a moment.
func (r *rules) gateways(base Session, peer *lb.Peer, n *lb.Node) []Session {
	var sessions []Session
	for _, gateway := range r.world.Gateways {
		if lb.FamilyOf(gateway) != peer.GatewayFamily {
			continue
		}
		session := base
		if len(sessions) > 0 {
			session.Name = peer.Name + "/" + gateway.String()
		}
		session.reach(gateway, peer, n)
		sessions = append(sessions, session)
	}
	if len(sessions) == 0 {
		if base.Problem == "" {
			base.Problem = fmt.Sprintf("the node has no %s default gateway", peer.GatewayFamily)
		}
		base.Unknown = true
		base.reach(netip.Addr{}, peer, n)
		sessions = append(sessions, base)
	}
	return sessions
}

// refer fills in what the peer refers to by name, and says what of it is not to be had.
func (r *rules) refer(peer *lb.Peer, session *Session) string {
	if peer.Err != nil {
		return peer.Err.Error()
	}
	if peer.BFDProfile != "" {
		profile, ok := r.world.BFDProfiles[peer.BFDProfile]
		if !ok {
			return fmt.Sprintf("BFDProfile %s does not exist", peer.BFDProfile)
		}
		session.BFD = profile
	}
	if peer.Password != nil {
		password, ok := r.world.Passwords[*peer.Password]
		if !ok {
			return fmt.Sprintf("Secret %s with key %s does not exist", peer.Password.Name, peer.Password.Key)
		}
		session.Password = password
	}
	return ""
}

// annotated makes a session for each address in a node's annotation.
func annotated(base Session, peer *lb.Peer, n *lb.Node) []Session {
	var sessions []Session
	for text := range strings.SplitSeq(n.Annotations[peer.NodeAnnotation], ",") {
		session := base
		addr, err := lb.ParseAddr(text)
		session.Unknown = err != nil && strings.TrimSpace(n.Annotations[peer.NodeAnnotation]) != ""
		if err != nil && session.Problem == "" {
			session.Problem = fmt.Sprintf("annotation %s of node %s: %v", peer.NodeAnnotation, n.Name, err)
		}
		if err == nil {
			session.Name = peer.Name + "/" + addr.String()
		}
		if slices.ContainsFunc(sessions, func(s Session) bool { return s.Name == session.Name }) {
			continue // Said twice, or a second slip.
		}
		session.reach(addr, peer, n)
		sessions = append(sessions, session)
	}
	return sessions
}

// reach sets the router's address and what depends on it.
func (s *Session) reach(addr netip.Addr, peer *lb.Peer, n *lb.Node) {
	s.Address = addr
	s.Families = familiesOf(peer, addr)
	s.NextHop4, _ = n.Address(lb.IPv4)
	s.NextHop6, _ = n.Address(lb.IPv6)
}

// carries reports whether prefixes of a family can be announced over the session. IPv4 needs no next hop of its own: over
// IPv6 the next hop is this end of the session (RFC 8950).
func (s *Session) carries(family lb.Family) bool {
	return slices.Contains(s.Families, family) && (family == lb.IPv4 || !s.Address.Is4() || s.NextHop6.IsValid())
}

func familiesOf(peer *lb.Peer, addr netip.Addr) []lb.Family {
	switch {
	case len(peer.Families) > 0:
		return peer.Families
	case peer.GatewayFamily != 0:
		return []lb.Family{peer.GatewayFamily}
	case peer.Interface == "" && addr.IsValid():
		return []lb.Family{lb.FamilyOf(addr)}
	default:
		return []lb.Family{lb.IPv4, lb.IPv6}
	}
}

// routerID is what the peer says, or the node's IPv4 address, or a number made from its name: the BGP identifier must
// differ between nodes and stay the same over restarts (RFC 6286), no more.
func routerID(peer *lb.Peer, n *lb.Node) netip.Addr {
	if peer.RouterID.IsValid() {
		return peer.RouterID
	}
	if addr, ok := n.Address(lb.IPv4); ok {
		return addr
	}
	hash := fnv.New32a()
	hash.Write([]byte(n.Name))
	var id [4]byte
	binary.BigEndian.PutUint32(id[:], hash.Sum32())
	id[0] = 1 + id[0]%126 // A unicast address, as routers may insist on that know RFC 4271 alone.
	return netip.AddrFrom4(id)
}
