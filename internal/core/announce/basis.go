package announce

import (
	"net/netip"

	"github.com/daymark-lb/daymark/internal/core/lb"
)

// Basis is what the explanation of a Service says of one of its addresses as of all that are announced in the same way: most Services have
// one in common. The zero Basis is that of an address that is announced by no means, whatever the sessions.
type Basis struct{ of *announcement }

// Bases are those of the addresses of a Service. With the Service, its endpoints, and what is known of each address alone, all that
// Explain and OnSegment say follows from them.
func (e *Explainer) Bases(s *lb.Service) []Basis {
	if len(s.Ingress) == 0 {
		return nil
	}
	bases := make([]Basis, len(s.Ingress))
	for i, addr := range s.Ingress {
		bases[i] = e.basis(s, addr)
	}
	return bases
}

func (e *Explainer) basis(s *lb.Service, addr netip.Addr) Basis {
	a := e.rules.address(s, addr)
	key := e.keyOf(a)
	if e.rules.askAddress(a, key.l2 != "" || key.bgp != "") != nil {
		return Basis{}
	}
	return Basis{e.announcement(a, key)}
}

// Stands reports whether the basis of an address of a Service is what it was in another World. If both differ in nothing but sessions,
// conflicts and stand-ins, the answer is that for all that have the basis.
func (e *Explainer) Stands(before Basis, s *lb.Service, addr netip.Addr) bool {
	now := e.basis(s, addr)
	if before.of == nil || now.of == nil {
		return before.of == now.of
	}
	a, b := *before.of, *now.of
	a.nodes, b.nodes = "", "" // It is for a person who asks.
	return a == b
}
