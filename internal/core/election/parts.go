package election

import "slices"

// A switch may be cut while the gossip, which has another network, is whole. Then all nodes are alive, and the segment has
// parts. The nodes of the segment ask some of each other whether they are there: the nodes and who asks whom are a graph.
// Without the edges that have no answer it falls into connected components, the parts.

// Parts of a segment. The nil Parts are those of a segment of which no edge is cut.
type Parts struct {
	// of numbers the part of each node.
	of map[string]int
	// cut are the parts that an edge leads to which was cut. Of others it is not known whether they are parts at all.
	cut map[int]bool
	// sizes are the numbers of nodes of those.
	sizes map[int]int
}

// NewParts returns the parts of a segment, given whom each of its nodes asks and what those say that ask. An edge is whole
// if either of its ends has an answer, or hears the other one. It is nil when no edge is cut.
func NewParts(asks map[string][]string, said map[string]SegmentEdges) *Parts {
	if !anyCut(said) {
		return nil
	}
	neighbors := make(map[string][]string, len(asks))
	// order does not matter: only who is connected does
	for from, edges := range said {
		for _, to := range asks[from] {
			if !slices.Contains(edges.Cut, to) && !slices.Contains(edges.Open, to) {
				neighbors[from], neighbors[to] = append(neighbors[from], to), append(neighbors[to], from)
			}
		}
		for _, to := range edges.Heard {
			neighbors[from], neighbors[to] = append(neighbors[from], to), append(neighbors[to], from)
		}
	}
	p := &Parts{components(asks, neighbors), map[int]bool{}, map[int]int{}}
	for from, edges := range said {
		for _, to := range edges.Cut {
			if a, b := p.part(from), p.part(to); a != b && a >= 0 && b >= 0 {
				p.cut[a], p.cut[b] = true, true
			}
		}
	}
	for _, part := range p.of {
		p.sizes[part]++
	}
	return p
}

func anyCut(said map[string]SegmentEdges) bool {
	for _, edges := range said {
		if len(edges.Cut) > 0 {
			return true
		}
	}
	return false
}

// components numbers the connected components of a graph.
func components(nodes, neighbors map[string][]string) map[string]int {
	of, count := make(map[string]int, len(nodes)), 0
	// order does not matter: only which of two nodes have the same number does
	for first := range nodes {
		if _, known := of[first]; known {
			continue
		}
		of[first] = count
		for next := []string{first}; len(next) > 0; {
			from := next[len(next)-1]
			next = next[:len(next)-1]
			for _, to := range neighbors[from] {
				if _, known := of[to]; !known {
					of[to] = count
					next = append(next, to)
				}
			}
		}
		count++
	}
	return of
}

// part is the number of the part of a node; -1: nothing is known of it.
func (p *Parts) part(node string) int {
	if part, known := p.of[node]; known {
		return part
	}
	return -1
}

// Apart reports whether two nodes are known to be in different parts.
func (p *Parts) Apart(a, b string) bool {
	if p == nil {
		return false
	}
	partA, partB := p.part(a), p.part(b)
	return partA != partB && p.cut[partA] && p.cut[partB]
}

// together reports whether two nodes are known to be in one part.
func (p *Parts) together(a, b string) bool { return p.part(a) >= 0 && p.part(a) == p.part(b) }

// Several reports whether the segment is in parts.
func (p *Parts) Several() bool { return p != nil && len(p.cut) > 0 }

// others counts the nodes that are apart from one.
func (p *Parts) others(node string) (count int) {
	if p == nil {
		return 0
	}
	for part := range p.cut {
		if own := p.part(node); p.cut[own] && part != own {
			count += p.sizes[part]
		}
	}
	return count
}
