package wire

import (
	"encoding/binary"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"time"
)

// Types of messages (RFC 4271 section 4.1), and their header.
const (
	messageUpdate, messageNotification = 2, 3

	messageHeader = 19
)

// Withdrawal is something that takes routes from a router, and when it was on the wire.
type Withdrawal struct {
	At   time.Time
	From netip.Addr
	What string // "198.19.0.1/32 withdrawn", "NOTIFICATION 6/2", "FIN", "RST"
}

// Speakers is what hosts have told a router by IPv4 unicast routes, by their addresses. It has seen all their packets from their first SYN on.
type Speakers struct {
	router netip.Addr
	hosts  map[netip.Addr]*teller
	// Withdrawals since the last call of Take.
	withdrawals []Withdrawal
	broken      int
}

// teller is the newest connection of a host.
type teller struct {
	ends   [2]netip.AddrPort
	syn    uint32 // its sequence number
	stream *stream
	rest   []byte // the beginning of a message
	routes map[netip.Prefix]bool
	// before are the routes of the connection before, which a router keeps until all have been told again (RFC 4724).
	before map[netip.Prefix]bool
}

// NewSpeakers has seen nothing yet of what the router with an address is told.
func NewSpeakers(router netip.Addr) *Speakers {
	return &Speakers{router: router, hosts: map[netip.Addr]*teller{}}
}

// Add takes in a frame.
func (s *Speakers) Add(f Frame) {
	segment, ok := parseTCP(f.Data)
	if !ok || segment.to.Addr() != s.router {
		return
	}
	from, ends := segment.from.Addr(), [2]netip.AddrPort{segment.from, segment.to}
	t := s.hosts[from]
	if segment.syn {
		var before map[netip.Prefix]bool
		if t != nil && t.ends == ends && t.syn == segment.sequence {
			return // sent again
		}
		if t != nil {
			before = t.known()
		}
		s.hosts[from] = &teller{ends: ends, syn: segment.sequence, stream: newStream(segment.sequence), routes: map[netip.Prefix]bool{}, before: before}
		return
	}
	if t == nil || t.ends != ends {
		return // of an older connection
	}
	ready, whole := t.stream.add(segment.sequence, segment.payload)
	if !whole {
		s.broken++
		delete(s.hosts, from)
		return
	}
	t.rest = append(t.rest, ready...)
	for s.read(f.At, from, t) {
	}
	if segment.fin || segment.rst {
		s.note(f.At, from, map[bool]string{true: "RST", false: "FIN"}[segment.rst])
	}
}

// read takes the next message off a host's stream; false when there is none that is whole.
func (s *Speakers) read(at time.Time, from netip.Addr, t *teller) bool {
	if len(t.rest) < messageHeader {
		return false
	}
	length := int(binary.BigEndian.Uint16(t.rest[16:]))
	if length < messageHeader || len(t.rest) < length {
		return false
	}
	body := t.rest[messageHeader:length]
	switch t.rest[messageHeader-1] {
	case messageUpdate:
		s.update(at, from, t, body)
	case messageNotification:
		if len(body) >= 2 {
			s.note(at, from, fmt.Sprintf("NOTIFICATION %d/%d", body[0], body[1]))
		}
		t.before = nil
		clear(t.routes)
	}
	t.rest = t.rest[length:]
	return true
}

// update reads an UPDATE (RFC 4271 section 4.3). One with nothing in it is End-of-RIB.
func (s *Speakers) update(at time.Time, from netip.Addr, t *teller, body []byte) {
	withdrawn, rest, ok := counted(body)
	attributes, reach, more := counted(rest)
	if !ok || !more {
		s.broken++
		return
	}
	if len(withdrawn)+len(attributes)+len(reach) == 0 {
		for prefix := range t.before {
			if !t.routes[prefix] {
				s.note(at, from, prefix.String()+" not told again")
			}
		}
		t.before = nil
	}
	for _, prefix := range prefixes(withdrawn) {
		if t.known()[prefix] {
			s.note(at, from, prefix.String()+" withdrawn")
		}
		delete(t.routes, prefix)
		delete(t.before, prefix)
	}
	for _, prefix := range prefixes(reach) {
		t.routes[prefix] = true
	}
}

// counted splits off what a length of two bytes before it says.
func counted(b []byte) (part, rest []byte, ok bool) {
	if len(b) < 2 || len(b)-2 < int(binary.BigEndian.Uint16(b)) {
		return nil, nil, false
	}
	end := 2 + int(binary.BigEndian.Uint16(b))
	return b[2:end], b[end:], true
}

// prefixes reads a list of prefixes, as far as it can be read.
func prefixes(list []byte) (all []netip.Prefix) {
	for len(list) > 0 {
		bits := int(list[0])
		size := (bits + 7) / 8
		if bits > 32 || len(list) < 1+size {
			return all
		}
		var addr [4]byte
		copy(addr[:], list[1:1+size])
		all = append(all, netip.PrefixFrom(netip.AddrFrom4(addr), bits).Masked())
		list = list[1+size:]
	}
	return all
}

// known are the routes that a router with graceful restart has of the host.
func (t *teller) known() map[netip.Prefix]bool {
	all := maps.Clone(t.routes)
	maps.Copy(all, t.before)
	return all
}

func (s *Speakers) note(at time.Time, from netip.Addr, what string) {
	s.withdrawals = append(s.withdrawals, Withdrawal{at, from, what})
}

// Telling are the hosts of which the router has a route for a prefix, sorted.
func (s *Speakers) Telling(prefix netip.Prefix) (hosts []netip.Addr) {
	for host, t := range s.hosts {
		if t.known()[prefix] {
			hosts = append(hosts, host)
		}
	}
	slices.SortFunc(hosts, netip.Addr.Compare)
	return hosts
}

// Take returns the withdrawals since the last call, and how many connections or messages could not be read since.
func (s *Speakers) Take() (withdrawals []Withdrawal, broken int) {
	withdrawals, broken = s.withdrawals, s.broken
	s.withdrawals, s.broken = nil, 0
	return withdrawals, broken
}
