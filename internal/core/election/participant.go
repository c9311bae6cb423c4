package election

import (
	"net/netip"
	"time"
)

// Participant is one node's part in the election over restarts of its gossip: an Elector for each incarnation, and the
// grace periods in which it claims nothing. It is for one goroutine.
type Participant struct {
	node           string
	rebalanceAfter time.Duration

	elector     *Elector
	incarnation uint64
	grace       Grace
	contested   map[netip.Addr]struct{}
	// contests that these are the addresses of.
	contests []Contest
}

// ParticipantInput is what a node knows at the time of a decision.
type ParticipantInput struct {
	Now time.Time
	// Incarnation of this node's speaker.
	Incarnation uint64
	// Claims and their version, Answered, Left, Silent, Doubtful, Answers and Rivals as in Input.
	Claims        Claims
	ClaimsVersion uint64
	Answered      []netip.Addr
	Left          []netip.Addr
	Silent        map[string]uint64
	Doubtful      []string
	Answers       map[Question]Answer
	Rivals        []Rival
	GraceInput
}

// NewParticipant makes the part of a node. Imbalance that lasts for rebalanceAfter is evened out; 0: never.
func NewParticipant(node string, rebalanceAfter time.Duration) *Participant {
	return &Participant{node: node, rebalanceAfter: rebalanceAfter}
}

// Decide says what this node holds from now on. The contests are in order of address, each address once.
func (p *Participant) Decide(contests []Contest, in ParticipantInput) Decision {
	if p.elector == nil || p.incarnation != in.Incarnation {
		p.elector, p.incarnation = NewElector(p.node, in.Incarnation, p.rebalanceAfter), in.Incarnation
	}
	wait := p.grace.Wait(in.Now, in.GraceInput)
	decision := p.elector.Decide(contests, Input{
		Now: in.Now, Live: in.Live, Claims: in.Claims, ClaimsVersion: in.ClaimsVersion, Answered: in.Answered, Left: in.Left, Settling: wait > 0,
		Silent: in.Silent, Doubtful: in.Doubtful, Answers: in.Answers, Rivals: in.Rivals,
	})
	decision.Wait = Sooner(wait, decision.Wait)
	return decision
}

// Settled reports whether the node has had time to meet the others, and so may hold addresses.
func (p *Participant) Settled() bool { return p.grace.Over() }

// Contested are the addresses of the contests, whose claims are of interest. It is the same map as before if the addresses
// are, and must not be changed. Nor must the contests.
func (p *Participant) Contested(contests []Contest) map[netip.Addr]struct{} {
	before := p.contests
	if p.contests = contests; len(contests) > 0 && len(contests) == len(before) && &contests[0] == &before[0] {
		return p.contested
	}
	same := len(contests) == len(p.contested) && p.contested != nil
	for i := 0; same && i < len(contests); i++ {
		_, same = p.contested[contests[i].Addr]
	}
	if same {
		return p.contested
	}
	p.contested = make(map[netip.Addr]struct{}, len(contests))
	for i := range contests {
		p.contested[contests[i].Addr] = struct{}{}
	}
	return p.contested
}

// Sooner of two waits, of which 0 is none.
func Sooner(a, b time.Duration) time.Duration {
	if a == 0 || b > 0 && b < a {
		return b
	}
	return a
}
