package announce

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/daymark-lb/daymark/internal/core/lb"
)

// sessions of this node, each with the paths for its peer.
func (r *rules) sessions(kept *derived) []Session {
	me := r.nodeIndex(r.world.Node)
	if me < 0 {
		return nil // The Node object is gone, so this process does not belong to the cluster.
	}
	nextHopsFrom := r.nextHopsFrom(r.nodes[me].Node)
	var sessions []Session
	for _, peer := range r.peers {
		if !selects(peer, r.nodes[me].Node) {
			continue
		}
		paths := kept.pathsTo(r, peer)
		for _, session := range r.sessionsWith(peer, r.nodes[me].Node) {
			session.NextHopsFrom, session.MaximumPrefixes = nextHopsFrom, peer.MaximumPrefixes
			session.administer(peer, paths)
			session.Links = [2]int{r.linkIndex(session.Address.Zone()), r.linkIndex(session.VRF)}
			session.MultiHopBFD = r.multiHopBFD(&session, peer)
			r.unwatchOwn(&session)
			sessions = append(sessions, session)
		}
	}
	r.resolveDuplicateRouters(sessions)
	slices.SortFunc(sessions, func(a, b Session) int { return strings.Compare(a.Name, b.Name) })
	return sessions
}

// unnumbered are the interfaces of this node at whose other end a peer is.
func (r *rules) unnumbered() []string {
	me := r.nodeIndex(r.world.Node)
	var interfaces []string
	for _, peer := range r.peers {
		if me >= 0 && peer.Interface != "" && selects(peer, r.nodes[me].Node) {
			interfaces = append(interfaces, peer.Interface)
		}
	}
	slices.Sort(interfaces)
	return slices.Compact(interfaces)
}

// linkIndex of an interface of this node, by name.
func (r *rules) linkIndex(name string) int {
	if link := r.ownLink(name); link != nil {
		return link.Index
	}
	return 0
}

// multiHopBFD reports whether a router may be more than one hop away. One of our own AS may be anywhere, and a link-local
// address is on the link whatever is said.
func (r *rules) multiHopBFD(s *Session, peer *lb.Peer) bool {
	if s.Address.IsLinkLocalUnicast() {
		return false
	}
	return s.MultiHop || !peer.External() &&
		!slices.ContainsFunc(r.world.OwnLinks, func(link lb.Link) bool { return link.OnLink(s.Address) })
}

// resolveDuplicateRouters leaves a router that several BGPPeers name to the oldest of them that can have a session with it;
// with two, the router would close one session for the other again and again. It sorts the sessions by their peers' age.
func (r *rules) resolveDuplicateRouters(sessions []Session) {
	created := make(map[string]time.Time, len(r.peers))
	for _, peer := range r.peers {
		created[peer.Name] = peer.Created
	}
	slices.SortStableFunc(sessions, func(a, b Session) int { return created[a.Peer].Compare(created[b.Peer]) })
	oldest := map[Router]*Session{}
	for i := range sessions {
		session := &sessions[i]
		key := session.Router()
		if !session.Address.IsValid() || session.Former || session.Problem != "" && !r.world.Running[session.Name] {
			continue
		}
		if other := oldest[key]; other == nil {
			oldest[key] = session
		} else if session.Problem == "" {
			session.Problem = OlderText(other.Peer, key)
		}
	}
}

// route is an address that this node announces, with the advertisements that announce it.
type route struct {
	addr    netip.Addr
	matches advertisementSet
	service *lb.Service
	// rank of the node among those that announce the address; 0: it is best, or they are not ranked.
	rank int
	// weights of the node for the address.
	weights weights
}

// ownRoutes are those of this node, with their ranks and weights, in order of address and Service.
func (r *rules) ownRoutes() []route {
	me := r.nodeIndex(r.world.Node)
	if me < 0 {
		return nil
	}
	routes := r.routes(me)
	r.rankRoutes(me, routes)
	r.weighRoutes(me, routes)
	slices.SortFunc(routes, route.compare)
	return withoutRoom(routes)
}

func (r route) compare(other route) int {
	return cmp.Or(r.addr.Compare(other.addr), r.service.Key.Compare(other.service.Key))
}

// routes of a node, by its index. Which peers hear of them depends on the advertisements alone.
func (r *rules) routes(node int) []route {
	if r.nodes[node].ineligible != Eligible || len(r.bgp) == 0 {
		return nil
	}
	q := query{rules: r, node: &r.nodes[node]}
	routes := make([]route, 0, len(r.world.Services))
	sharers := r.localSharers()
	for _, s := range r.world.Services {
		for _, addr := range s.Ingress {
			a := r.address(s, addr)
			q.advertisements = r.bgpSelecting(r.bgpMatches(a), node)
			if r.askAddress(a, len(q.advertisements) > 0) == nil && q.ask(ofAdvertisements) == Eligible && q.ask(ofSegment) == Eligible &&
				r.ineligibleService(a, node) == Eligible && r.mayServe(sharers, addr, node) {
				routes = append(routes, route{addr: addr, matches: q.advertisements, service: s})
			}
		}
	}
	return routes
}

// advertisementsFor are the advertisements that are meant for a peer.
func (r *rules) advertisementsFor(peer *lb.Peer) advertisementSet {
	var meant advertisementSet
	for i := range r.bgp {
		if r.bgp[i].MatchesPeer(peer.Name) {
			meant += r.bgp[i].self
		}
	}
	return meant
}

// variant is what the attributes of a path follow from.
type variant struct {
	by     advertisementSet
	rank   int
	weight lb.Weight
}

// advertised is a prefix of a route, by one advertisement.
type advertised struct {
	prefix netip.Prefix
	by     advertisementSet
	route  *route
}

// paths merges routes into prefixes, by those advertisements that are meant for a peer. Where several announce a prefix,
// it gets the communities of all, and the oldest decides the rest. One that is held back takes the prefix with it, unless that ran before.
// Attributes are those that other paths have, to which new ones are added.
func (r *rules) paths(routes []route, meant advertisementSet, attributes map[variant]*Attributes) []Path {
	all := make([]advertised, 0, len(routes))
	for at := range routes {
		route := &routes[at]
		for i := range route.matches.all() {
			if !meant.has(i) {
				continue
			}
			prefix, err := route.addr.Prefix(r.bgp[i].Length(lb.FamilyOf(route.addr)))
			if err != nil {
				continue // The schema keeps the length within the family's bits.
			}
			all = append(all, advertised{prefix, r.bgp[i].self, route})
		}
	}
	sortUnsorted(all, func(a, b advertised) int { return a.prefix.Compare(b.prefix) })
	paths := make([]Path, 0, len(all))
	for i := 0; i < len(all); {
		prefix, matches, first, begin := all[i].prefix, all[i].by, all[i].route, i
		for i++; i < len(all) && all[i].prefix == prefix; i++ {
			matches = matches.union(all[i].by)
		}
		if matches = r.settledOf(matches, all[begin:i]); r.anyHeldBack(matches) {
			continue
		}
		rank, weights := r.counted(first, prefix)
		key := variant{matches, rank, weights.by(r.weightBy(matches))}
		if attributes[key] == nil {
			attributes[key] = r.attributes(matches).backup(rank)
			attributes[key].Weight = key.weight
		}
		paths = append(paths, Path{prefix, attributes[key]})
	}
	return paths
}

// single reports whether some advertisements announce each address by a prefix of its own.
func (r *rules) single(set advertisementSet) bool {
	return r.unaggregated(set, lb.IPv4) == set && r.unaggregated(set, lb.IPv6) == set
}

// pathsAt returns paths as they are now, given those before, that the routes of some addresses may have changed, which are in order, and
// that each address has a prefix of its own.
func (r *rules) pathsAt(before []Path, routes []route, at []netip.Addr, meant advertisementSet, attributes map[variant]*Attributes) []Path {
	var changed []route
	for _, addr := range at {
		for i := firstAt(routes, addr, routeAddr); i < len(routes) && routes[i].addr == addr; i++ {
			changed = append(changed, routes[i])
		}
	}
	now, _ := replacedAt(before, r.paths(changed, meant, attributes), at, func(p *Path) netip.Addr { return p.Prefix.Addr() },
		func(a, b *Path) bool { return *a == *b })
	if now == nil {
		return []Path{}
	}
	return now
}

func routeAddr(x *route) netip.Addr { return x.addr }

// sortUnsorted sorts a list that mostly is in order, as routes are where no prefix is aggregated.
func sortUnsorted[E any](list []E, compare func(a, b E) int) {
	if !slices.IsSortedFunc(list, compare) {
		slices.SortStableFunc(list, compare)
	}
}

// counted are the rank and the weights of a route that count for a prefix: ranks and endpoints for that of its address alone, not for one
// that is aggregated, and of an address with ranks no weight.
func (r *rules) counted(of *route, prefix netip.Prefix) (rank int, counting weights) {
	switch {
	case !prefix.IsSingleIP():
		return 0, weights{annotated: of.weights.annotated}
	case len(r.affine[of.addr]) > 0:
		return of.rank, weights{}
	default:
		return of.rank, of.weights
	}
}

// attributes of the paths that a set of advertisements announces: of each attribute, and of the link bandwidth, the value of the oldest that
// sets it. Of several link bandwidths routers take the least.
func (r *rules) attributes(matches advertisementSet) *Attributes {
	merged := &Attributes{}
	for i := range matches.all() {
		adv := &r.bgp[i]
		merged.LocalPref = cmp.Or(merged.LocalPref, adv.LocalPref)
		merged.MED = cmp.Or(merged.MED, adv.MED)
		merged.Prepend = cmp.Or(merged.Prepend, adv.Prepend)
		has := slices.ContainsFunc(merged.Communities, lb.Community.IsLinkBandwidth)
		for _, community := range adv.Communities {
			if !has || !community.IsLinkBandwidth() {
				merged.Communities = append(merged.Communities, community)
			}
		}
	}
	slices.SortFunc(merged.Communities, lb.Community.Compare)
	merged.Communities = slices.Compact(merged.Communities)
	return merged
}

// sessionsWith makes the sessions of a node with a peer: one, or one for each address in the node's annotation, or one for
// each of its default gateways.
func (r *rules) sessionsWith(peer *lb.Peer, n *lb.Node) []Session {
	base := Session{
		Name: peer.Name, Peer: peer.Name,
		MyASN: peer.MyASN, LocalASN: peer.LocalASN, PeerASN: peer.PeerASN, Dynamic: peer.Dynamic,
		Address: peer.Address, Port: peer.Port, Source: peer.Source, RouterID: cmp.Or(peer.RouterID, r.nodeEnd(n).RouterID),
		HoldTime: peer.HoldTime, KeepaliveTime: peer.KeepaliveTime, ConnectTime: peer.ConnectTime,
		MultiHop: peer.MultiHop, TTLSecurity: peer.TTLSecurity, RestartTime: peer.RestartTime,
		SourceGiven: peer.SourceAnnotation != "" || peer.SourceInterface != "" || peer.Source.IsValid(), RouterIDFromNode: peer.RouterIDAnnotation != "",
	}
	base.Problem = cmp.Or(r.resolveReferences(peer, &base), r.resolveVRF(&base, peer, n))
	switch {
	case peer.NodeAnnotation != "":
		return r.annotated(base, peer, n)
	case peer.GatewayFamily != 0:
		return r.gateways(base, peer, n)
	case peer.Interface != "":
		return r.unnumberedSessions(base, peer, n)
	default:
		r.setAddress(&base, base.Address, peer, n)
	}
	return []Session{base}
}

// noRouter says that there is none at the other end of an interface. One node may lack an interface that others have.
func (r *rules) noRouter(name string) string {
	if why := r.world.RouterProblems[name]; why != nil {
		return fmt.Sprintf("no router can be looked for on interface %s: %v", name, why)
	}
	return fmt.Sprintf("no router has been heard on interface %s", name)
}

// resolveReferences fills in the objects that the peer names, and returns what is wrong with them; "" if nothing.
func (r *rules) resolveReferences(peer *lb.Peer, session *Session) string {
	if peer.Err != nil {
		return peer.Err.Error()
	}
	if peer.BFDProfile != "" {
		session.BFD, session.BFDStrict = r.bfdProfile(peer), peer.StrictInForce(r.world.BFDProfiles[peer.BFDProfile] != nil)
	}
	key, ok := peer.PasswordInForce(func(key lb.SecretKey) bool { _, usable := r.world.Passwords[key]; return usable })
	if !ok {
		return fmt.Sprintf("Secret %s has no usable password under the key %s", peer.Password.Name, peer.Password.Key)
	}
	if key != nil {
		session.Password = r.world.Passwords[*key]
	}
	return ""
}

// bfdProfile of a peer. Of one that does not exist count the parameters that it had, or the default ones: a router that watches the
// session by BFD would close it if there was none.
func (r *rules) bfdProfile(peer *lb.Peer) *lb.BFDProfile {
	if profile := r.world.BFDProfiles[peer.BFDProfile]; profile != nil {
		return profile
	}
	if peer.AcceptedBFD != nil {
		return peer.AcceptedBFD
	}
	return lb.DefaultBFDProfile(peer.BFDProfile)
}

// annotated makes a session for each address in a node's annotation. While a part of it is none, those that it had go on. Of too many the first
// count.
func (r *rules) annotated(base Session, peer *lb.Peer, n *lb.Node) []Session {
	var sessions []Session
	unknown := ""
	value := n.Annotations[peer.NodeAnnotation]
	named := lb.AnnotatedAddresses(value)
	if len(named) == 0 {
		named = []string{""} // One session says so.
	}
	for i, text := range named {
		session, tooMany := base, i == lb.MaxAnnotatedRouters
		addr, err := lb.ParsePeerAddr(text)
		switch {
		case tooMany:
			addr, err = netip.Addr{}, fmt.Errorf("it names more than %d routers, and the first %[1]d count", lb.MaxAnnotatedRouters)
		case text == "":
			err = errors.New("it names no router: give it their addresses, with commas between them")
		}
		if session.RoutersUnknown = err != nil && !tooMany && strings.TrimSpace(value) != ""; session.RoutersUnknown {
			unknown = fmt.Sprintf("annotation %s of node %s: %v", peer.NodeAnnotation, n.Name, err)
		}
		if err != nil && session.Problem == "" {
			session.Problem = fmt.Sprintf("annotation %s of node %s: %v", peer.NodeAnnotation, n.Name, err)
		}
		if err == nil {
			session.Name = peer.Name + "/" + addr.String()
		}
		if slices.ContainsFunc(sessions, func(s Session) bool { return s.Name == session.Name }) {
			continue // Named twice, or a second mistake.
		}
		r.setAddress(&session, addr, peer, n)
		sessions = append(sessions, session)
	}
	for _, router := range r.world.FormerRouters[peer.Name] {
		if unknown != "" && !slices.ContainsFunc(sessions, func(s Session) bool { return s.Address == router }) {
			sessions = append(sessions, r.goesOn(base, router, peer, n, unknown))
		}
	}
	return sessions
}

// setAddress sets the router's address and the fields that depend on it.
func (r *rules) setAddress(s *Session, addr netip.Addr, peer *lb.Peer, n *lb.Node) {
	s.Address = addr
	if addr.IsValid() {
		s.Problem = cmp.Or(s.Problem, r.resolveSource(s, peer, n))
		s.checkEnds()
	}
	s.Problem = cmp.Or(s.Problem, r.resolveRouterID(s, peer, n))
	s.Families = familiesOf(peer, addr)
	next := r.nextHops(s, n)
	s.NextHop4, s.NextHop6 = next.IPv4, next.IPv6
}

// checkEnds checks what is known on the node alone: the router, and the address to connect from.
func (s *Session) checkEnds() {
	if s.Problem != "" {
		return
	}
	if err := cmp.Or(lb.CheckRouter(s.Address), lb.CheckSource(s.Source, s.Address)); err != nil {
		s.Problem = err.Error()
	}
}

// carries reports whether prefixes of a family can be announced over the session. IPv4 needs no IPv4 next hop: over IPv6
// the next hop is this end of the session (RFC 8950).
func (s *Session) carries(family lb.Family) bool {
	return slices.Contains(s.Families, family) && (family == lb.IPv4 || !s.Address.Is4() || s.NextHop6.IsValid())
}

func familiesOf(peer *lb.Peer, addr netip.Addr) []lb.Family {
	switch {
	case len(peer.Families) > 0:
		return peer.Families
	case peer.GatewayFamily != 0 && !addr.IsValid():
		return []lb.Family{peer.GatewayFamily}
	case addr.IsValid() && (peer.Interface == "" || !addr.IsLinkLocalUnicast()):
		return []lb.Family{lb.FamilyOf(addr)}
	default:
		return []lb.Family{lb.IPv4, lb.IPv6}
	}
}
