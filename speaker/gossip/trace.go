package gossip

import (
	"fmt"
	"slices"

	"github.com/daymark-lb/daymark/internal/core/election"
	"github.com/daymark-lb/daymark/internal/traceapi"
)

// traceClaims tells those who trace an address which claims to it came or are sent, and what became of them.
func (m *Membership) traceClaims(direction traceapi.Direction, claims, added, stronger []election.Claim) {
	for _, claim := range claims {
		if !m.cfg.Tracer.Wants(claim.Addr) {
			continue
		}
		decision := "known"
		known := slices.IndexFunc(stronger, func(c election.Claim) bool { return c.Addr == claim.Addr })
		switch {
		case slices.Contains(added, claim):
			decision = "it counts from now on"
		case known >= 0:
			decision = "not taken: there is a stronger one: " + claimText(stronger[known])
		}
		m.cfg.Tracer.Record(claim.Addr, func() traceapi.Event {
			return traceapi.Event{
				Protocol: traceapi.Gossip, Direction: direction, On: claim.Node, Summary: "claim: " + claimText(claim), Decision: decision,
			}
		})
	}
}

func claimText(c election.Claim) string {
	holder := c.Node + " holds it"
	if c.Node == "" {
		holder = "nobody holds it"
	}
	if !c.Announced {
		holder += ", not announced yet"
	}
	return fmt.Sprintf("%s, term %d", holder, c.Term)
}
