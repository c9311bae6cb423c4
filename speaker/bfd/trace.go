package bfd

import (
	"fmt"

	"github.com/daymark-lb/daymark/internal/core/bfdsession"
	"github.com/daymark-lb/daymark/internal/traceapi"
)

// traceState tells those who trace an address that is announced to the router of a session that its state has changed.
func (m *Monitor) traceState(s *session, before bfdsession.Snapshot) {
	decision := ""
	switch {
	case s.snapshot.State == bfdsession.Up:
		decision = "the router is reached"
	case before.State == bfdsession.Up:
		decision = "BGP with the router is closed, unless it has taken BFD down itself: " + s.lastDown
	}
	for _, addr := range m.tracer.ByBFD(s.name) {
		m.tracer.Record(addr, func() traceapi.Event {
			return traceapi.Event{
				Protocol: traceapi.BFD, On: s.name, Summary: fmt.Sprintf("%s, before %s", s.snapshot.State, before.State), Decision: decision,
			}
		})
	}
}
