package election

import (
	"net/netip"
	"slices"
	"strings"
	"time"
)

// The segment is the second witness of who holds an address. A holder that is silent in the gossip is asked there, by its MAC
// address, before an heir takes its addresses. As long as it answers, it keeps them: the gossip is cut, and not the holder gone.

const (
	// maxAsked is how many addresses of one holder are asked about at a time, of those of one family on one segment. An
	// answer counts for the others as well, because one process answers for all of them.
	maxAsked = 8
	// askedFor is how long these are asked about; then the next ones are. So an address that its holder has lost is found out.
	askedFor = time.Second
)

// Question asks on the segment whether a node answers for an address.
type Question struct {
	Node string
	Addr netip.Addr
}

// Answer to a Question.
type Answer uint8

// The answers. The zero Answer is that of a question that has not been asked long enough.
const (
	// Answered: the node answers for the address.
	Answered Answer = iota + 1
	// NoAnswer: it does not.
	NoAnswer
	// Unasked: it cannot be asked, and so has not answered either.
	Unasked
)

// none reports whether there is no answer, and will be none by more waiting.
func (a Answer) none() bool { return a == NoAnswer || a == Unasked }

// Silence is a node that is silent in the gossip and answers on the segment all the same.
type Silence struct {
	Node string
	// Addr is one of the addresses that it answers for.
	Addr netip.Addr
}

// testimonyKey is what one testimony is about.
type testimonyKey struct {
	node    string
	segment int
	ipv4    bool
}

// testimony is what the segment says of the addresses of a holder that this node would take over.
type testimony struct {
	testimonyKey
	// addresses in order, and those of them that are asked about now.
	addresses, asked []netip.Addr
	answered, open   bool
}

// askHolders asks the silent holders of the addresses that this node would take over now, and those that may turn out to be
// silent soon of what it would then take over: so the answers are there with the verdict.
func (r *round) askHolders() {
	found := map[testimonyKey]*testimony{}
	for i := range r.unheld {
		if u := &r.unheld[i]; r.mustAsk(u.claim) && r.isTurn(u) {
			addTestimony(found, u.claim.Node, r.contests[u.contest])
		}
	}
	for _, u := range r.foreseen() {
		addTestimony(found, u.claim.Node, r.contests[u.contest])
	}
	before := r.asked
	r.asked, r.testimonies = make(map[testimonyKey]time.Time, len(found)), found
	for _, t := range sortedTestimonies(found) {
		since, known := before[t.testimonyKey]
		if !known {
			since = r.Now
		}
		r.asked[t.testimonyKey] = since
		r.take(t, maxAsked, r.Now.Sub(since))
	}
}

func addTestimony(found map[testimonyKey]*testimony, node string, contest Contest) {
	key := testimonyKey{node, contest.Segment, contest.Addr.Is4()}
	if found[key] == nil {
		found[key] = &testimony{testimonyKey: key}
	}
	found[key].addresses = append(found[key].addresses, contest.Addr)
}

func sortedTestimonies(found map[testimonyKey]*testimony) []*testimony {
	sorted := make([]*testimony, 0, len(found))
	for _, t := range found {
		sorted = append(sorted, t)
	}
	slices.SortFunc(sorted, func(a, b *testimony) int {
		if order := strings.Compare(a.node, b.node); order != 0 {
			return order
		}
		return a.addresses[0].Compare(b.addresses[0])
	})
	return sorted
}

// take asks about some of the addresses, at most so many at a time, and takes the answers that have come.
func (r *round) take(t *testimony, most int, since time.Duration) {
	t.asked = t.addresses
	if count := len(t.addresses); count > most {
		first := int(since/askedFor) * most % count
		t.asked = append(slices.Clone(t.addresses[first:]), t.addresses[:first]...)[:most]
		r.wakeAfter(askedFor - since%askedFor)
	}
	for _, addr := range t.asked {
		q := Question{t.node, addr}
		r.decision.Ask = append(r.decision.Ask, q)
		switch r.Answers[q] {
		case Answered:
			if !t.answered && r.isSilent(t.node) {
				r.decision.Silent = append(r.decision.Silent, Silence{t.node, addr})
			}
			t.answered = true
		case NoAnswer, Unasked:
		default:
			t.open = true
		}
	}
}

// mustAsk reports whether the holder of a claim must be asked before its address is taken over. What it has never announced is
// probed instead.
func (r *round) mustAsk(c Claim) bool {
	incarnation, silent := r.Silent[c.Node]
	return silent && c.Announced && c.Incarnation >= incarnation
}

func (r *round) isSilent(node string) bool {
	_, silent := r.Silent[node]
	return silent
}

// vetoed reports whether the holder of an address keeps it, or may, because it may still answer.
func (r *round) vetoed(u *unheldAddress) bool {
	if !r.mustAsk(u.claim) {
		return false
	}
	contest := r.contests[u.contest]
	t := r.testimonies[testimonyKey{u.claim.Node, contest.Segment, contest.Addr.Is4()}]
	if t == nil {
		return true // It was not this node's turn.
	}
	if slices.Contains(t.asked, contest.Addr) {
		return !r.Answers[Question{t.node, contest.Addr}].none()
	}
	return t.answered || t.open
}

// foreseen are the addresses that this node would be heir to if the doubtful nodes turned out to be silent.
func (r *round) foreseen() []*unheldAddress {
	doubtful := map[int]bool{}
	for _, node := range r.Doubtful {
		if id := r.nodes.find(node); id != nobody && id != r.me {
			doubtful[id] = true
		}
	}
	if len(doubtful) == 0 || r.Settling || r.me == nobody {
		return nil
	}
	unheld := r.unheldWithout(doubtful)
	r.match(unheld)
	var ours []*unheldAddress
	for i := range unheld {
		if u := &unheld[i]; u.heir == r.me && u.claim.Announced && doubtful[r.holders[u.contest]] {
			ours = append(ours, u)
		}
	}
	return ours
}

// unheldWithout are the addresses that would have no holder without some of the nodes.
func (r *round) unheldWithout(gone map[int]bool) []unheldAddress {
	unheld, valid := slices.Clone(r.unheld), r.valid
	for i, holder := range r.holders {
		if holder == nobody {
			continue
		}
		if gone[holder] {
			unheld = append(unheld, unheldAddress{
				contest: i, group: r.groups[i], hash: hashAddr(valid[0].Addr), heir: nobody, unheldState: unheldState{claim: valid[0]},
			})
		}
		valid = valid[1:]
	}
	slices.SortFunc(unheld, func(a, b unheldAddress) int { return a.contest - b.contest })
	left := map[*groupIndex]*groupIndex{}
	for i := range unheld {
		u := &unheld[i]
		if left[u.group] == nil {
			left[u.group] = r.nodes.without(u.group, gone)
		}
		u.group, u.heir = left[u.group], nobody
	}
	return unheld
}
