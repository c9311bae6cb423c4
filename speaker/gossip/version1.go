package gossip

import (
	"encoding/binary"
	"net/netip"
	"time"

	"github.com/daymark-lb/daymark/internal/core/detector"
	"github.com/daymark-lb/daymark/internal/core/election"
	"github.com/daymark-lb/daymark/internal/core/lb"
)

// Version 1: fields without tags, in a fixed order. It is spoken while a member understands nothing newer, and never changes.

func (h header) append1() []byte {
	return binary.AppendUvarint(appendText([]byte{byte(version1), byte(h.kind)}, h.node), h.incarnation)
}

func (r *reader) header1(h *header) {
	h.node, h.incarnation = r.text(), r.incarnation()
	if h.kind > kindExchange {
		r.fail()
	}
}

func (p ping) append1(b []byte) []byte {
	b = appendAddr(binary.AppendUvarint(b, p.number), p.at.Addr())
	b = binary.AppendUvarint(b, uint64(p.at.Port()))
	return binary.AppendUvarint(b, uint64(max(0, p.missed.Milliseconds())))
}

func (r *reader) ping1() ping {
	p := ping{number: r.number()}
	addr, port := r.addr(), r.number()
	p.missed = r.milliseconds()
	if !addr.IsValid() || port == 0 || port > 0xffff {
		r.fail()
		return ping{}
	}
	p.at = netip.AddrPortFrom(addr, uint16(port))
	return p
}

// milliseconds is a duration of no more than a century.
func (r *reader) milliseconds() time.Duration {
	const century = 100 * 365 * 24 * 3600 * 1000
	number := r.number()
	if number > century {
		r.fail()
		return 0
	}
	return time.Duration(number) * time.Millisecond
}

func (p pong) append1(b []byte) []byte {
	return binary.AppendUvarint(binary.AppendUvarint(b, p.number), p.claims)
}

func (r *reader) pong1() pong { return pong{number: r.number(), claims: r.number()} }

func (v votes) append1(b []byte) []byte {
	b = binary.AppendUvarint(b, v.number)
	b = binary.AppendUvarint(b, uint64(len(v.votes)))
	for _, each := range v.votes {
		b = binary.AppendUvarint(appendText(b, each.Node), each.Incarnation)
		b = appendBool(b, each.Suspect)
	}
	return b
}

func (r *reader) votes1() votes {
	v := votes{number: r.number()}
	count := r.count(3)
	v.votes = make([]detector.Vote, 0, count)
	for range count {
		v.votes = append(v.votes, detector.Vote{Node: r.text(), Incarnation: r.incarnation(), Suspect: r.bool()})
	}
	return v
}

// append1 writes a list of authors, then the claims.
func (c claimList) append1(b []byte) []byte {
	authors, index := authorsOf(c)
	b = binary.AppendUvarint(b, uint64(len(authors)))
	for _, by := range authors {
		b = binary.AppendUvarint(appendText(b, by.node), by.incarnation)
	}
	b = binary.AppendUvarint(b, uint64(len(c)))
	for _, claim := range c {
		b = appendAddr(b, claim.Addr)
		b = binary.AppendUvarint(b, index[authorOf(claim)])
		b = binary.AppendUvarint(b, claim.Term)
	}
	return b
}

func (r *reader) claimList1() claimList {
	count := r.count(3)
	authors := make([]author, 0, count)
	for range count {
		authors = append(authors, author{node: r.text(), incarnation: r.incarnation()})
	}
	const minClaim = 7 // bytes of a claim to an IPv4 address
	count = r.count(minClaim)
	claims := make(claimList, 0, count)
	for range count {
		addr, by, term := r.addr(), r.number(), r.number()
		if !addr.IsValid() || by >= uint64(len(authors)) {
			r.fail()
			return nil
		}
		claims = append(claims, election.Claim{
			Addr: addr, Node: authors[by].node, Incarnation: authors[by].incarnation, Term: term, Announced: true,
		})
	}
	return claims
}

// append1 writes a record for an exchange.
func (s stateRecord) append1(b []byte) []byte {
	b = binary.AppendUvarint(appendText(b, s.node), s.incarnation)
	b = binary.AppendUvarint(b, s.seq)
	body := s.bodyIn(version1)
	return append(binary.AppendUvarint(b, uint64(len(body))), body...)
}

func (r *reader) stateRecord1() stateRecord {
	s := stateRecord{node: r.text(), incarnation: r.incarnation(), seq: r.number(), version: version1}
	s.body = r.stateBody(r.count(1))
	if s.node == "" {
		r.fail()
	}
	return s
}

func (s State) append1(b []byte) []byte {
	b = append(b, bits(s.Known, s.Leaving))
	links := boundedLinks(s.Links)
	b = binary.AppendUvarint(b, uint64(len(links)))
	for _, link := range links {
		b = appendText(appendText(b, link.Name), link.MAC)
		b = append(b, bits(link.Up, link.Enslaved, link.NoARP))
		b = binary.AppendUvarint(b, uint64(len(link.Addresses)))
		for _, prefix := range link.Addresses {
			b = append(appendAddr(b, prefix.Addr()), byte(prefix.Bits())) //nolint:gosec // 0 to 128.
		}
	}
	return b
}

func (r *reader) state1() State {
	const all = 1<<2 - 1
	flags := r.byte()
	if flags > all {
		r.fail()
	}
	s := State{Known: flags&1 != 0, Leaving: flags&2 != 0}
	const minLink = 4 // bytes of a link: two empty texts, the flags, no addresses
	for range r.count(minLink) {
		s.Links = append(s.Links, r.link1())
		if r.failed {
			return State{}
		}
	}
	return s
}

func (r *reader) link1() lb.Link {
	const all = 1<<3 - 1
	link := lb.Link{Name: r.text(), MAC: r.text()}
	flags := r.byte()
	if flags > all {
		r.fail()
	}
	link.Up, link.Enslaved, link.NoARP = flags&1 != 0, flags&2 != 0, flags&4 != 0
	const minPrefix = 6 // bytes of an IPv4 prefix
	for range r.count(minPrefix) {
		prefix := netip.PrefixFrom(r.addr(), int(r.byte()))
		if !prefix.IsValid() {
			r.fail()
			return lb.Link{}
		}
		link.Addresses = append(link.Addresses, prefix)
	}
	return link
}

func (e exchange) append1(b []byte) []byte {
	states := e.bounded()
	b = binary.AppendUvarint(b, uint64(len(states)))
	for _, each := range states {
		b = each.append1(b)
	}
	return e.claims.append1(b)
}

func (r *reader) exchange1() exchange {
	var e exchange
	const minState = 4 // bytes of a state: lengths and numbers
	for range r.count(minState) {
		each := r.stateRecord1()
		if r.failed {
			return exchange{}
		}
		e.states = append(e.states, each)
	}
	e.claims = r.claimList1()
	return e
}
