package announce

import (
	"net/netip"
	"slices"

	"github.com/daymark-lb/daymark/internal/core/lb"
	"github.com/daymark-lb/daymark/internal/core/shares"
)

// Sharing says which clients of an address this node answers, when other nodes answer the others, or the advertisements want that: who asks
// for the address is remembered, also while one node answers all.
type Sharing struct {
	// Table is how the clients are divided; the zero Table: this node answers all.
	Table shares.Table
	// Own are the shares that this node answers.
	Own shares.Set
	// Holder: this node holds the address. So it answers those who only ask whether the address is in use, and defends it. HeldBy is
	// the node that does; empty: the address is not shared, or has no holder now.
	Holder bool
	HeldBy string
	// Servers are the other nodes of the table, in order of name, each with the ways to it.
	Servers []Layer2Server
}

// Layer2Server is another node that answers for an address.
type Layer2Server struct {
	Node  string
	Paths []Layer2Path
}

// Equal reports whether two sharings are the same.
func (s *Sharing) Equal(other *Sharing) bool {
	if s == nil || other == nil {
		return s == other
	}
	return s.Table == other.Table && s.Own == other.Own && s.Holder == other.Holder && s.HeldBy == other.HeldBy &&
		slices.EqualFunc(s.Servers, other.Servers, func(a, b Layer2Server) bool {
			return a.Node == b.Node && slices.Equal(a.Paths, b.Paths)
		})
}

// Ways are those from this node to the others, by links as they were last known.
type Ways struct {
	Node  string
	Own   []lb.Link
	Links map[string][]lb.Link

	// known caches the ways that many addresses have in common.
	known map[waysKey][]Layer2Path
}

// waysKey is a node and a list of interfaces to reach it by, each of which is shared by many contests.
type waysKey struct {
	node       string
	interfaces *string
}

// sharing of a contest's address by a table.
func (w *Ways) sharing(c *Contest, table shares.Table, holder string) *Sharing {
	if !c.Shared && !table.Shared() {
		return nil
	}
	s := &Sharing{Table: table, Own: table.Of(w.Node), Holder: holder == w.Node}
	if !table.Shared() {
		return s
	}
	s.HeldBy = holder
	for _, node := range table.Servers() {
		if node != w.Node {
			s.Servers = append(s.Servers, Layer2Server{node, w.to(node, c.Addr, c.Interfaces)})
		}
	}
	return s
}

func (w *Ways) to(node string, addr netip.Addr, interfaces []string) []Layer2Path {
	if len(interfaces) == 0 {
		return nil
	}
	key := waysKey{node, &interfaces[0]}
	found, known := w.known[key]
	if !known {
		found = paths(addr, interfaces, w.Own, w.Links[node])
		if w.known == nil {
			w.known = map[waysKey][]Layer2Path{}
		}
		w.known[key] = found
	}
	return found
}
