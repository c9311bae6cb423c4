package gossip

import (
	"encoding/binary"
	"log"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/memberlist"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/daymark-lb/daymark/internal/core/election"
)

// oldSpeaker is a speaker of version 1 as it was, with its own copies of what it writes and reads: this file is not changed
// when the messages are. It answers pings, says that it takes part, and notes what it understands.
type oldSpeaker struct {
	node        string
	incarnation uint64
	at          netip.AddrPort
	list        *memberlist.Memberlist
	// known are the claims that it has to tell.
	known []election.Claim

	mu sync.Mutex
	// claims by address, and the flags of states by node, that others have told; unreadable counts messages that a speaker
	// of version 1 refuses.
	claims     map[netip.Addr]string
	states     map[string]byte
	unreadable int
	listed     map[string]uint64
}

func beginOld(t *testing.T, node, addr, key string, known ...election.Claim) *oldSpeaker {
	t.Helper()
	s := &oldSpeaker{
		node: node, incarnation: uint64(time.Now().UnixNano()), at: gossipAt(addr), known: known,
		claims: map[netip.Addr]string{}, states: map[string]byte{}, listed: map[string]uint64{},
	}
	for i := range s.known {
		s.known[i].Node, s.known[i].Incarnation = node, s.incarnation
	}
	c := memberlist.DefaultLANConfig()
	c.Name, c.BindAddr, c.BindPort, c.AdvertisePort = node, addr, 7946, 7946
	c.Delegate, c.Events, c.Label = s, s, "daymark"
	c.Keyring, _ = newKeyring(derive(secrets(key)))
	c.EnableCompression = false
	c.GossipInterval, c.PushPullInterval = 50*ms, time.Second
	c.Logger = log.New(discard{}, "", 0)
	var err error
	if s.list, err = memberlist.Create(c); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.list.Shutdown() })
	return s
}

type discard struct{}

func (discard) Write(b []byte) (int, error) { return len(b), nil }

func oldText(b []byte, text string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(text))), text...)
}

func (s *oldSpeaker) head(kind byte) []byte {
	return binary.AppendUvarint(oldText([]byte{1, kind}, s.node), s.incarnation)
}

// appendClaims writes the author, who is this speaker, and its claims.
func (s *oldSpeaker) appendClaims(b []byte) []byte {
	b = binary.AppendUvarint(oldText(append(b, 1), s.node), s.incarnation)
	b = binary.AppendUvarint(b, uint64(len(s.known)))
	for _, claim := range s.known {
		addr := claim.Addr.AsSlice()
		b = append(append(append(b, byte(len(addr))), addr...), 0)
		b = binary.AppendUvarint(b, claim.Term)
	}
	return b
}

func (s *oldSpeaker) NodeMeta(int) []byte {
	return binary.BigEndian.AppendUint64([]byte{1}, s.incarnation)
}

// LocalState is an exchange: one state, which says that it knows its peers and has no links, and the claims.
func (s *oldSpeaker) LocalState(bool) []byte {
	b := binary.AppendUvarint(oldText(append(s.head(7), 1), s.node), s.incarnation)
	return s.appendClaims(append(b, 1, 2, 1, 0))
}

func (s *oldSpeaker) GetBroadcasts(int, int) [][]byte { return nil }

func (s *oldSpeaker) MergeRemoteState(b []byte, _ bool) { s.NotifyMsg(b) }

func (s *oldSpeaker) NotifyJoin(n *memberlist.Node) { s.setListed(n) }

func (s *oldSpeaker) NotifyUpdate(n *memberlist.Node) { s.setListed(n) }

func (s *oldSpeaker) NotifyLeave(*memberlist.Node) {}

// setListed reads a NodeMeta as version 1 does: nine bytes, of which the first is 1.
func (s *oldSpeaker) setListed(n *memberlist.Node) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.listed[n.Name] = 0
	if len(n.Meta) == 9 && n.Meta[0] == 1 {
		s.listed[n.Name] = binary.BigEndian.Uint64(n.Meta[1:])
	}
}

// oldReader fails by panic.
type oldReader []byte

func (r *oldReader) number() uint64 {
	n, size := binary.Uvarint(*r)
	if size <= 0 {
		panic("no number")
	}
	*r = (*r)[size:]
	return n
}

func (r *oldReader) bytes(n uint64) []byte {
	b := (*r)[:n]
	*r = (*r)[n:]
	return b
}

func (r *oldReader) text() string { return string(r.bytes(r.number())) }

func (s *oldSpeaker) NotifyMsg(b []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer func() {
		if recover() != nil {
			s.unreadable++
		}
	}()
	r := oldReader(b)
	if r.number() != 1 {
		panic("another version")
	}
	kind, from := r.number(), r.text()
	r.number()
	switch kind {
	case 1:
		number := r.number()
		addr, _ := netip.AddrFromSlice(r.bytes(r.number()))
		to := netip.AddrPortFrom(addr, uint16(r.number()))
		r.number()
		s.send(to, binary.AppendUvarint(binary.AppendUvarint(s.head(2), number), 0))
		s.send(to, binary.AppendUvarint(append(append(binary.AppendUvarint(s.head(1), 1), 4), s.at.Addr().AsSlice()...), 7946))
	case 4:
		r.number()
		s.readClaims(&r)
	case 5:
		r.number()
		s.states[from] = r.bytes(1)[0]
		r = nil
	case 7:
		for range r.number() {
			node := r.text()
			r.number()
			r.number()
			s.states[node] = r.bytes(r.number())[0]
		}
		s.readClaims(&r)
	default:
		r = nil
	}
	if len(r) > 0 {
		panic("more than there should be")
	}
}

func (s *oldSpeaker) readClaims(r *oldReader) {
	var authors []string
	for range r.number() {
		authors = append(authors, r.text())
		r.number()
	}
	for range r.number() {
		addr, _ := netip.AddrFromSlice(r.bytes(r.number()))
		s.claims[addr] = authors[r.number()]
		r.number()
	}
}

// send is a ping or pong to a speaker. memberlist must not be called by its own goroutine.
func (s *oldSpeaker) send(to netip.AddrPort, message []byte) {
	if message[1] == 1 {
		message = append(message, 0) // It was not stopped.
	}
	go func() { _ = s.list.SendToAddress(memberlist.Address{Addr: to.String()}, message) }()
}

func (s *oldSpeaker) knows(claims []election.Claim) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, claim := range claims {
		if s.claims[claim.Addr] != claim.Node {
			return false
		}
	}
	return true
}

// Speakers of two versions in one cluster know the same members and the same claims, so they elect the same holders.
func TestVersion1_ASpeakerThatIsNotUpgradedYetTakesPart(t *testing.T) {
	on := newNetwork()
	all := gather(t, on, "127.4.0.", withoutExchanges(), "a", "b")
	a, b := all[0], all[1]
	if v := a.View().Version; v != int(newest) {
		t.Errorf("among themselves they speak version %d", v)
	}
	early := a.claims("192.0.2.1")
	a.BroadcastClaims(early)
	b.awaits(t, "the claim, whose mark has not been lost", has(early))
	a.BroadcastState(State{Known: true, Links: manyLinks(2).Links})

	old := beginOld(t, "old", "127.4.0.9", "k", election.Claim{Addr: netip.MustParseAddr("192.0.2.9"), Term: 3, Announced: true})
	if _, err := old.list.Join([]string{a.at.String()}); err != nil {
		t.Fatal(err)
	}
	for _, s := range all {
		s.awaits(t, "it is there, and takes part, and holds what it holds", func(v View) bool {
			p := v.Peers["old"]
			return alive("a", "b", "old")(v) && p.Incarnation == old.incarnation && p.State.Known && v.Claims[old.known[0].Addr] == old.known[0]
		})
		s.awaits(t, "the version that all speak", func(v View) bool { return v.Version == 1 })
		if peer := s.View().Peers["old"]; peer.Version != 1 {
			t.Errorf("the old one is of version %d", peer.Version)
		}
	}
	if a.Incarnation() != old.listed["a"] {
		t.Errorf("it takes %d for the incarnation of a", old.listed["a"])
	}
	eventually(t, "it has heard of the claim, and of the state", func() bool { return old.knows(early) && old.states["a"] == 1 })

	later := append(a.claims("192.0.2.2", "2001:db8::2"), b.claims("192.0.2.3")...)
	before := old.unreadable
	a.BroadcastClaims(later[:2])
	b.BroadcastClaims(later[2:])
	eventually(t, "it hears of claims", func() bool { return old.knows(later) })
	heartbeats(t, a, b)
	for _, s := range all {
		eventually(t, "it answers heartbeats", func() bool { return s.status("old").Observed && !s.status("old").Suspected })
		if n := testutil.ToFloat64(s.metrics.malformed); n > 0 {
			t.Errorf("%v messages could not be read", n)
		}
	}
	if old.unreadable > before {
		t.Errorf("it could not read %d messages, %d before it was known", old.unreadable-before, before)
	}

	if err := old.list.Shutdown(); err != nil {
		t.Error(err)
	}
	for _, s := range all {
		s.awaits(t, "they speak the newest version again", func(v View) bool { return alive("a", "b")(v) && v.Version == int(newest) })
	}
}

// So that the speakers of today know what those of tomorrow understand.
func TestVersionsOf_AreReadFromTheMeta(t *testing.T) {
	meta := delegate{New(Config{Node: "a"})}.NodeMeta(512)
	extended := func(fields ...[]byte) []byte {
		all := meta
		for i, value := range fields {
			all = appendField(all[:len(all):len(all)], uint64(i+1), value)
		}
		return all
	}
	for _, test := range []struct {
		name    string
		meta    []byte
		dMax    uint8
		want    versionRange
		foreign bool
	}{
		{"version 1", meta, 0, versionRange{1, 1}, false},
		{"version 2", meta, 2, versionRange{1, 2}, false},
		{"a later one that still speaks version 1", meta, 9, versionRange{1, 9}, false},
		{"one that does not speak version 1 any more", extended([]byte{2}, []byte{3}), 3, versionRange{2, 3}, false},
		{"one that does not speak ours", extended([]byte{7}, []byte{9}), 9, versionRange{7, 9}, true},
		{"with more that nobody knows", extended([]byte{2}, []byte{3}, []byte("later")), 3, versionRange{2, 3}, false},
		{"a range that is none", extended([]byte{3}, []byte{2}), 2, versionRange{1, 2}, false},
		{"damage", append(meta[:9:9], 255), 2, versionRange{1, 2}, false},
		{"no meta", nil, 0, versionRange{1, 1}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := versionsOf(test.meta, test.dMax); got != test.want || got.foreign() != test.foreign {
				t.Errorf("%v", got)
			}
			if test.meta != nil && incarnationOf(test.meta) == 0 {
				t.Error("the incarnation is not read")
			}
		})
	}
}

func TestView_SaysWhoDoesNotUnderstandUs(t *testing.T) {
	m := New(Config{Node: "self", Keys: secrets("k")})
	m.peers.setListed(begins, "a", listing{1, versionRange{version1, 9}, gossipAt("127.0.0.1")}, true)
	if v := m.View(); v.Version != int(newest) {
		t.Errorf("version %d", v.Version)
	}
	m.peers.setListed(begins, "b", listing{1, versionRange{7, 9}, gossipAt("127.0.0.1")}, true)
	v := m.View()
	const want = "speaks version 1 to 3 of the gossip, which is not understood by b (7 to 9): upgrade one version at a time"
	if why := joinWhy("", whyForeign(m.peers.snapshot().foreign)); why != want || v.Version != int(newest) {
		t.Errorf("version %d, %q", v.Version, why)
	}
}
