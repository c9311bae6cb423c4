package election

import (
	"net/netip"
	"time"
)

const (
	// quiet is how long no new address may have come up before those that nobody has ever held are shared out: nodes
	// that hear of a batch of Services a moment apart would else share out different parts of it, each in its own way.
	quiet = 100 * time.Millisecond
	// restless bounds the wait when new addresses keep coming.
	restless = 500 * time.Millisecond
	// patience is how long the heir of an address is waited for before the next in line claims it, and step how much
	// longer each one further down waits. It takes an heir that knows less than we do for this to happen.
	patience = 500 * time.Millisecond
	step     = 250 * time.Millisecond
	// hearsay is how long a new claim is respected whose node we know no reason to believe, because it is no candidate
	// or not alive: it may have heard of a change a moment before us.
	hearsay = 150 * time.Millisecond
	// farewell is how long a node that may hold an address no more goes on answering for want of a successor.
	farewell = 2 * time.Second
	// pace is the least time between two addresses that a node takes over for the sake of balance.
	pace = time.Second
)

// Contest is an address that one of a group should hold.
type Contest struct {
	Addr netip.Addr
	// Group of candidates. Where it is empty nobody may answer, and the last holder keeps its place.
	Group *Group
	// Here: this node has an interface to answer on, be it a candidate or not.
	Here bool
}

// Input is what a node knows at the time of a decision.
type Input struct {
	Now time.Time
	// Live are the nodes that are alive, this one included, with the instance of their speaker.
	Live map[string]uint64
	// Claims known, by all nodes.
	Claims Claims
	// Settling: this node may not have heard yet what the others claim. It goes on with what it answers for, and claims
	// nothing.
	Settling bool
}

// Decision is what a node does about the contests.
type Decision struct {
	// Hold these addresses, in the order of the contests.
	Hold []Hold
	// Claims to make known: those by which the node takes over an address or releases one.
	Claims []Claim
	// Wait is when to decide again though nothing has happened; 0: no need.
	Wait time.Duration
}

// Hold is an address to answer for.
type Hold struct {
	Addr netip.Addr
	// First: nobody is known to have held it before.
	First bool
}

// Elector decides for one node, again and again. It remembers since when something has been the case, and nothing that
// it is told anew each time. It is for one goroutine.
type Elector struct {
	node           string
	instance       uint64
	rebalanceAfter time.Duration
	roster         roster
	rounds         uint64

	answering map[netip.Addr]bool
	openings  map[netip.Addr]opening
	// stood are the claims that stood at the last decision, in order of address.
	stood []Claim
	// newest is when an address came up last that nobody has ever held.
	newest time.Time
	// yielding is since when this node has answered for an address that is open.
	yielding map[netip.Addr]time.Time
	// uneven is since when the live nodes have been the same and have held unevenly.
	uneven time.Time
	// taken is when this node last took an address over for the sake of balance.
	taken time.Time

	// What a round needs and the next one may overwrite.
	holders   []int
	fields    []*field
	loads     []int
	standing  []Claim
	vacancies []vacancy
}

// opening is what is remembered of an address without a holder.
type opening struct {
	since time.Time
	// claim that is the strongest and does not stand; it is free when there is nobody to take over from. It is hearsay
	// when it came to stand nowhere that we know of: its node is no candidate to us, or not alive, and was not before.
	claim   Claim
	hearsay bool
	// ready is when the heir could claim it; zero: not yet.
	ready time.Time
}

// NewElector makes an Elector for one run of a node's speaker. Imbalance that lasts for rebalanceAfter is evened out;
// 0: never.
func NewElector(node string, instance uint64, rebalanceAfter time.Duration) *Elector {
	return &Elector{node: node, instance: instance, rebalanceAfter: rebalanceAfter}
}

// Decide says what this node holds from now on. The contests are in order of address, each address once.
func (e *Elector) Decide(contests []Contest, m Input) Decision {
	if e.roster.follow(m.Live) {
		e.uneven = time.Time{}
	}
	r := e.begin(contests, m)
	r.release()
	r.stand()
	r.share()
	r.inherit()
	r.balance()
	e.end(r)
	return r.decision
}

func (e *Elector) begin(contests []Contest, m Input) *round {
	e.rounds++
	e.holders, e.fields = e.holders[:0], e.fields[:0]
	e.standing, e.vacancies = e.standing[:0], e.vacancies[:0]
	e.loads = append(e.loads[:0], make([]int, len(e.roster.names))...)
	return &round{
		Elector: e, Input: m, contests: contests, me: e.roster.find(e.node), answers: make(map[netip.Addr]bool, len(e.answering)),
		opened: map[netip.Addr]opening{}, yields: map[netip.Addr]time.Time{},
	}
}

func (e *Elector) end(r *round) {
	e.answering, e.openings, e.yielding = r.answers, r.opened, r.yields
	e.stood, e.standing = e.standing, e.stood
	e.roster.forget(e.rounds)
}
