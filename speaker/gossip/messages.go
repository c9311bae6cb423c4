package gossip

import (
	"encoding/binary"
	"net/netip"
	"time"

	"github.com/daymark-lb/daymark/internal/core/detector"
	"github.com/daymark-lb/daymark/internal/core/election"
)

// ping asks for a pong.
type ping struct {
	// seq rises from ping to ping.
	seq uint64
	// at is where the pong must go: memberlist does not say where a message came from.
	at netip.AddrPort
	// missed is for how long the sender may have heard nothing because it was stopped; 0: it was not stopped. The pong
	// comes after the claims of that time.
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
	// claims is how many messages of claims were sent before it, in answer to the same ping.
	claims uint64
}

func (p pong) append(b []byte) []byte {
	return binary.AppendUvarint(binary.AppendUvarint(b, p.seq), p.claims)
}

func (r *reader) pong() pong { return pong{seq: r.number(), claims: r.number()} }

// votes are the votes of an observer with a number that rises from message to message: datagrams overtake each other.
type votes struct {
	seq   uint64
	votes []detector.Vote
}

func (v votes) append(b []byte) []byte {
	b = binary.AppendUvarint(b, v.seq)
	b = binary.AppendUvarint(b, uint64(len(v.votes)))
	for _, each := range v.votes {
		b = binary.AppendUvarint(appendText(b, each.Node), each.Incarnation)
		b = appendBool(b, each.Suspect)
	}
	return b
}

func (r *reader) votes() votes {
	v := votes{seq: r.number()}
	count := r.count(3)
	v.votes = make([]detector.Vote, 0, count)
	for range count {
		v.votes = append(v.votes, detector.Vote{Node: r.text(), Incarnation: r.incarnation(), Suspect: r.bool()})
	}
	return v
}

// author is the speaker that made a claim, or nobody for one that releases an address. A message lists its authors once, and
// each claim has the index of its author.
type author struct {
	node        string
	incarnation uint64
}

// appendClaims writes a list of authors, then the claims.
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
		b = binary.AppendUvarint(appendText(b, by.node), by.incarnation)
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
		authors = append(authors, author{node: r.text(), incarnation: r.incarnation()})
	}
	const minClaim = 7 // bytes of a claim to an IPv4 address
	count = r.count(minClaim)
	claims := make([]election.Claim, 0, count)
	for range count {
		addr, by, term := r.addr(), r.number(), r.number()
		if !addr.IsValid() || by >= uint64(len(authors)) {
			r.fail()
			return nil
		}
		claims = append(claims, election.Claim{Addr: addr, Node: authors[by].node, Incarnation: authors[by].incarnation, Term: term})
	}
	return claims
}

// batches divides claims so that each batch fits in a datagram with a header of so many bytes.
func batches(claims []election.Claim, headerLen int) [][]election.Claim {
	var (
		all     [][]election.Claim
		authors = map[author]bool{}
		size    = headerLen
		first   int
	)
	const lengths = 6 // bytes of the lengths of both lists
	for i, claim := range claims {
		by := author{claim.Node, claim.Incarnation}
		need := 1 + len(claim.Addr.AsSlice()) + binary.MaxVarintLen16 + varintLen(claim.Term)
		if !authors[by] {
			need += authorLen(by)
		}
		if i > first && size+need+lengths > maxDatagram {
			all = append(all, claims[first:i])
			clear(authors)
			first, size = i, headerLen
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

func authorLen(by author) int { return 2 + len(by.node) + varintLen(by.incarnation) }

func varintLen(number uint64) int {
	var buffer [binary.MaxVarintLen64]byte
	return binary.PutUvarint(buffer[:], number)
}

// exchange is all that a speaker knows: what memberlist's push/pull brings to the other side.
type exchange struct {
	states []stateRecord
	claims []election.Claim
}

// maxExchange is the most bytes of an exchange: memberlist accepts no more than 20 MB. States that do not fit are left out,
// and come from others.
const maxExchange = 16 << 20

func (e exchange) append(b []byte) []byte {
	claims := appendClaims(nil, e.claims)
	size, count := len(b)+len(claims), 0
	for _, each := range e.states {
		if size += len(each.body) + 2*maxText; size > maxExchange {
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
	const minState = 4 // bytes of a state: lengths and numbers
	for range r.count(minState) {
		each := r.stateRecord()
		if r.failed {
			return exchange{}
		}
		e.states = append(e.states, each)
	}
	e.claims = r.claims()
	return e
}
