package gossip

import (
	"encoding/binary"
	"net/netip"
	"slices"

	"github.com/daymark-lb/daymark/internal/core/lb"
)

// State is what a speaker tells about itself. Nobody else writes it.
type State struct {
	// Known: it knows its peers, so it may hold addresses.
	Known bool
	// Leaving: it is about to end, and takes no more addresses.
	Leaving bool
	// Links of its node that others need to know, without their Index.
	Links []lb.Link
}

const (
	// maxLinks and maxAddresses bound a state, the latter all links together; what is more is left out. A node has a few
	// links of its own and one or two for each of its pods.
	maxLinks, maxAddresses = 4096, 16384
	// maxState is the most bytes of an encoded state.
	maxState = 1 << 20
)

// stateRecord is an encoded state of a node, and its version.
type stateRecord struct {
	node             string
	incarnation, seq uint64
	body             []byte
}

// newerThan compares the versions of two states of one node: the later incarnation counts, then the higher number.
func (s stateRecord) newerThan(other stateRecord) bool {
	return s.incarnation > other.incarnation || s.incarnation == other.incarnation && s.seq > other.seq
}

// append writes the record for an exchange, in which the node need not be the sender.
func (s stateRecord) append(b []byte) []byte {
	b = binary.AppendUvarint(appendText(b, s.node), s.incarnation)
	b = binary.AppendUvarint(b, s.seq)
	return append(binary.AppendUvarint(b, uint64(len(s.body))), s.body...)
}

func (r *reader) stateRecord() stateRecord {
	s := stateRecord{node: r.text(), incarnation: r.incarnation(), seq: r.number()}
	s.body = slices.Clone(r.bytes(r.count(1)))
	if s.node == "" || len(s.body) > maxState {
		r.fail()
	}
	return s
}

// encode returns a state as it travels.
func encode(state State) []byte {
	links, addresses := state.Links[:min(len(state.Links), maxLinks)], maxAddresses
	b := []byte{bits(state.Known, state.Leaving)}
	b = binary.AppendUvarint(b, uint64(len(links)))
	for _, link := range links {
		b = appendText(appendText(b, link.Name), link.MAC)
		b = append(b, bits(link.Up, link.Enslaved, link.NoARP))
		own := slices.DeleteFunc(slices.Clone(link.Addresses), func(p netip.Prefix) bool { return !p.IsValid() })
		own = own[:min(len(own), addresses)]
		addresses -= len(own)
		b = binary.AppendUvarint(b, uint64(len(own)))
		for _, prefix := range own {
			b = append(appendAddr(b, prefix.Addr()), byte(prefix.Bits())) //nolint:gosec // 0 to 128.
		}
	}
	return b
}

// state reads what encode wrote.
func (r *reader) state() State {
	const all = 1<<2 - 1
	flags := r.byte()
	if flags > all {
		r.fail()
	}
	s := State{Known: flags&1 != 0, Leaving: flags&2 != 0}
	const minLink = 4 // bytes of a link: two empty texts, the flags, no addresses
	count, addresses := r.count(minLink), maxAddresses
	if count > maxLinks {
		r.fail()
		return State{}
	}
	for range count {
		link := r.link()
		if addresses -= len(link.Addresses); addresses < 0 || r.failed {
			r.fail()
			return State{}
		}
		s.Links = append(s.Links, link)
	}
	return s
}

func (r *reader) link() lb.Link {
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
