package gossip

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"maps"
	"math"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/daymark-lb/daymark/internal/core/detector"
	"github.com/daymark-lb/daymark/internal/core/election"
	"github.com/daymark-lb/daymark/internal/core/lb"
	"github.com/daymark-lb/daymark/internal/core/shares"
)

// manyClaims returns claims to n addresses of both families by a few nodes.
func manyClaims(n int) []election.Claim {
	all := make([]election.Claim, 0, n)
	for i := range n {
		addr := netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})
		if i%3 == 1 {
			bytes := netip.MustParseAddr("2001:db8::").As16()
			binary.BigEndian.PutUint32(bytes[12:], uint32(i))
			addr = netip.AddrFrom16(bytes)
		}
		all = append(all, election.Claim{Addr: addr, Node: fmt.Sprint("node-", i%5), Incarnation: uint64(1e18) + uint64(i%2), Term: uint64(i)})
	}
	return all
}

func manyLinks(n int) State {
	s := State{Known: true}
	for i := range n {
		s.Links = append(s.Links, lb.Link{
			Name: fmt.Sprint("veth", i), MAC: "02:00:00:00:00:01", Up: i%2 == 0, Enslaved: i%3 == 0, NoARP: i%5 == 0,
			Addresses: []netip.Prefix{netip.MustParsePrefix("192.0.2.1/24"), netip.MustParsePrefix("fe80::1/64")},
		})
	}
	return s
}

var sample = struct {
	ping     ping
	pong     pong
	votes    votes
	claims   claimsMessage
	state    stateRecord
	exchange exchange
}{
	ping{7, netip.MustParseAddrPort("[2001:db8::1]:7946"), 1500 * time.Millisecond, 98, 0, 0},
	pong{math.MaxUint64, 3, 99, 0, 0},
	votes{9, []detector.Vote{{Node: "a", Incarnation: 1, Suspect: true}, {Node: strings.Repeat("x", 253), Incarnation: maxIncarnation - 1}}},
	claimsMessage{0, manyClaims(10)},
	record("node", 12345, 4, manyLinks(2)),
	exchange{
		[]stateRecord{record("a", 5, 6, manyLinks(3)), record("b", 0, 1, State{Leaving: true})},
		manyClaims(50),
	},
}

// record is a state as its author keeps it.
func record(node string, incarnation, seq uint64, state State) stateRecord {
	return stateRecord{node: node, incarnation: incarnation, seq: seq, version: stateVersion, body: state.encode(stateVersion)}
}

// messages are one of each kind, in a version.
func messages(v version) map[string][]byte {
	message := func(k kind, content body) []byte {
		h := header{version: v, kind: k, node: "node", incarnation: 12345}
		if v > version1 {
			h.to, h.toIncarnation, h.seq = "receiver", 6, 7
		}
		return encode(h, content.append(nil, v))
	}
	sample := sample
	if v >= version3 {
		sample.claims.claims, sample.exchange.claims = shared(sample.claims.claims), shared(sample.exchange.claims)
	}
	return map[string][]byte{
		"ping": message(kindPing, sample.ping), "pong": message(kindPong, sample.pong), "votes": message(kindVotes, sample.votes),
		"claims": message(kindClaims, sample.claims), "state": message(kindState, sample.state), "leave": message(kindLeave, leave{}),
		"exchange": message(kindExchange, sample.exchange),
	}
}

// readers read the body of each kind.
func readers(head header) map[string]func(*reader) any {
	return map[string]func(*reader) any{
		"ping": func(r *reader) any { return r.ping() }, "pong": func(r *reader) any { return r.pong() },
		"votes": func(r *reader) any { return r.votes() }, "exchange": func(r *reader) any { return r.exchange() },
		"claims": func(r *reader) any { return r.claimsMessage() },
		"state": func(r *reader) any {
			record := r.stateRecord(head)
			if _, ok := record.decode(); !ok {
				r.fail()
			}
			return record
		},
		"leave": func(*reader) any { return leave{} },
	}
}

// samples are what the messages say in a version: what version 1 cannot say is as it reads there.
func samples(v version) map[string]any {
	as := sample
	if v >= version3 {
		as.claims.claims, as.exchange.claims = shared(as.claims.claims), shared(as.exchange.claims)
	}
	if v == version1 {
		as.ping.digest, as.pong.digest = 0, 0
		as.claims.claims, as.exchange.claims = announced(as.claims.claims), announced(as.exchange.claims)
		as.state = inVersion1(as.state)
		as.exchange.states = []stateRecord{inVersion1(as.exchange.states[0]), inVersion1(as.exchange.states[1])}
	}
	return map[string]any{
		"ping": as.ping, "pong": as.pong, "votes": as.votes, "exchange": as.exchange, "claims": as.claims, "state": as.state, "leave": leave{},
	}
}

// announced are claims as version 1 has them.
func announced(claims claimList) claimList {
	all := slices.Clone(claims)
	for i := range all {
		all[i].Announced, all[i].Shares, all[i].Revision = true, shares.Table{}, 0
	}
	return all
}

// shared are claims to addresses of which every second is shared.
func shared(claims claimList) claimList {
	all, table := slices.Clone(claims), shares.Table{}
	for i := range all {
		if i%2 > 0 {
			table = shares.Divide(table, []string{fmt.Sprint("node-", i%5), fmt.Sprint("node-", i%7), "node-3"})
			all[i].Announced, all[i].Shares, all[i].Revision = true, table, uint64(i)
		}
	}
	return all
}

func inVersion1(s stateRecord) stateRecord {
	s.body, s.version = s.bodyIn(version1), version1
	return s
}

func TestMessages_AreDecodedAsTheyWereEncoded(t *testing.T) {
	for _, v := range []version{version1, version2, version3} {
		want := samples(v)
		for name, message := range messages(v) {
			t.Run(fmt.Sprint(name, v), func(t *testing.T) {
				head, body := decodeHeader(message)
				if head.node != "node" || head.incarnation != 12345 || head.version != v {
					t.Errorf("head %+v", head)
				}
				if v > version1 && (head.to != "receiver" || head.toIncarnation != 6 || head.seq != 7) {
					t.Errorf("head %+v", head)
				}
				read := readers(head)[name]
				if got := read(body); !body.ok() || !reflect.DeepEqual(got, want[name]) {
					t.Errorf("ok: %v\n got %+v\nwant %+v", body.ok(), got, want[name])
				}
				_, body = decodeHeader(append(bytes.Clone(message), 0))
				if read(body); body.ok() {
					t.Error("a byte too many is not noticed")
				}
			})
		}
	}
}

// In version 1, where nothing may be left out, and in the middle of any field of version 2.
func TestMessages_ThatAreCutOffAreRefused(t *testing.T) {
	for _, v := range []version{version1, version2, version3} {
		for name, message := range messages(v) {
			bodyAt := len(message) // Version 2 may end behind any field.
			for n := range message {
				head, body := decodeHeader(message[:n])
				if body.failed {
					continue
				}
				if readers(head)[name](body); v == version1 && body.ok() {
					t.Errorf("%s: %d of %d bytes are taken for whole", name, n, len(message))
				} else if body.ok() {
					bodyAt = min(bodyAt, n)
				}
			}
			if head, body := decodeHeader(message[:bodyAt]); v > version1 && (body.failed || head.node != "node") {
				t.Errorf("%s: %d of %d bytes", name, bodyAt, len(message))
			}
		}
	}
}

// Of a later version, in every part of a message.
func TestMessages_UnknownFieldsAreSkipped(t *testing.T) {
	want := samples(version3)
	for name, message := range messages(version3) {
		head, body := decodeHeader(withUnknownFields(message, 2))
		if got := readers(head)[name](body); !body.ok() || !reflect.DeepEqual(strip(got), strip(want[name])) {
			t.Errorf("%s: ok: %v\n got %+v\nwant %+v", name, body.ok(), got, want[name])
		}
	}
	if !New(Config{Node: "self"}).receive([]byte{byte(version2), 200, byte(fieldNode), 1, 'a'}, byDatagram) {
		t.Error("a kind that a later speaker has added is taken for damage")
	}
}

// withUnknownFields adds a field with a tag that nobody knows before each field of a message from a byte on, and within
// those that consist of fields themselves.
func withUnknownFields(message []byte, from int) []byte {
	out := bytes.Clone(message[:from])
	r := &reader{rest: message[from:]}
	for len(r.rest) > 0 {
		tag, value := r.number(), r.bytes(r.count(1))
		out = appendField(appendField(out, 4000, []byte("later")), tag, value)
	}
	if r.failed {
		return message
	}
	return out
}

// strip removes the unread states, which contain what was skipped.
func strip(v any) any {
	switch v := v.(type) {
	case exchange:
		v.states = slices.Clone(v.states)
		for i := range v.states {
			v.states[i].body = nil
		}
		return v
	case stateRecord:
		v.body = nil
		return v
	default:
		return v
	}
}

func TestReceive_RejectsInvalidMessages(t *testing.T) {
	head := func(k kind) []byte {
		return header{version: version1, kind: k, node: "node", incarnation: 1}.append1()
	}
	two := func(k kind, fields ...[]byte) []byte {
		return encode(header{version: version2, kind: k, node: "node", incarnation: 1}, bytes.Join(fields, nil))
	}
	field := func(tag uint64, values ...[]byte) []byte { return appendField(nil, tag, bytes.Join(values, nil)) }
	huge := binary.AppendUvarint(nil, math.MaxUint64)
	link := manyLinks(1).encode(version1)
	for name, message := range map[string][]byte{
		"nothing":                      {},
		"another version":              {byte(newest) + 1, byte(kindLeave), 1, 'a', 1},
		"a kind that is not":           {1, byte(kindExchange) + 1, 1, 'a', 1},
		"nobody":                       header{version: version1, kind: kindLeave, incarnation: 1}.append1(),
		"an incarnation with no later": header{version: version1, kind: kindLeave, node: "a", incarnation: maxIncarnation}.append1(),
		"a name of many bytes":         append([]byte{1, byte(kindLeave)}, huge...),
		"a ping to nowhere":            append(head(kindPing), 1, 0, 0, 0),
		"a ping to port 0":             append(head(kindPing), 1, 4, 10, 0, 0, 1, 0, 0),
		"more votes than bytes":        append(append(head(kindVotes), 1), huge...),
		"a vote that is neither":       append(head(kindVotes), 1, 1, 1, 'a', 1, 2),
		"more claims than bytes":       append(append(head(kindClaims), 0, 0), huge...),
		"a claim by nobody":            append(head(kindClaims), 0, 0, 1, 4, 10, 0, 0, 1, 0, 1),
		"a claim to five bytes":        append(head(kindClaims), 0, 1, 1, 'a', 1, 1, 5, 10, 0, 0, 1, 1, 0, 1),
		"more states than bytes":       append(head(kindExchange), huge...),
		"more links than bytes":        append(append(head(kindExchange), 1, 1, 'a', 1, 1, 11, 0), append(huge, 0, 0)...),
		"a prefix longer than may be":  append(append(head(kindExchange), 1, 1, 'a', 1, 1, byte(len(link))), append(append(link[:len(link)-1:len(link)-1], 129), 0, 0)...),
		"flags that are not (link)":    append(head(kindExchange), 1, 1, 'a', 1, 1, 7, 0, 1, 0, 0, 8, 0, 0, 0, 0),
		"flags that are not (speaker)": append(head(kindExchange), 1, 1, 'a', 1, 1, 2, 4, 0, 0, 0),

		"2: nobody":                        encode(header{version: version2, kind: kindLeave, incarnation: 1}, nil),
		"2: no kind":                       encode(header{version: version2, node: "a"}, nil),
		"2: an incarnation with no later":  encode(header{version: version2, kind: kindLeave, node: "a", incarnation: maxIncarnation}, nil),
		"2: a tag 0":                       append(two(kindLeave), 0, 0),
		"2: a field longer than the rest":  append(two(kindLeave), 9, 200),
		"2: a number of two numbers":       append(two(kindLeave), byte(fieldSeq), 2, 1, 1),
		"2: a flag with a value":           two(kindState, field(4, field(1, []byte{1}))),
		"2: a ping to nowhere":             two(kindPing, field(1, []byte{1})),
		"2: a ping to port 0":              two(kindPing, field(2, []byte{10, 0, 0, 1, 0, 0})),
		"2: a vote on nobody":              two(kindVotes, field(2, field(3))),
		"2: a claim by nobody":             two(kindClaims, field(2, field(2, field(1, []byte{10, 0, 0, 1})))),
		"2: a claim to five bytes":         two(kindClaims, field(2, field(1, field(1, []byte("a"))), field(2, field(1, []byte{10, 0, 0, 1, 1})))),
		"2: a claim to nothing":            two(kindClaims, field(2, field(1, field(1, []byte("a"))), field(2, field(3, []byte{1})))),
		"2: a revision with no later":      two(kindClaims, field(2, field(1, field(1, []byte("a"))), field(2, field(1, []byte{10, 0, 0, 1}), field(5, huge)))),
		"2: a state of nobody":             two(kindExchange, field(1, field(4))),
		"2: a prefix longer than may be":   two(kindState, field(4, field(3, field(6, []byte{10, 0, 0, 1, 33})))),
		"2: a text that is too long":       two(kindState, field(4, field(3, field(1, make([]byte, maxText+1))))),
		"2: a state with too many links":   two(kindState, field(4, bytes.Repeat(field(3), maxLinks+1))),
		"2: a state that is far too large": two(kindState, field(4, make([]byte, maxState+1))),
	} {
		m := New(Config{Node: "self"})
		m.peers.setListed(begins, "node", listing{incarnation: 1, at: gossipAt("127.0.0.1")}, true)
		m.peers.setListed(begins, "a", listing{incarnation: 1, at: gossipAt("127.0.0.1")}, true)
		if m.receive(message, byDatagram) {
			t.Errorf("%s is not refused", name)
		}
		if v := m.View(); len(v.Claims) > 0 || v.Peers["a"].StateKnown || v.Peers["node"].StateKnown {
			t.Errorf("%s has left something: %+v", name, v)
		}
	}
}

func TestBatches_FitInDatagrams(t *testing.T) {
	m := New(Config{Node: strings.Repeat("n", 253)})
	m.Set(map[string]ExpectedPeer{strings.Repeat("m", 250): {}})
	for _, n := range []int{0, 1, 100, 5000} {
		claims := []election.Claim(shared(manyClaims(n)))
		for i := range claims {
			if i%14 == 0 {
				claims[i].Node = fmt.Sprintf("%0253d", i)
			}
		}
		var got []election.Claim
		for _, message := range m.claimMessages(claims, 9) {
			for _, v := range []version{version1, version2, version3} {
				h := header{
					version: v, kind: kindClaims, node: m.cfg.Node, incarnation: maxIncarnation - 1, to: strings.Repeat("m", 250),
					toIncarnation: maxIncarnation - 1, seq: math.MaxUint64,
				}
				encoded := encode(h, message.append(nil, v))
				if len(encoded) > maxDatagram {
					t.Errorf("of %d claims, a message of %d bytes", n, len(encoded))
				}
				_, body := decodeHeader(encoded)
				if read := body.claimsMessage(); !body.ok() || read.ping != 9 || len(read.claims) != len(message.claims) {
					t.Fatal("it cannot be read")
				}
			}
			got = append(got, message.claims...)
		}
		if len(got) != n || n > 0 && !reflect.DeepEqual(got, claims) {
			t.Errorf("of %d claims %d came, or not as they were", n, len(got))
		}
	}
	if parts := batches(shared(manyClaims(100)), 60); len(parts) > 13 {
		t.Errorf("100 claims, of which half have tables, take %d datagrams", len(parts))
	}
	if parts := batches(manyClaims(1000), 60); len(parts) > 32 {
		t.Errorf("1000 claims take %d datagrams", len(parts))
	}
}

func TestState_IsBounded(t *testing.T) {
	s := manyLinks(maxLinks + 10)
	s.Links[3].Addresses = make([]netip.Prefix, maxAddresses)
	for i := range s.Links[3].Addresses {
		s.Links[3].Addresses[i] = netip.MustParsePrefix("2001:db8::1/128")
	}
	s.Links[2].Addresses = []netip.Prefix{{}, netip.MustParsePrefix("10.0.0.1/8")}
	for _, v := range []version{version1, version2, version3} {
		body := s.encode(v)
		if len(body) > maxState {
			t.Errorf("%d bytes", len(body))
		}
		got, ok := stateRecord{version: v, body: body}.decode()
		if !ok || len(got.Links) != maxLinks {
			t.Fatalf("what is left of it cannot be read: %d links", len(got.Links))
		}
		if len(got.Links[2].Addresses) != 1 {
			t.Errorf("an address that is none: %v", got.Links[2])
		}
	}
}

// Whatever comes, nothing panics, no more claims are known than were sent, and what can be decoded and encoded again stays the
// same.
func FuzzReceive(f *testing.F) {
	for _, v := range []version{version1, version2, version3} {
		for _, message := range messages(v) {
			f.Add(message)
			f.Add(withUnknownFields(message, 2))
		}
	}
	f.Fuzz(func(t *testing.T, message []byte) {
		m := New(Config{Node: "self", Keys: secrets("k")})
		m.receive(message, byDatagram)
		m.View()
		m.tick(time.Now(), 1)
		if n := len(m.View().Claims); n > len(message) {
			t.Errorf("%d claims of %d bytes", n, len(message))
		}
		head, body := decodeHeader(message)
		if body.failed || head.kind != kindExchange {
			return
		}
		e := body.exchange()
		if !body.ok() {
			return
		}
		for _, v := range []version{version1, version2, version3} {
			head.version = v
			_, again := decodeHeader(encode(head, e.append(nil, v)))
			got := again.exchange()
			same := slices.Equal(got.claims, e.claims) || v == version1 && slices.Equal(got.claims, announced(e.claims))
			if !again.ok() || len(got.states) != len(e.states) || !same {
				t.Errorf("written again it reads %+v, was %+v", got, e)
			}
		}
	})
}

// A table that is none is left out, as one of a later version with more servers. The claim counts all the same.
func TestMessages_ADamagedTableIsLeftOut(t *testing.T) {
	claim := shared(manyClaims(2))[1]
	field := func(tag uint64, value []byte) []byte { return appendField(nil, tag, value) }
	servers, of := append(field(1, []byte("a")), field(1, []byte("b"))...), make([]byte, shares.Count)
	for name, table := range map[string][]byte{
		"nothing":              {},
		"no servers":           field(2, of),
		"no shares":            servers,
		"a share too few":      append(bytes.Clone(servers), field(2, of[1:])...),
		"a server that is not": append(bytes.Clone(servers), field(2, bytes.Repeat([]byte{2}, shares.Count))...),
		"too many servers":     append(bytes.Repeat(servers, shares.MaxServers), field(2, of)...),
		"servers out of order": append(append(field(1, []byte("b")), field(1, []byte("a"))...), field(2, of)...),
	} {
		without := claim
		without.Shares = shares.Table{}
		encoded := appendField(appendClaim2(nil, without, 0), 6, table)
		read := &reader{rest: encoded, version: version2}
		if got := read.claim2([]author{authorOf(claim)}); !read.ok() || got != without {
			t.Errorf("%s: ok: %t, %+v", name, read.ok(), got)
		}
		if !claim.Beats(without) {
			t.Errorf("%s: a claim without the table counts for more", name)
		}
	}
}

// Those of an earlier version know no tables: with them a claim has the same digest when its holder has taken the table back.
func TestDigestOf_HasTheTableAndItsRevision(t *testing.T) {
	plain := manyClaims(1)[0]
	taken, one := plain, plain
	taken.Revision = 3
	one.Shares, one.Revision = shares.Divide(shares.Table{}, []string{"a", "b"}), 1
	two, other := one, one
	two.Revision, other.Shares = 2, shares.Divide(shares.Table{}, []string{"a", "c"})
	if digestOf(plain) != digestOf(taken) {
		t.Error("a table that was taken back changes the digest")
	}
	all := map[uint64]bool{}
	for _, claim := range []election.Claim{plain, one, two, other} {
		all[digestOf(claim)] = true
	}
	if len(all) != 4 {
		t.Errorf("four claims have %d digests", len(all))
	}
}

// Two versions of the speaker run side by side during an upgrade: whoever changes the format must change its version, or add
// fields that the others skip.
func TestMessages_KeepTheirFormat(t *testing.T) {
	for v, want := range map[version]string{
		version1: "819f714b1657dbd906f5aed5b92baa16587defb954d14742e7d6cce8ffdd39d5",
		version2: "e466947225dfba6afb4eb5a8cfe20ca1a0c51db43fedf3e46d78ecab23096d3e",
		version3: "afd03d609c831227a1725bee4677787d5604daa0309b26130b9f30a944726b87",
	} {
		all := messages(v)
		hash := sha256.New()
		for _, name := range slices.Sorted(maps.Keys(all)) {
			hash.Write(all[name])
		}
		if got := hex.EncodeToString(hash.Sum(nil)); got != want {
			t.Errorf("the messages of version %d are encoded in another way: %s", v, got)
		}
	}
}
