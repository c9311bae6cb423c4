package lb

import "strconv"

// Weight of a node for an address among the nodes that announce it, as the octets a second of the link bandwidth that says it. Routers
// look at the relation of bandwidths alone. Those that keep them in 32 bits, as FRR, have room for a weight of 34,000.
type Weight uint64

const (
	// OneWeight is the weight of one endpoint: 1 Mbit/s, which routers show as such.
	OneWeight Weight = 125_000
	// LeastWeight is that of a node which routers are to leave out as far as they can. Without any it would have an equal share.
	LeastWeight = OneWeight / 1000
)

// WeightOf a number of endpoints, or of the number in a node's annotation.
func WeightOf(count int) Weight { return Weight(max(count, 0)) * OneWeight }

// String writes it as a number of endpoints, with up to three digits behind the point.
func (w Weight) String() string {
	thousandths := (uint64(w)*1000 + uint64(OneWeight)/2) / uint64(OneWeight)
	return strconv.FormatFloat(float64(thousandths)/1000, 'f', -1, 64)
}

// MarshalJSON writes it as that number.
func (w Weight) MarshalJSON() ([]byte, error) { return []byte(w.String()), nil }
