package election

// Member is what a node knows of a speaker that is alive, its own included.
type Member struct {
	Node string
	// Incarnation of the process.
	Incarnation uint64
	// Heard: the speaker has sent its state, which the next two are part of.
	Heard bool
	// Known: it knows which other speakers there are.
	Known bool
	// Leaving: it is about to end and hands over what it holds.
	Leaving bool
}

// MayHold reports whether the speaker may hold addresses.
func (s Member) MayHold() bool { return s.Heard && s.Known && !s.Leaving }

// Live are the speakers that may hold addresses: the incarnation of each by its node.
func Live(speakers []Member) map[string]uint64 {
	live := make(map[string]uint64, len(speakers))
	for _, s := range speakers {
		if s.MayHold() {
			live[s.Node] = s.Incarnation
		}
	}
	return live
}

// Membership decides whether a speaker knows which others there are. The zero value is a speaker that has just started.
type Membership struct{ published bool }

// Known is given whether the gossip knows the members, how many are alive, and whether this node's Speaker object says
// where this speaker gossips. That there are no others counts only after the object has said so once, because from then
// on the others can find this speaker: of two speakers that first write their own object and then look for others, at
// least one sees the other.
func (m *Membership) Known(known bool, alive int, published bool) bool {
	m.published = m.published || published
	return known && (m.published || alive > 1)
}
