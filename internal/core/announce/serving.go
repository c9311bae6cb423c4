package announce

import (
	"slices"

	"github.com/daymark-lb/daymark/internal/core/shares"
)

// Sharing says which clients of an address this node answers, when other nodes answer the others. The zero Sharing: it answers
// all of an address that is never shared.
type Sharing struct {
	// PerClient: the advertisements want the address shared. Who asks for it is remembered, also while one node answers all.
	PerClient bool
	// Table is how the clients are divided; the zero Table: this node answers all.
	Table shares.Table
	// Own are the shares that this node answers, of Table those that name it, and those of servers that are gone.
	Own shares.Set
	// Holder: this node holds the address. So it answers those who only ask whether the address is in use, and defends it.
	Holder bool
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
	return s.PerClient == other.PerClient && s.Table == other.Table && s.Own == other.Own && s.Holder == other.Holder &&
		slices.EqualFunc(s.Servers, other.Servers, func(a, b Layer2Server) bool {
			return a.Node == b.Node && slices.Equal(a.Paths, b.Paths)
		})
}
