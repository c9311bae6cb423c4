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
	exchange exchange
}{
	ping{7, netip.MustParseAddrPort("[2001:db8::1]:7946"), 1500 * time.Millisecond},
	pong{math.MaxUint64, 3},
	votes{9, []detector.Vote{{Node: "a", Incarnation: 1, Suspect: true}, {Node: strings.Repeat("x", 253), Incarnation: maxIncarnation - 1}}},
	exchange{
		[]stateRecord{{"a", 5, 6, encode(manyLinks(3))}, {"b", 0, 1, encode(State{Leaving: true})}},
		manyClaims(50),
	},
}

func messages() map[string][]byte {
	head := func(k kind) []byte { return header{k, "node", 12345}.encode() }
	return map[string][]byte{
		"ping":     sample.ping.append(head(kindPing)),
		"pong":     sample.pong.append(head(kindPong)),
		"votes":    sample.votes.append(head(kindVotes)),
		"claims":   appendClaims(binary.AppendUvarint(head(kindClaims), 0), manyClaims(10)),
		"state":    append(binary.AppendUvarint(head(kindState), 4), encode(manyLinks(2))...),
		"leave":    head(kindLeave),
		"exchange": sample.exchange.append(head(kindExchange)),
	}
}

func TestMessages_AreDecodedAsTheyWereEncoded(t *testing.T) {
	read := map[string]func(*reader) any{
		"ping": func(r *reader) any { return r.ping() }, "pong": func(r *reader) any { return r.pong() },
		"votes": func(r *reader) any { return r.votes() }, "exchange": func(r *reader) any { return r.exchange() },
		"claims": func(r *reader) any { r.number(); return r.claims() },
		"state":  func(r *reader) any { r.number(); return r.state() },
		"leave":  func(*reader) any { return nil },
	}
	want := map[string]any{
		"ping": sample.ping, "pong": sample.pong, "votes": sample.votes, "exchange": sample.exchange,
		"claims": manyClaims(10), "state": manyLinks(2), "leave": nil,
	}
	for name, message := range messages() {
		t.Run(name, func(t *testing.T) {
			head, body := decodeHeader(message)
			if head.node != "node" || head.incarnation != 12345 {
				t.Errorf("head %+v", head)
			}
			if got := read[name](body); !body.ok() || !reflect.DeepEqual(got, want[name]) {
				t.Errorf("ok: %v\n got %+v\nwant %+v", body.ok(), got, want[name])
			}
			// Cut off anywhere it is refused, and so is more than there should be.
			for n := range message {
				if _, body := decodeHeader(message[:n]); !body.failed {
					if read[name](body); body.ok() {
						t.Errorf("%d of %d bytes are taken for whole", n, len(message))
					}
				}
			}
			_, body = decodeHeader(append(bytes.Clone(message), 0))
			if read[name](body); body.ok() {
				t.Error("a byte too many is not noticed")
			}
		})
	}
}

func TestReceive_RejectsInvalidMessages(t *testing.T) {
	head := func(k kind) []byte { return header{k, "node", 1}.encode() }
	huge := binary.AppendUvarint(nil, math.MaxUint64)
	link := encode(manyLinks(1))
	for name, message := range map[string][]byte{
		"nothing":                      {},
		"another version":              {version + 1, byte(kindLeave), 1, 'a', 1},
		"a kind that is not":           {version, byte(kindExchange) + 1, 1, 'a', 1},
		"nobody":                       header{kindLeave, "", 1}.encode(),
		"an incarnation with no later": header{kindLeave, "a", maxIncarnation}.encode(),
		"a name of many bytes":         append([]byte{version, byte(kindLeave)}, huge...),
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
	} {
		m := New(Config{Node: "self"})
		if m.receive(message) {
			t.Errorf("%s is not refused", name)
		}
		if v := m.View(); len(v.Claims) > 0 || v.Peers["a"].StateKnown {
			t.Errorf("%s has left something: %+v", name, v)
		}
	}
}

func TestBatches_FitInDatagrams(t *testing.T) {
	m := New(Config{Node: strings.Repeat("n", 253)})
	for _, n := range []int{0, 1, 100, 5000} {
		claims := manyClaims(n)
		for i := range claims {
			if i%7 == 0 {
				claims[i].Node = fmt.Sprintf("%0253d", i)
			}
		}
		var got []election.Claim
		for _, message := range m.claimMessages(claims, 9) {
			if len(message) > maxDatagram {
				t.Errorf("of %d claims, a message of %d bytes", n, len(message))
			}
			_, body := decodeHeader(message)
			seq := body.number()
			got = append(got, body.claims()...)
			if !body.ok() || seq != 9 {
				t.Fatal("it cannot be read")
			}
		}
		if len(got) != n || n > 0 && !reflect.DeepEqual(got, claims) {
			t.Errorf("of %d claims %d came, or not as they were", n, len(got))
		}
	}
	if parts := batches(manyClaims(1000), 30); len(parts) > 16 {
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
	body := encode(s)
	if len(body) > maxState {
		t.Errorf("%d bytes", len(body))
	}
	r := &reader{rest: body}
	got := r.state()
	if !r.ok() || len(got.Links) != maxLinks {
		t.Errorf("what is left of it cannot be read: %d links", len(got.Links))
	}
	if len(got.Links[2].Addresses) != 1 {
		t.Errorf("an address that is none: %v", got.Links[2])
	}
}

// Whatever comes, nothing panics, no more claims are known than were sent, and what can be decoded and encoded again stays the
// same.
func FuzzReceive(f *testing.F) {
	for _, message := range messages() {
		f.Add(message)
	}
	f.Fuzz(func(t *testing.T, message []byte) {
		m := New(Config{Node: "self", Keys: secrets("k")})
		m.receive(message)
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
		_, again := decodeHeader(e.append(header{kindExchange, head.node, head.incarnation}.encode()))
		if got := again.exchange(); !again.ok() || len(got.states) != len(e.states) || !reflect.DeepEqual(got.claims, e.claims) {
			t.Errorf("written again it reads %+v, was %+v", got, e)
		}
	})
}

// Two versions of the speaker run side by side during an upgrade: whoever changes the format must change its version.
func TestMessages_KeepTheirFormat(t *testing.T) {
	all := messages()
	hash := sha256.New()
	for _, name := range slices.Sorted(maps.Keys(all)) {
		hash.Write(all[name])
	}
	const want = "819f714b1657dbd906f5aed5b92baa16587defb954d14742e7d6cce8ffdd39d5"
	if got := hex.EncodeToString(hash.Sum(nil)); got != want {
		t.Errorf("the messages of version %d are encoded in another way: %s", version, got)
	}
}
