// Package shares divides the clients of an address among the nodes that serve it together. Its one job is that table: which
// node serves which client. It is pure. It refuses to decide which nodes serve an address (internal/core/election does) and
// to know any client but by its address.
//
// All clients are in Count shares by their address alone, and a table gives each share to a node. A hash of client and node
// would need no table. But of 300 clients on three nodes it gives one node more than a tenth too much in every second
// cluster, and the same clients always. A table is exact, and says by itself who serves a client while nodes come and go.
package shares

import (
	"encoding/binary"
	"iter"
	"math/bits"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

const (
	// Count is how many shares the clients of an address are in. It divides evenly by up to six servers, and nearly by more.
	Count = 60
	// MaxServers is how many nodes serve an address at most.
	MaxServers = 8
	// maxNames bounds the names of all servers of a table together, and three times the longest: the message of a claim also has
	// the names of its author, its sender and its receiver, and must fit in a datagram.
	maxNames = 960
	// separator is between the names, of which none has it.
	separator = "\x00"
)

// Share returns the share of a client: the last 32 bits of its address, modulo Count. So clients with addresses in a row are
// spread evenly, which a hash of the address would leave to chance; Divide sees to those in steps. A client of IPv4 has the same share
// if its address is written as one of IPv6. An address that is not valid has share 0.
func Share(client netip.Addr) int {
	if !client.IsValid() {
		return 0
	}
	bytes := client.As16()
	return int(binary.BigEndian.Uint32(bytes[12:]) % Count)
}

// Set is some of the shares: bit i is share i.
type Set uint64

// All are all shares.
const All Set = 1<<Count - 1

// Has reports whether a share is one of the set.
func (s Set) Has(share int) bool { return s>>share&1 == 1 }

// Serves reports whether the share of a client is one of the set.
func (s Set) Serves(client netip.Addr) bool { return s.Has(Share(client)) }

// Len is how many shares there are.
func (s Set) Len() int { return bits.OnesCount64(uint64(s)) }

// Each yields the shares in order.
func (s Set) Each() iter.Seq[int] {
	return func(yield func(int) bool) {
		for share := range Count {
			if s.Has(share) && !yield(share) {
				return
			}
		}
	}
}

// Table says which node serves each share of the clients of an address. It never changes, and two that say the same are
// equal by ==. The zero Table is that of an address that is not shared: nobody serves a share.
type Table struct {
	// text is the index of the server of each share, a byte each, and then the names of the servers, in order.
	text string
}

// Make returns the table with these servers, in order of name and each once, in which share i is served by the server of index
// of[i]. It reports false when there is no such table: there is no server or more than MaxServers, one has no name or names
// too long for a datagram, or there are not Count indexes of servers.
func Make(servers []string, of []byte) (Table, bool) {
	if len(servers) == 0 || len(servers) > MaxServers || len(of) != Count || !fits(servers) {
		return Table{}, false
	}
	before := ""
	for _, name := range servers {
		if name <= before || strings.Contains(name, separator) {
			return Table{}, false
		}
		before = name
	}
	for _, index := range of {
		if int(index) >= len(servers) {
			return Table{}, false
		}
	}
	return Table{string(of) + strings.Join(servers, separator)}, true
}

// fits reports whether a claim with these servers fits in a datagram.
func fits(servers []string) bool {
	total, longest := 0, 0
	for _, name := range servers {
		total, longest = total+len(name), max(longest, len(name))
	}
	return total+3*longest <= maxNames
}

// Shared reports whether the table is one: an address that is not shared has none.
func (t Table) Shared() bool { return t.text != "" }

// Servers returns the nodes of the table in order of name, also those that serve no share; nil: it is not shared.
func (t Table) Servers() []string {
	if !t.Shared() {
		return nil
	}
	return strings.Split(t.text[Count:], separator)
}

// Indexes returns the index of the server of each share in Servers, as Make takes them; nil: it is not shared.
func (t Table) Indexes() []byte {
	if !t.Shared() {
		return nil
	}
	return []byte(t.text[:Count])
}

// Has reports whether a node is a server of the table.
func (t Table) Has(node string) bool { return t.index(node) >= 0 }

// index of a node among the servers; -1: it is none. It does not allocate.
func (t Table) index(node string) int {
	if !t.Shared() || node == "" {
		return -1
	}
	for i, rest := 0, t.text[Count:]; ; i++ {
		name, after, more := strings.Cut(rest, separator)
		switch {
		case name == node:
			return i
		case !more:
			return -1
		}
		rest = after
	}
}

// Server returns the node that serves a client; empty: the address is not shared. It does not allocate.
func (t Table) Server(client netip.Addr) string { return t.ServerOf(Share(client)) }

// ServerOf returns the node that serves a share; empty: the address is not shared.
func (t Table) ServerOf(share int) string {
	if !t.Shared() {
		return ""
	}
	rest := t.text[Count:]
	for range t.text[share] {
		_, rest, _ = strings.Cut(rest, separator)
	}
	name, _, _ := strings.Cut(rest, separator)
	return name
}

// Of returns the shares that a node serves.
func (t Table) Of(node string) (set Set) {
	index := t.index(node)
	if index < 0 {
		return 0
	}
	for share := range Count {
		if int(t.text[share]) == index {
			set |= 1 << share
		}
	}
	return set
}

// Balanced reports whether the shares of any two servers differ by at most one.
func (t Table) Balanced() bool {
	counts := t.counts()
	return len(counts) == 0 || slices.Max(counts)-slices.Min(counts) <= 1
}

// counts are how many shares each server has.
func (t Table) counts() []int {
	counts := make([]int, len(t.Servers()))
	for share := 0; share < Count && t.Shared(); share++ {
		counts[t.text[share]]++
	}
	return counts
}

// Compare orders tables, so that of two that were made at once all nodes prefer the same.
func (t Table) Compare(other Table) int { return strings.Compare(t.text, other.text) }

// Moved are the shares that another table gives to another node.
func (t Table) Moved(to Table) (set Set) {
	for share := range Count {
		if t.ServerOf(share) != to.ServerOf(share) {
			set |= 1 << share
		}
	}
	return set
}

// String writes the servers with how many shares each has, for logs.
func (t Table) String() string {
	if !t.Shared() {
		return "not shared"
	}
	var b strings.Builder
	for i, count := range t.counts() {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(t.Servers()[i] + ":")
		b.WriteString(strconv.Itoa(count))
	}
	return b.String()
}
