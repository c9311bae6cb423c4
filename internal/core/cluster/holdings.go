package cluster

import (
	"net/netip"
	"slices"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/core/lb"
)

// Holdings are who holds addresses by layer 2, as the Speaker objects say.
type Holdings struct {
	// nodes is how many say that they are the holder of an address.
	nodes map[netip.Addr]int
	// perhaps are the addresses that the last report of a node which is down names: its speaker may be alive.
	perhaps map[netip.Addr]bool
	// bounded: a node holds more addresses than its report lists.
	bounded bool
}

// ReportedHoldings reads the Speaker objects. A speaker that is gone holds nothing, nor does one that stands in for a holder in its part
// of a cut segment; of the nodes that share an address the one that divides the clients holds it.
func ReportedHoldings(nodes []*lb.Node, speakers []*v1beta1.Speaker) Holdings {
	h := Holdings{nodes: map[netip.Addr]int{}, perhaps: map[netip.Addr]bool{}}
	down := downNodes(nodes, speakers)
	for _, speaker := range speakers {
		if lb.SpeakerGone(speaker) {
			continue
		}
		layer2 := &speaker.Status.Layer2
		h.bounded = h.bounded || int(layer2.IPv4)+int(layer2.IPv6) > len(layer2.Held)
		for i := range layer2.Held {
			held := &layer2.Held[i]
			addr, err := lb.ParseAddr(held.Address)
			if err != nil || held.StandsInFor != "" || held.SharedBy != "" && held.SharedBy != speaker.Name {
				continue
			}
			if down[speaker.Name] {
				h.perhaps[addr] = true
			} else {
				h.nodes[addr]++
			}
		}
	}
	return h
}

// HoldingsReader is ReportedHoldings that reads objects which are the same as the last time only once. The zero value is ready for use.
type HoldingsReader struct {
	nodes    []*lb.Node
	speakers []*v1beta1.Speaker
	holdings Holdings
}

// Read returns what ReportedHoldings does. Neither the objects nor the lists may be changed afterwards.
func (r *HoldingsReader) Read(nodes []*lb.Node, speakers []*v1beta1.Speaker) Holdings {
	if r.holdings.nodes == nil || !slices.Equal(nodes, r.nodes) || !slices.Equal(speakers, r.speakers) {
		*r = HoldingsReader{nodes, speakers, ReportedHoldings(nodes, speakers)}
	}
	return r.holdings
}

// Of is how many nodes hold an address. known is false when no report names it, and one that names no more, or is of a node that is
// down, leaves open whether one does.
func (h Holdings) Of(addr netip.Addr) (holders int, known bool) {
	n := h.nodes[addr]
	return n, n > 0 || !h.bounded && !h.perhaps[addr]
}
