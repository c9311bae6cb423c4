package announce

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/daymark-lb/daymark/internal/core/lb"
)

// segmentNumbers number what addresses are answered on: this node's interfaces on a segment. A number is that of the same interfaces and
// subnets for ever, whatever comes or goes beside them or on other nodes, and never of others: what an Elector remembers of the nodes of
// a segment by its number would else be held against those of another one.
type segmentNumbers struct{ numbers map[segmentNumberKey]int }

// segmentNumberKey is the family, interfaces of this node, and those of their subnets that the addresses are in.
type segmentNumberKey struct {
	family              lb.Family
	interfaces, subnets string
}

// of some interfaces among the links of this node, sorted by name, that answer on a segment; 0 where none does.
func (n *segmentNumbers) of(s *segment, interfaces []string, links []lb.Link) int {
	if len(interfaces) == 0 {
		return 0
	}
	key := segmentNumberKey{s.family, strings.Join(interfaces, " "), ownSubnets(s, interfaces, links)}
	if n.numbers == nil {
		n.numbers = map[segmentNumberKey]int{}
	}
	number, known := n.numbers[key]
	if !known {
		number = len(n.numbers) + 1
		n.numbers[key] = number
	}
	return number
}

// ownSubnets are those of a segment that some of the links have, as a text.
func ownSubnets(s *segment, interfaces []string, links []lb.Link) string {
	var has []netip.Prefix
	for i := range links {
		if slices.Contains(interfaces, links[i].Name) {
			for _, prefix := range links[i].Addresses {
				has = append(has, prefix.Masked())
			}
		}
	}
	var text strings.Builder
	for _, subnet := range s.subnets { // the largest first
		if slices.Contains(has, subnet) {
			text.WriteString(subnet.String() + " ")
		}
	}
	return text.String()
}
