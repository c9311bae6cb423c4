package gossip

import (
	"encoding/binary"
	"net/netip"
	"time"

	"github.com/daymark-lb/daymark/internal/core/detector"
	"github.com/daymark-lb/daymark/internal/core/election"
	"github.com/daymark-lb/daymark/internal/core/shares"
)

// ping asks for a pong.
type ping struct {
	// number rises from ping to ping.
	number uint64
	// at is where the pong must go: memberlist does not say where a message came from.
	at netip.AddrPort
	// missed is for how long the sender may have heard nothing because it was stopped; 0: it was not stopped. The pong
	// comes after the claims of that time.
	missed time.Duration
	// digest is that of the sender's claims; 0: there are none, or the version does not say it.
	digest uint64
	// unanswered is how many pings before this one the receiver has not answered. Version 1 does not have it.
	unanswered int
	// has says which of the receiver's states the sender has, 0: it does not say, as one of before does not.
	has uint64
}

func (p ping) append(b []byte, v version) []byte {
	if v == version1 {
		return p.append1(b)
	}
	return p.append2(b)
}

func (r *reader) ping() ping {
	if r.version == version1 {
		return r.ping1()
	}
	return r.ping2()
}

// pong answers the ping of the same number.
type pong struct {
	number uint64
	// claims is how many messages of claims were sent before it, in answer to the same ping.
	claims uint64
	// digest is that of the sender's claims; 0: there are none, or the version does not say it.
	digest uint64
	// unanswered is how many pings of the sender the receiver has not answered. Version 1 does not have it.
	unanswered int
	// has is as in ping.
	has uint64
}

func (p pong) append(b []byte, v version) []byte {
	if v == version1 {
		return p.append1(b)
	}
	return p.append2(b)
}

func (r *reader) pong() pong {
	if r.version == version1 {
		return r.pong1()
	}
	return r.pong2()
}

// votes are the votes of an observer with a number that rises from message to message: datagrams overtake each other.
type votes struct {
	number uint64
	votes  []detector.Vote
}

func (v votes) append(b []byte, as version) []byte {
	if as == version1 {
		return v.append1(b)
	}
	return v.append2(b)
}

func (r *reader) votes() votes {
	if r.version == version1 {
		return r.votes1()
	}
	return r.votes2()
}

// missed says that the sender has no answer from a speaker, and asks the receiver to ping it as well.
type missed struct {
	node        string
	incarnation uint64
}

func (m missed) append(b []byte, _ version) []byte {
	return appendNumberField(appendTextField(b, 1, m.node), 2, m.incarnation)
}

func (r *reader) missed() missed {
	var m missed
	r.fields(func(tag uint64, value *reader) bool {
		switch tag {
		case 1:
			m.node = value.textField()
		case 2:
			m.incarnation = value.incarnation()
		default:
			return false
		}
		return true
	})
	return m
}

// leave says that the sender ends.
type leave struct{}

func (leave) append(b []byte, _ version) []byte { return b }

// author is the speaker that made a claim, or nobody for one that releases an address. A message lists its authors once, and
// each claim has the index of its author.
type author struct {
	node        string
	incarnation uint64
}

func authorOf(claim election.Claim) author { return author{claim.Node, claim.Incarnation} }

// claimList is some claims as they travel.
type claimList []election.Claim

// authorsOf returns the authors of claims, and their indexes.
func authorsOf(claims []election.Claim) (authors []author, index map[author]uint64) {
	index = map[author]uint64{}
	for _, claim := range claims {
		by := authorOf(claim)
		if _, known := index[by]; !known {
			index[by] = uint64(len(authors))
			authors = append(authors, by)
		}
	}
	return authors, index
}

// claimsMessage brings claims, in answer to a ping of a number, or unasked: 0.
type claimsMessage struct {
	ping   uint64
	claims claimList
}

func (c claimsMessage) append(b []byte, v version) []byte {
	if v == version1 {
		return c.claims.append1(binary.AppendUvarint(b, c.ping))
	}
	return c.append2(b)
}

func (r *reader) claimsMessage() claimsMessage {
	if r.version == version1 {
		return claimsMessage{r.number(), r.claimList1()}
	}
	return r.claimsMessage2()
}

// batches divides claims so that each batch fits in a datagram of either version with a header of so many bytes.
func batches(claims []election.Claim, headerLen int) [][]election.Claim {
	var (
		all     [][]election.Claim
		authors = map[author]bool{}
		size    = headerLen
		first   int
	)
	const lengths = 8 // bytes of the lengths of both lists, or of the fields that contain them
	for i, claim := range claims {
		by, need := authorOf(claim), claimLen(claim)
		if !authors[by] {
			need += authorLen(by)
		}
		if i > first && size+need+lengths > maxDatagram {
			all = append(all, claims[first:i])
			clear(authors)
			first, size = i, headerLen
			need = claimLen(claim) + authorLen(by)
		}
		authors[by] = true
		size += need
	}
	if first < len(claims) {
		all = append(all, claims[first:])
	}
	return all
}

// claimLen is the most bytes of a claim: a tag and a length for it and for each of its fields.
func claimLen(claim election.Claim) int {
	length := 2 + 2 + len(claim.Addr.AsSlice()) + 2 + binary.MaxVarintLen16 + 2 + varintLen(claim.Term) + 2
	if claim.Revision > 0 {
		length += 2 + varintLen(claim.Revision)
	}
	if claim.Shares.Shared() {
		const lengths = 6 // bytes of what is around the table and its indexes
		length += lengths + shares.Count
		for _, server := range claim.Shares.Servers() {
			length += 3 + len(server)
		}
	}
	return length
}

func authorLen(by author) int { return 8 + len(by.node) + varintLen(by.incarnation) }

func varintLen(number uint64) int {
	var buffer [binary.MaxVarintLen64]byte
	return binary.PutUvarint(buffer[:], number)
}

// exchange is all that a speaker knows: what memberlist's push/pull brings to the other side.
type exchange struct {
	states []stateRecord
	claims claimList
}

// maxExchange is the most bytes of an exchange with few claims: memberlist accepts no more than 20 MB. States that do not fit
// are left out, and come from others; those of minStates bytes have room however many claims there are.
const (
	maxExchange = 16 << 20
	minStates   = 2 << 20
)

// bounded returns the states that fit.
func (e exchange) bounded() []stateRecord {
	size := 0
	for _, claim := range e.claims {
		size += claimLen(claim)
	}
	size = min(size, maxExchange-minStates)
	for i, each := range e.states {
		if size += 2*len(each.body) + 2*maxText; size > maxExchange {
			return e.states[:i]
		}
	}
	return e.states
}

func (e exchange) append(b []byte, v version) []byte {
	if v == version1 {
		return e.append1(b)
	}
	return e.append2(b)
}

func (r *reader) exchange() exchange {
	if r.version == version1 {
		return r.exchange1()
	}
	return r.exchange2()
}
