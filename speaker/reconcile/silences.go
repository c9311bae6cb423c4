package reconcile

import (
	"fmt"
	"maps"
	"slices"

	"github.com/daymark-lb/daymark/internal/core/election"
	"github.com/daymark-lb/daymark/internal/core/lb"
)

// texts of what is in doubt about the other speakers, or not possible because of them.
func (m *memory) texts() []string {
	texts := append(m.silences.texts(), m.segments.texts()...)
	if m.unshared {
		texts = append(texts, "no address is shared before all speakers have a version that can share: until then each has one node")
	}
	return texts
}

// silences say of nodes that the gossip does not reach them though they answer on the segment, by node. Each keeps the address
// that it was first found by: many texts must not cause many writes.
type silences map[string]string

// update takes the nodes that are silent now, and reports whether others were before. The port is that of the gossip.
func (s *silences) update(now []election.Silence, port uint16) (changed bool) {
	next := make(silences, len(now))
	for _, silence := range now {
		if text, known := (*s)[silence.Node]; known {
			next[silence.Node] = text
		} else if next[silence.Node] == "" {
			next[silence.Node] = silenceText(silence, port)
		}
	}
	changed = !maps.Equal(*s, next)
	*s = next
	return changed
}

func silenceText(s election.Silence, port uint16) string {
	protocol := "ARP"
	if lb.FamilyOf(s.Addr) == lb.IPv6 {
		protocol = "NDP"
	}
	return fmt.Sprintf("%s does not answer the gossip but answers %s for %s: is port %d blocked?", s.Node, protocol, s.Addr, port)
}

// texts in order of node.
func (s silences) texts() []string {
	texts := make([]string, 0, len(s))
	for _, node := range slices.Sorted(maps.Keys(s)) {
		texts = append(texts, s[node])
	}
	return texts
}
