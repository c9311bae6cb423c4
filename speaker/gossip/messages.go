package gossip

import (
	"encoding/binary"
	"net/netip"
	"time"

	"github.com/daymark-lb/daymark/internal/core/election"
)

// head begins every message.
type head struct {
	kind     kind
	from     string
	instance uint64
}

// open reads the head of a message; its body is what the reader has left. A version or kind that is not known fails.
func open(message []byte) (head, *reader) {
	r := &reader{rest: message}
	if r.byte() != version {
		r.fail()
	}
	h := head{kind: kind(r.byte()), from: r.text(), instance: r.instance()}
	if h.kind < kindPing || h.kind > kindExchange || h.from == "" {
		r.fail()
	}
	return h, r
}

// ping asks for a pong.
type ping struct {
	// seq rises from ping to ping.
	seq uint64
	// at is where the pong shall go: memberlist does not tell where a message came from.
	at netip.AddrPort
	// missed is for how long the sender may have heard nothing, because it was stopped; 0: it was not.
	missed time.Duration
}

func (p ping) append(b []byte) []byte {
	b = appendAddr(binary.AppendUvarint(b, p.seq), p.at.Addr())
	b = binary.AppendUvarint(b, uint64(p.at.Port()))
	return binary.AppendUvarint(b, uint64(max(0, p.missed.Milliseconds())))
}

func (r *reader) ping() ping {
	const century = 100 * 365 * 24 * 3600 * 1000 // ms
	p := ping{seq: r.number()}
	addr, port, missed := r.addr(), r.number(), r.number()
	if !addr.IsValid() || port == 0 || port > 0xffff || missed > century {
		r.fail()
		return ping{}
	}
	p.at = netip.AddrPortFrom(addr, uint16(port))
	p.missed = time.Duration(missed) * time.Millisecond
	return p
}

// pong answers the ping of the same number.
type pong struct {
	seq uint64
	// owed is how many messages of claims were sent before it, in answer to the same ping.
	owed uint64
}

func (p pong) append(b []byte) []byte {
	return binary.AppendUvarint(binary.AppendUvarint(b, p.seq), p.owed)
}

func (r *reader) pong() pong { return pong{seq: r.number(), owed: r.number()} }

// ballot is the vote of a watcher on a node: silent, or heard after all.
type ballot struct {
	node     string
	instance uint64
	silent   bool
}

// votes are ballots with the number of their casting, which rises from one to the next: datagrams overtake each other.
type votes struct {
	seq     uint64
	ballots []ballot
}

func (v votes) append(b []byte) []byte {
	b = binary.AppendUvarint(b, v.seq)
	b = binary.AppendUvarint(b, uint64(len(v.ballots)))
	for _, each := range v.ballots {
		b = binary.AppendUvarint(appendText(b, each.node), each.instance)
		b = appendBool(b, each.silent)
	}
	return b
}

func (r *reader) votes() votes {
	v := votes{seq: r.number()}
	count := r.count(3)
	v.ballots = make([]ballot, 0, count)
	for range count {
		v.ballots = append(v.ballots, ballot{node: r.text(), instance: r.instance(), silent: r.bool()})
	}
	return v
}

// author is who made a claim, or nobody, for one that releases an address. Claims name theirs by its place in a list.
type author struct {
	node     string
	instance uint64
}

// appendClaims writes claims with a list of their authors.
func appendClaims(b []byte, claims []election.Claim) []byte {
	var authors []author
	index := map[author]uint64{}
	for _, claim := range claims {
		by := author{claim.Node, claim.Incarnation}
		if _, known := index[by]; !known {
			index[by] = uint64(len(authors))
			authors = append(authors, by)
		}
	}
	b = binary.AppendUvarint(b, uint64(len(authors)))
	for _, by := range authors {
		b = binary.AppendUvarint(appendText(b, by.node), by.instance)
	}
	b = binary.AppendUvarint(b, uint64(len(claims)))
	for _, claim := range claims {
		b = appendAddr(b, claim.Addr)
		b = binary.AppendUvarint(b, index[author{claim.Node, claim.Incarnation}])
		b = binary.AppendUvarint(b, claim.Term)
	}
	return b
}

func (r *reader) claims() []election.Claim {
	count := r.count(3)
	authors := make([]author, 0, count)
	for range count {
		authors = append(authors, author{node: r.text(), instance: r.instance()})
	}
	const least = 7 // bytes of a claim to an IPv4 address
	count = r.count(least)
	claims := make([]election.Claim, 0, count)
	for range count {
		addr, by, term := r.addr(), r.number(), r.number()
		if !addr.IsValid() || by >= uint64(len(authors)) {
			r.fail()
			return nil
		}
		claims = append(claims, election.Claim{Addr: addr, Node: authors[by].node, Incarnation: authors[by].instance, Term: term})
	}
	return claims
}

// batches divides claims so that each part, with a head of so many bytes, fits in a datagram.
func batches(claims []election.Claim, head int) [][]election.Claim {
	var (
		all     [][]election.Claim
		authors = map[author]bool{}
		size    = head
		first   int
	)
	const lengths = 6 // bytes of the lengths of both lists
	for i, claim := range claims {
		by := author{claim.Node, claim.Incarnation}
		need := 1 + len(claim.Addr.AsSlice()) + binary.MaxVarintLen16 + varintLen(claim.Term)
		if !authors[by] {
			need += authorLen(by)
		}
		if i > first && size+need+lengths > datagram {
			all = append(all, claims[first:i])
			clear(authors)
			first, size = i, head
			need = 1 + len(claim.Addr.AsSlice()) + binary.MaxVarintLen16 + varintLen(claim.Term) + authorLen(by)
		}
		authors[by] = true
		size += need
	}
	if first < len(claims) {
		all = append(all, claims[first:])
	}
	return all
}

func authorLen(by author) int { return 2 + len(by.node) + varintLen(by.instance) }

func varintLen(number uint64) int {
	var buffer [binary.MaxVarintLen64]byte
	return binary.PutUvarint(buffer[:], number)
}

// exchange is all that a speaker knows.
type exchange struct {
	states []news
	claims []election.Claim
}

// mostExchange is the most bytes of a complete exchange: memberlist takes no more than 20 MB. States that do not fit are
// left out, and come from others.
const mostExchange = 16 << 20

func (e exchange) append(b []byte) []byte {
	claims := appendClaims(nil, e.claims)
	size, count := len(b)+len(claims), 0
	for _, each := range e.states {
		if size += len(each.body) + 2*longest; size > mostExchange {
			break
		}
		count++
	}
	b = binary.AppendUvarint(b, uint64(count))
	for _, each := range e.states[:count] {
		b = each.append(b)
	}
	return append(b, claims...)
}

func (r *reader) exchange() exchange {
	var e exchange
	const least = 4 // bytes of a state: lengths and numbers
	for range r.count(least) {
		each := r.news()
		if r.bad {
			return exchange{}
		}
		e.states = append(e.states, each)
	}
	e.claims = r.claims()
	return e
}
