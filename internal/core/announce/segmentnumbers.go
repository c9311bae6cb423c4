package announce

import "strings"

// segmentNumbers number what addresses are answered on: a segment and this node's interfaces there. A number stays as long as both exist,
// whatever comes or goes beside them, and is never given anew: what an Elector remembers of the nodes of a segment by its number
// would else be held against those of another one.
type segmentNumbers struct {
	numbers map[segmentNumberKey]int
	given   int
}

// segmentNumberKey is a segment, by its name, and interfaces of this node.
type segmentNumberKey struct{ segment, interfaces string }

// of some interfaces, sorted, that answer on a segment; 0 where none does.
func (n *segmentNumbers) of(s *segment, interfaces []string) int {
	if len(interfaces) == 0 {
		return 0
	}
	key := segmentNumberKey{s.name, strings.Join(interfaces, " ")}
	number, known := n.numbers[key]
	if !known {
		n.given++
		number = n.given
		if n.numbers == nil {
			n.numbers = map[segmentNumberKey]int{}
		}
		n.numbers[key] = number
	}
	return number
}

// keep forgets the numbers that none of these places has.
func (n *segmentNumbers) keep(places map[candidateKey]*place) {
	used := map[int]bool{}
	for _, here := range places {
		used[here.number] = true
	}
	for key, number := range n.numbers {
		if !used[number] {
			delete(n.numbers, key)
		}
	}
}
