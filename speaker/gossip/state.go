package gossip

import (
	"encoding/binary"
	"net/netip"
	"slices"

	"github.com/daymark-lb/daymark/internal/core/lb"
)

// State is what a speaker tells of itself; it alone writes it.
type State struct {
	// Known: it knows its peers, and may hold addresses.
	Known bool
	// Leaving: it is about to end, and takes no addresses.
	Leaving bool
	// Links of its node, as far as others must see them: all but the Index.
	Links []lb.Link
}

const (
	// mostLinks and mostAddresses are the most that a state has, of all links together; what is more is left out. A node
	// has a few links of its own and one or two for each of its pods.
	mostLinks, mostAddresses = 4096, 16384
	// mostState is the most bytes that the body of a state has.
	mostState = 1 << 20
)

// news is a state with what tells it from older ones: the later instance counts, then the higher number.
type news struct {
	node          string
	instance, seq uint64
	// body is the state as it travels.
	body []byte
}

// append writes a state for a complete exchange, where its node need not be the sender.
func (n news) append(b []byte) []byte {
	b = binary.AppendUvarint(appendText(b, n.node), n.instance)
	b = binary.AppendUvarint(b, n.seq)
	return append(binary.AppendUvarint(b, uint64(len(n.body))), n.body...)
}

func (r *reader) news() news {
	n := news{node: r.text(), instance: r.instance(), seq: r.number()}
	n.body = slices.Clone(r.bytes(r.count(1)))
	if n.node == "" || len(n.body) > mostState {
		r.fail()
	}
	return n
}

// encode writes a state as it travels.
func encode(state State) []byte {
	links, addresses := state.Links[:min(len(state.Links), mostLinks)], mostAddresses
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
	const least = 4 // bytes of a link: two empty texts, the flags, no addresses
	count, addresses := r.count(least), mostAddresses
	if count > mostLinks {
		r.fail()
		return State{}
	}
	for range count {
		link := r.link()
		if addresses -= len(link.Addresses); addresses < 0 || r.bad {
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
	const least = 6 // bytes of an IPv4 prefix
	for range r.count(least) {
		prefix := netip.PrefixFrom(r.addr(), int(r.byte()))
		if !prefix.IsValid() {
			r.fail()
			return lb.Link{}
		}
		link.Addresses = append(link.Addresses, prefix)
	}
	return link
}
