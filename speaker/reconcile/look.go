package reconcile

import (
	"context"
	"errors"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/core/announce"
	"github.com/daymark-lb/daymark/internal/core/bfdsession"
	"github.com/daymark-lb/daymark/internal/core/election"
	"github.com/daymark-lb/daymark/internal/core/lb"
	"github.com/daymark-lb/daymark/internal/informer"
	"github.com/daymark-lb/daymark/speaker/bfd"
	"github.com/daymark-lb/daymark/speaker/bgp"
	"github.com/daymark-lb/daymark/speaker/gossip"
	"github.com/daymark-lb/daymark/speaker/layer2"
	"github.com/daymark-lb/daymark/speaker/proxycheck"
)

// listers reads the kinds that the loop looks at.
type listers struct {
	services *informer.Lister[*corev1.Service, *lb.Service]
	others   *informer.Cluster
	earlier  *earlier
	lastGood *informer.LastGoodObjects
	served   served
	// changed are the Services that have changed since the last read that was no error, in order, and endpoints those whose endpoints
	// have.
	changed   []informer.Replacement[*lb.Service]
	endpoints map[lb.Key]bool
}

// newListers makes the listers of a node's speaker. Direct reads from the API server and not from the cache.
func newListers(informers cache.Informers, direct client.Reader, node, namespace string) *listers {
	return &listers{
		services: informer.NewValueLister(informers, lb.ParseService), others: informer.NewCluster(informers, namespace),
		earlier: &earlier{node: node, reader: direct}, lastGood: informer.NewLastGoodObjects(),
	}
}

// snapshot is what one pass has read.
type snapshot struct {
	// world to decide on.
	world announce.World
	// again: the objects are those of the pass before.
	again bool
	// leaving is the version of the newest Service that this node is to withdraw and say so; 0 when there is none.
	leaving uint64
	// keys of the gossip; the first is the one to send with.
	keys [][]byte
	// speakers that should be there, by node, and where they gossip, invalid where that is not known.
	speakers map[string]netip.AddrPort
	// published are those that keep an EndpointSlice, and what it says: all of them but the speakers of the version before.
	published map[string]netip.AddrPort
	// own is this node's Speaker object; nil: there is none.
	own *v1beta1.Speaker
	// view of the speakers by the gossip, and those of them that may hold addresses: their incarnations by node.
	view gossip.View
	live map[string]uint64
	// silent are the nodes that are not alive and can be asked on the segment, with the incarnations of their speakers.
	silent map[string]uint64
	// addressWait is when an address that a kernel has lost counts no more; 0: there is none.
	addressWait time.Duration
	// gossip is the address at which the others reach this speaker.
	gossip netip.AddrPort
	// relevant are the links of this node that the others need to know.
	relevant []lb.Link
	// answered are the addresses that this node answers for by layer 2, in order.
	answered []netip.Addr
	// left are those that it holds and has left to other hosts, in order.
	left []netip.Addr
	// answers by other nodes on the segments, and those that use addresses which this node answers for.
	answers map[election.Question]election.Answer
	rivals  []election.Rival
	// unable says on which interfaces of this node the kernel refuses to let layer 2 answer.
	unable []layer2.Unable
	// proxy is what this node's service proxy last answered.
	proxy proxycheck.Result
	// bfdUp are the BFD sessions that are up, by name.
	bfdUp []string
	// bfdSettled are the BGP sessions whose BFD sessions are settled or cannot be; bfdPassable are those that strict mode lets be
	// established.
	bfdSettled, bfdPassable map[string]bool
	// bfdPaths are how BFD has been, by the BGP session that it watches.
	bfdPaths map[string]announce.BFDPath
}

// node of a name; nil if there is none.
func (s *snapshot) node(name string) *lb.Node {
	i, found := slices.BinarySearchFunc(s.world.Nodes, name, func(n *lb.Node, name string) int { return strings.Compare(n.Name, name) })
	if !found {
		return nil
	}
	return s.world.Nodes[i]
}

// down reports whether a node is down or has been deleted. Its speaker is not waited for.
func (s *snapshot) down(name string) bool {
	node := s.node(name)
	return node == nil || node.Down
}

// inCluster reports whether a node is part of the cluster.
func (s *snapshot) inCluster(name string) bool {
	_, speaks := s.speakers[name]
	return speaks || s.node(name) != nil
}

// runs reports whether the kernel of a node of the cluster is taken to run: the node is not down, or its speaker is alive though its kubelet
// is stopped, or does not reach the API server.
func (s *snapshot) runs(node string) bool {
	return s.inCluster(node) && (!s.down(node) || s.alive(node))
}

// alive reports whether the speaker of a node is alive.
func (s *snapshot) alive(node string) bool {
	_, found := slices.BinarySearch(s.view.Alive, node)
	return found
}

// heardOnDownNodes are the first nodes, in order of name, that are down though their speakers are alive.
func (s *snapshot) heardOnDownNodes() (nodes []string) {
	for _, name := range s.view.Alive {
		if node := s.node(name); node != nil && node.Down && len(nodes) < v1beta1.SpeakerListLimit {
			nodes = append(nodes, name)
		}
	}
	return nodes
}

// expected are the nodes other than one whose speakers should be alive.
func (s *snapshot) expected(self string) []string {
	var expected []string
	for name := range s.speakers {
		if name != self && !s.down(name) {
			expected = append(expected, name)
		}
	}
	return expected
}

// look reads everything once. It tells the gossip which speakers there should be before it asks which there are.
func (l *Loop) look(ctx context.Context) (*snapshot, error) {
	s, err := l.read(ctx)
	if err != nil {
		return nil, err
	}
	links, known := l.exec.Links.Links()
	gateways, knownToo := l.exec.Links.Gateways()
	if !known || !knownToo {
		return nil, errors.New("the network interfaces are not known yet")
	}
	if err := l.lookAtProxy(s); err != nil {
		return nil, err
	}
	if err := l.exec.Gossip.Set(gossipDesired(s, l.cfg.Node)); err != nil {
		// Without gossip there is no layer 2; BGP and health checks do not need it.
		l.cfg.Log.Error("gossip cannot be changed", "error", err)
	}
	s.view, s.gossip = l.exec.Gossip.View(), l.exec.Gossip.Address()
	s.unable = l.exec.Layer2.Unable()
	links = l.memory.able.with(links, s.unable)
	s.relevant = announce.RelevantLinks(links, s.world.L2Advertisements)
	held := l.exec.Layer2.Held()
	s.answers, s.rivals = l.exec.Layer2.Answers(), l.exec.Layer2.Rivals()
	s.answered = make([]netip.Addr, len(held))
	for i := range held {
		s.answered[i] = held[i].Addr
	}
	s.left = leftToOthers(l.exec.Layer2.Conflicts())
	l.lookAtSessions(s)
	s.world.Node, s.world.OwnLinks, s.world.Gateways = l.cfg.Node, links, gateways
	s.world.Routers, s.world.RouterProblems = l.exec.Unnumbered.Routers(), l.exec.Unnumbered.Problems()
	l.lookAtMembers(s, links)
	return s, nil
}

// leftToOthers are the addresses that are not announced, on one interface at least, because hosts outside of the cluster use them, in order.
func leftToOthers(conflicts []layer2.Conflict) (left []netip.Addr) {
	for _, c := range conflicts {
		if (!c.Announced || c.Elsewhere) && c.Node == "" {
			left = append(left, c.Addr)
		}
	}
	slices.SortFunc(left, netip.Addr.Compare)
	return left
}

// lookAtSessions fills in how the sessions with routers are, of BFD and of BGP.
func (l *Loop) lookAtSessions(s *snapshot) {
	var settled, passable []string
	s.bfdPaths = map[string]announce.BFDPath{}
	for _, session := range l.exec.BFD.Status() {
		if session.State == bfdsession.Up {
			s.bfdUp = append(s.bfdUp, session.Name)
		}
		l.notePath(s, &session)
		if session.Passable() {
			passable = append(passable, session.Name)
		}
		if session.Settled || session.Problem != "" {
			settled = append(settled, session.Name)
		}
	}
	s.bfdSettled, s.bfdPassable = l.bfd.Load().Watched(settled), l.bfd.Load().Watched(passable)
	s.world.Running = map[string]bool{}
	behind := false
	for _, session := range l.exec.BGP.Status() {
		s.world.Running[session.Name] = session.State == v1beta1.BGPEstablished
		s.noteBGP(&session)
		behind = behind || session.Behind
	}
	l.memory.withdrawals.look(s.leaving, behind)
}

// notePath fills in how BFD has been, for the BGP sessions that a BFD session watches.
func (l *Loop) notePath(s *snapshot, session *bfd.Status) {
	path := announce.BFDPath{Router: session.Peer, VRF: session.Device}
	if session.State == bfdsession.Up {
		path.Up = session.Since
	}
	if session.Failed {
		path.Failed = session.LastDownAt
	}
	for _, name := range l.bfd.Load().Sharing(session.Name) {
		s.bfdPaths[name] = path
	}
}

// noteBGP fills in since when a BGP session is established, and when BFD has ended it. One that is established since before BFD failed is about to end.
func (s *snapshot) noteBGP(session *bgp.Status) {
	path := s.bfdPaths[session.Name]
	path.Ended = session.BFDEnded
	if session.State == v1beta1.BGPEstablished {
		path.Established = session.Since
		if path.Failed.Sub(session.Since) > announce.BFDRestart {
			path.Ended = path.Failed
		}
	}
	s.bfdPaths[session.Name] = path
}

// lookAtMembers fills in which speakers may hold addresses, and their links.
func (l *Loop) lookAtMembers(s *snapshot, links []lb.Link) {
	published := s.gossip.IsValid() && s.published[l.cfg.Node] == s.gossip
	s.world.Members.Known = l.memory.membership.Known(s.view.Known, len(s.view.Alive), published)
	speakers := gossipSpeakers(s.view, election.Member{Node: l.cfg.Node, Heard: true, Known: s.world.Members.Known, Leaving: l.leaving.Load()})
	s.live = election.Live(speakers)
	s.silent = map[string]uint64{}
	for node, peer := range s.view.Silent {
		if len(peer.State.Links) > 0 {
			s.silent[node] = peer.Incarnation
		}
	}
	s.world.Members.Alive = slices.Sorted(maps.Keys(s.live))
	s.world.Links = make(map[string][]lb.Link, len(s.live)+1)
	for node := range s.live {
		s.world.Links[node] = s.view.Peers[node].State.Links
	}
	s.world.Links[l.cfg.Node] = links // One that leaves goes on answering until it is replaced.
	s.world.NodeAddresses, s.world.NodePrefixes, s.addressWait = l.memory.addresses.Update(time.Now(), l.knownAddresses(s))
}

// knownAddresses are what the nodes are known to have, this one included.
func (l *Loop) knownAddresses(s *snapshot) announce.KnownAddresses {
	known := announce.KnownAddresses{
		Links: make(map[string][]lb.Link, len(s.view.Peers)+1), Told: map[string][]netip.Addr{},
		Stays: func(node string) bool { return node == l.cfg.Node || s.runs(node) },
	}
	for node, peer := range s.view.Peers {
		if peer.StateKnown {
			known.Links[node] = peer.State.Links
		}
		if node != l.cfg.Node && len(peer.State.Lost) > 0 {
			known.Told[node] = peer.State.Lost
		}
	}
	known.Links[l.cfg.Node] = s.world.OwnLinks
	return known
}

// gossipSpeakers are the speakers that are alive. What this one says of itself may not have come round yet.
func gossipSpeakers(view gossip.View, self election.Member) []election.Member {
	var speakers []election.Member
	for _, node := range view.Alive {
		peer := view.Peers[node]
		s := election.Member{Node: node, Heard: peer.StateKnown, Known: peer.State.Known, Leaving: peer.State.Leaving}
		if node == self.Node {
			s = self
		}
		s.Incarnation = peer.Incarnation
		speakers = append(speakers, s)
	}
	return speakers
}

// gossipDesired is what the gossip of a node should know.
func gossipDesired(s *snapshot, self string) gossip.Desired {
	desired := gossip.Desired{Keys: s.keys, Expected: make(map[string]gossip.ExpectedPeer, len(s.speakers))}
	for name, address := range s.speakers {
		desired.Expected[name] = gossip.ExpectedPeer{Address: address, Down: s.down(name)}
	}
	delete(desired.Expected, self)
	for _, node := range s.world.Nodes {
		desired.Nodes = append(append(desired.Nodes, node.Addresses...), node.External...)
	}
	if node := s.node(self); node != nil {
		desired.Addresses = node.Addresses
	}
	return desired
}

// read reads every store once. An error means that nothing may be changed.
func (k *listers) read(ctx context.Context, classes lb.Classes, options announce.Options) (*snapshot, error) {
	others, err := k.others.List(ctx)
	if err != nil {
		return nil, err
	}
	objects := others.Objects
	if k.endpoints == nil {
		k.endpoints = map[lb.Key]bool{}
	}
	for _, key := range others.ChangedEndpoints {
		k.endpoints[key] = true
	}
	services, changed, err := k.services.ListChanges(ctx)
	k.changed = append(k.changed, changed...)
	if err != nil {
		return nil, err
	}
	speakers, err := k.earlier.complete(ctx, others.SpeakerAddresses, objects.Nodes)
	if err != nil {
		return nil, err
	}
	objects = k.lastGood.Substitute(objects)
	changes := k.changes(services, classes)
	s := &snapshot{
		world: objects.AnnounceWorldOf(k.served.list, options), leaving: k.served.newestLeaving(),
		keys: gossipKeys(objects.Secrets), speakers: speakers, published: others.SpeakerAddresses,
	}
	s.world.Changes = changes
	for _, speaker := range objects.Speakers { // which is this node's alone
		s.own = speaker
	}
	return s, nil
}

// changes updates the Services that are served, and returns how the world differs from that of the read before; nil: there was none.
func (k *listers) changes(services []*lb.Service, classes lb.Classes) *announce.Changes {
	k.served.classes = classes
	first := !k.served.known
	changes := &announce.Changes{Services: k.served.update(services, k.changed), Endpoints: k.endpoints}
	k.changed, k.endpoints = nil, nil
	if first {
		return nil
	}
	return changes
}

// gossipKeys returns the values of the Secret: that of "key" first, the others, if any, in order of name.
func gossipKeys(secrets []*corev1.Secret) [][]byte {
	var keys [][]byte
	for _, secret := range secrets {
		if secret.Name != v1beta1.GossipSecret {
			continue
		}
		if key, ok := secret.Data[v1beta1.GossipSecretKey]; ok {
			keys = append(keys, key)
		}
		var others []string
		for name := range secret.Data {
			if name != v1beta1.GossipSecretKey {
				others = append(others, name)
			}
		}
		slices.Sort(others)
		for _, name := range others {
			keys = append(keys, secret.Data[name])
		}
	}
	return keys
}
