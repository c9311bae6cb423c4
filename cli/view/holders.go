package view

import (
	"maps"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/daymark-lb/daymark/internal/core/lb"
)

// Holder is a node that holds an address by layer 2, as its speaker reports.
type Holder struct {
	Node       string      `json:"node"`
	Interfaces []string    `json:"interfaces,omitempty"`
	Since      metav1.Time `json:"since"`
	// StandsInFor is the holder in whose place the node answers in its part of a cut segment.
	StandsInFor string `json:"standsInFor,omitempty"`
	// Shares of the clients, of shares.Count, that the node answers, if the address is shared. SharedBy is the node that holds it then.
	Shares   int32  `json:"shares,omitempty"`
	SharedBy string `json:"sharedBy,omitempty"`
	// ReportedBefore: the speaker is gone since then, and what it said is old.
	ReportedBefore *metav1.Time `json:"reportedBefore,omitempty"`
}

// Shared reports whether other nodes answer for the address, too, each some of the clients.
func (h *Holder) Shared() bool { return h.Shares > 0 || h.SharedBy != "" }

// Disputed reports whether several nodes say of themselves that they are the one holder of an address.
func Disputed(holders []Holder) bool {
	return len(alone(holders)) > 1
}

// alone are the holders that say that they are the one holder.
func alone(holders []Holder) (found []Holder) {
	for i := range holders {
		if h := &holders[i]; !h.Shared() && h.StandsInFor == "" && h.ReportedBefore == nil {
			found = append(found, *h)
		}
	}
	return found
}

// holdersByAddress are the holders that the Speaker objects name.
func (c *Cluster) holdersByAddress() map[string][]Holder {
	if c.holders != nil {
		return c.holders
	}
	c.holders = map[string][]Holder{}
	for _, name := range slices.Sorted(maps.Keys(c.speakers)) {
		speaker := c.speakers[name]
		var before *metav1.Time
		if lb.SpeakerGone(speaker) {
			before = goneSince(speaker)
		}
		for _, held := range speaker.Status.Layer2.Held {
			c.holders[held.Address] = append(c.holders[held.Address], Holder{
				name, held.Interfaces, held.Since, held.StandsInFor, held.Shares, held.SharedBy, before,
			})
		}
	}
	return c.holders
}

// holdersOf addresses are the nodes that hold one of them now. known is false when a Speaker object that is not seen, or one with
// more addresses than it lists, may name others.
func (c *Cluster) holdersOf(addresses []string) (nodes []string, known bool) {
	known = c.sees(resourceSpeakers)
	for _, addr := range addresses {
		found := false
		for _, holder := range c.holdersByAddress()[addr] {
			if holder.ReportedBefore == nil {
				found = true
				nodes = append(nodes, holder.Node)
			}
		}
		known = known && (found || len(c.bounded()) == 0)
	}
	slices.Sort(nodes)
	return slices.Compact(nodes), known
}

// bounded are the nodes that hold more addresses than their Speaker objects list.
func (c *Cluster) bounded() []string {
	if c.boundedReports != nil {
		return *c.boundedReports
	}
	var nodes []string
	for _, name := range slices.Sorted(maps.Keys(c.speakers)) {
		layer2 := &c.speakers[name].Status.Layer2
		if int(layer2.IPv4)+int(layer2.IPv6) > len(layer2.Held) && !lb.SpeakerGone(c.speakers[name]) {
			nodes = append(nodes, name)
		}
	}
	c.boundedReports = &nodes
	return nodes
}
