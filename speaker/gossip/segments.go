package gossip

import "github.com/daymark-lb/daymark/internal/core/election"

const (
	// maxSegments and maxSegmentNodes bound what a state says of segments, the latter each list of nodes; what is more is left
	// out. A node asks eight others at most where there are few, and about five where there are many.
	maxSegments, maxSegmentNodes = 64, 256
)

// appendSegment2 writes what a node says of a segment.
func appendSegment2(b []byte, s election.SegmentEdges) []byte {
	b = appendPrefixField(b, 1, s.Subnet)
	for i, nodes := range [][]string{s.Cut, s.Open, s.Heard} {
		for _, node := range nodes[:min(len(nodes), maxSegmentNodes)] {
			b = appendTextField(b, uint64(i)+2, node)
		}
	}
	return b
}

func (r *reader) segment2() election.SegmentEdges {
	var s election.SegmentEdges
	r.fields(func(tag uint64, value *reader) bool {
		switch tag {
		case 1:
			s.Subnet = value.prefixField()
		case 2:
			s.Cut = append(s.Cut, value.textField())
		case 3:
			s.Open = append(s.Open, value.textField())
		case 4:
			s.Heard = append(s.Heard, value.textField())
		default:
			return false
		}
		return true
	})
	if !s.Subnet.IsValid() || len(s.Cut) > maxSegmentNodes || len(s.Open) > maxSegmentNodes || len(s.Heard) > maxSegmentNodes {
		r.fail()
	}
	return s
}
