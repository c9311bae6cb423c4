package gossip

import (
	"encoding/binary"
	"net/netip"

	"github.com/daymark-lb/daymark/internal/core/detector"
	"github.com/daymark-lb/daymark/internal/core/election"
	"github.com/daymark-lb/daymark/internal/core/shares"
)

// Version 2: everything is a field with a tag and a length. A field that is zero, empty or false is left out. New fields may
// be added to any part, since those who do not know a tag skip it; a tag is never used again for something else.

// maxUnanswered is more pings than make any speaker silent.
const maxUnanswered = 1 << 16

// Fields of a message.
const (
	fieldNode uint64 = 1 + iota
	fieldIncarnation
	fieldTo
	fieldToIncarnation
	fieldSeq
	fieldBody
	fieldAlone
	fieldSpeaks
	fieldOpens
)

func (h header) append2() []byte {
	b := appendTextField([]byte{byte(h.version), byte(h.kind)}, fieldNode, h.node)
	b = appendNumberField(b, fieldIncarnation, h.incarnation)
	b = appendTextField(b, fieldTo, h.to)
	b = appendNumberField(b, fieldToIncarnation, h.toIncarnation)
	b = appendFlagField(appendNumberField(b, fieldSeq, h.seq), fieldAlone, h.alone)
	if h.speaks.known() {
		b = appendField(b, fieldSpeaks, []byte{byte(h.speaks.min), byte(h.speaks.max)})
	}
	return appendOpens(b, fieldOpens, h.opens)
}

// header2 reads all fields, and returns a reader of the body.
func (r *reader) header2(h *header) *reader {
	content := &reader{version: version2}
	r.fields(func(tag uint64, value *reader) bool {
		switch tag {
		case fieldNode:
			h.node = value.textField()
		case fieldIncarnation:
			h.incarnation = value.incarnation()
		case fieldTo:
			h.to = value.textField()
		case fieldToIncarnation:
			h.toIncarnation = value.incarnation()
		case fieldSeq:
			h.seq = value.number()
		case fieldBody:
			content.rest = value.take()
		case fieldAlone:
			h.alone = value.flag()
		case fieldSpeaks:
			h.speaks = versionRange{version(value.byte()), version(value.byte())}
			value.take() // A later speaker may say more.
			if h.speaks.min == 0 || h.speaks.max < h.speaks.min {
				r.fail()
			}
		case fieldOpens:
			h.opens = value.saltID()
		default:
			return false
		}
		return true
	})
	if r.failed {
		content.fail()
	}
	return content
}

// The value of an address and port: the address, then two bytes.
func appendAddrPortField(b []byte, tag uint64, at netip.AddrPort) []byte {
	return appendField(b, tag, binary.BigEndian.AppendUint16(at.Addr().AsSlice(), at.Port()))
}

func (r *reader) addrPortField() netip.AddrPort {
	addr, ok := netip.AddrFromSlice(r.bytes(len(r.rest) - 2))
	port := r.bytes(2)
	if !ok || r.failed || binary.BigEndian.Uint16(port) == 0 {
		r.fail()
		return netip.AddrPort{}
	}
	return netip.AddrPortFrom(addr, binary.BigEndian.Uint16(port))
}

func (p ping) append2(b []byte) []byte {
	b = appendAddrPortField(appendNumberField(b, 1, p.number), 2, p.at)
	b = appendNumberField(b, 3, uint64(max(0, p.missed.Milliseconds())))
	b = appendNumberField(b, 4, p.digest)
	b = appendNumberField(b, 5, uint64(p.unanswered)) //nolint:gosec // Not negative.
	return appendNumberField(b, 6, p.has)
}

func (r *reader) ping2() ping {
	var p ping
	r.fields(func(tag uint64, value *reader) bool {
		switch tag {
		case 1:
			p.number = value.number()
		case 2:
			p.at = value.addrPortField()
		case 3:
			p.missed = value.milliseconds()
		case 4:
			p.digest = value.number()
		case 5:
			p.unanswered = int(min(value.number(), maxUnanswered))
		case 6:
			p.has = value.number()
		default:
			return false
		}
		return true
	})
	if !p.at.IsValid() {
		r.fail()
	}
	return p
}

func (p pong) append2(b []byte) []byte {
	b = appendNumberField(appendNumberField(appendNumberField(b, 1, p.number), 2, p.claims), 3, p.digest)
	b = appendNumberField(b, 4, uint64(p.unanswered)) //nolint:gosec // Not negative.
	return appendNumberField(b, 5, p.has)
}

func (r *reader) pong2() pong {
	var p pong
	r.fields(func(tag uint64, value *reader) bool {
		switch tag {
		case 1:
			p.number = value.number()
		case 2:
			p.claims = value.number()
		case 3:
			p.digest = value.number()
		case 4:
			p.unanswered = int(min(value.number(), maxUnanswered))
		case 5:
			p.has = value.number()
		default:
			return false
		}
		return true
	})
	return p
}

func (v votes) append2(b []byte) []byte {
	b = appendNumberField(b, 1, v.number)
	for _, each := range v.votes {
		vote := appendNumberField(appendTextField(nil, 1, each.Node), 2, each.Incarnation)
		b = appendField(b, 2, appendFlagField(vote, 3, each.Suspect))
	}
	return b
}

func (r *reader) votes2() votes {
	var v votes
	r.fields(func(tag uint64, value *reader) bool {
		switch tag {
		case 1:
			v.number = value.number()
		case 2:
			v.votes = append(v.votes, value.vote2())
		default:
			return false
		}
		return true
	})
	return v
}

func (r *reader) vote2() detector.Vote {
	var vote detector.Vote
	r.fields(func(tag uint64, value *reader) bool {
		switch tag {
		case 1:
			vote.Node = value.textField()
		case 2:
			vote.Incarnation = value.incarnation()
		case 3:
			vote.Suspect = value.flag()
		default:
			return false
		}
		return true
	})
	if vote.Node == "" {
		r.fail()
	}
	return vote
}

// append2 writes the authors, then the claims, each with the index of its author.
func (c claimList) append2(b []byte) []byte {
	authors, index := authorsOf(c)
	for _, by := range authors {
		b = appendField(b, 1, appendNumberField(appendTextField(nil, 1, by.node), 2, by.incarnation))
	}
	for _, claim := range c {
		b = appendField(b, 2, appendClaim2(nil, claim, index[authorOf(claim)]))
	}
	return b
}

func appendClaim2(b []byte, claim election.Claim, author uint64) []byte {
	b = appendNumberField(appendField(b, 1, claim.Addr.AsSlice()), 2, author)
	b = appendFlagField(appendNumberField(b, 3, claim.Term), 4, claim.Announced)
	b = appendNumberField(b, 5, claim.Revision)
	if claim.Shares.Shared() {
		b = appendField(b, 6, appendTable(nil, claim.Shares))
	}
	return b
}

// appendTable writes the servers of a table, and then the server of each share by its index.
func appendTable(b []byte, table shares.Table) []byte {
	for _, server := range table.Servers() {
		b = appendTextField(b, 1, server)
	}
	return appendField(b, 2, table.Indexes())
}

// table reads a table. One that is none here, as of a later version that has more servers, is left out: then its claim says
// who holds the address, and a claim that has the table counts for more.
func (r *reader) table() shares.Table {
	var (
		servers []string
		of      []byte
	)
	r.fields(func(tag uint64, value *reader) bool {
		switch tag {
		case 1:
			servers = append(servers, value.textField())
		case 2:
			of = value.take()
		default:
			return false
		}
		return true
	})
	table, _ := shares.Make(servers, of)
	return table
}

func (r *reader) claimList2() claimList {
	var (
		authors []author
		claims  claimList
	)
	r.fields(func(tag uint64, value *reader) bool {
		switch tag {
		case 1:
			authors = append(authors, value.author2())
		case 2:
			claims = append(claims, value.claim2(authors))
		default:
			return false
		}
		return true
	})
	return claims
}

func (r *reader) author2() author {
	var by author
	r.fields(func(tag uint64, value *reader) bool {
		switch tag {
		case 1:
			by.node = value.textField()
		case 2:
			by.incarnation = value.incarnation()
		default:
			return false
		}
		return true
	})
	return by
}

func (r *reader) claim2(authors []author) election.Claim {
	var (
		claim election.Claim
		by    uint64
	)
	r.fields(func(tag uint64, value *reader) bool {
		switch tag {
		case 1:
			claim.Addr = value.addrField()
		case 2:
			by = value.number()
		case 3:
			claim.Term = value.number()
		case 4:
			claim.Announced = value.flag()
		case 5:
			claim.Revision = value.incarnation() // It rises, too.
		case 6:
			claim.Shares = value.table()
		default:
			return false
		}
		return true
	})
	if !claim.Addr.IsValid() || by >= uint64(len(authors)) {
		r.fail()
		return election.Claim{}
	}
	claim.Node, claim.Incarnation = authors[by].node, authors[by].incarnation
	return claim
}

func (c claimsMessage) append2(b []byte) []byte {
	return appendField(appendNumberField(b, 1, c.ping), 2, c.claims.append2(nil))
}

func (r *reader) claimsMessage2() claimsMessage {
	var c claimsMessage
	r.fields(func(tag uint64, value *reader) bool {
		switch tag {
		case 1:
			c.ping = value.number()
		case 2:
			c.claims = value.claimList2()
		default:
			return false
		}
		return true
	})
	return c
}
