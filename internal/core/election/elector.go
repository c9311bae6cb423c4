package election

import (
	"net/netip"
	"time"

	"github.com/daymark-lb/daymark/internal/core/shares"
)

// All delays of the election.
const (
	// newAddressDelay is how long no new address may have appeared before the heirs of new addresses claim them. Nodes that
	// learn of a batch of Services at slightly different times would otherwise assign different parts of it differently.
	newAddressDelay = 100 * time.Millisecond
	// maxNewAddressDelay bounds that delay when new addresses keep appearing.
	maxNewAddressDelay = 500 * time.Millisecond
	// heirTimeout is how long the heir of an address is waited for before the next candidate claims it. Each further
	// candidate waits nextHeirDelay longer. It happens only when the heir knows less than we do.
	heirTimeout   = 500 * time.Millisecond
	nextHeirDelay = 250 * time.Millisecond
	// unverifiedClaimTimeout is how long a new claim is respected though to our knowledge its node is no candidate or not
	// alive: that node may have learned of a change before us.
	unverifiedClaimTimeout = 150 * time.Millisecond
	// successorTimeout is how long a node that may not hold an address any more answers for it while no successor does.
	successorTimeout = 2 * time.Second
	// rebalanceInterval is the shortest time between two takings by one node to even out. Each takes this node's share of the
	// next moves: of all moves that are left to an even spread, one of rebalanceSteps, so that a small imbalance moves one
	// address after the other and thousands take minutes; but of all nodes together no more than maxMoves. Connections that are
	// open break when an address moves, and those who open them again should not come all at once.
	rebalanceInterval = time.Second
	rebalanceSteps    = 30
	maxMoves          = 100
)

// Contest is an address that one node of a group should hold.
type Contest struct {
	Addr netip.Addr
	// Group of candidates. If it is empty nobody may answer, and the last holder keeps the address without answering.
	Group *Group
	// Ranks of the candidates; nil: all are alike.
	Ranks *Ranks
	// HasInterface: this node has an interface to answer on, whether it is a candidate or not.
	HasInterface bool
	// Shared: several nodes are to answer for the address, each its share of the clients. All speakers must understand that.
	// What is served by a table already goes on until its holder takes the table back.
	Shared bool
	// Segment numbers the interfaces that the address is answered on: addresses of one number share them. The number stays as long
	// as they do, and means no others later.
	Segment int
	// Parts of the segment; nil: it is whole as far as is known, or nobody is to answer in the place of the holder.
	Parts *Parts
}

// Input is what a node knows at the time of a decision.
type Input struct {
	Now time.Time
	// Live are the nodes that are alive, this one included, with the incarnation of their speaker.
	Live map[string]uint64
	// Claims of all nodes.
	Claims Claims
	// ClaimsVersion tells claims that have changed from those before: they have another one then. 0: it is not known.
	ClaimsVersion uint64
	// Answered are the addresses that this node really answers for by now, in order.
	Answered []netip.Addr
	// Left are those that this node holds and has left to other hosts that use them, in order.
	Left []netip.Addr
	// Silent are the nodes that are not alive and have not said that they leave, with the incarnation of their speaker.
	Silent map[string]uint64
	// Doubtful are live nodes that may turn out to be silent soon.
	Doubtful []string
	// Answers so far to what the last Decision asks; a question without one is open.
	Answers map[Question]Answer
	// Rivals answer for addresses that this node answers or searches for, in order of address.
	Rivals []Rival
	// Settling: this node may not know yet what the others claim. It keeps what it answers for and claims nothing.
	Settling bool
}

// Decision is what a node does about the contests.
type Decision struct {
	// Hold are the addresses to answer for, in the order of the contests.
	Hold []Hold
	// Serve are the addresses that this node does not hold, and answers some clients of, in the order of the contests.
	Serve []Service
	// Claims to broadcast: those by which the node takes over an address, says that it has announced one, or releases one.
	Claims []Claim
	// Ask are the questions to ask on the segment, again and again, until the next decision.
	Ask []Question
	// Silent are the nodes that keep their addresses though they are silent, each with one of the addresses.
	Silent []Silence
	// Defend are addresses to announce once more, since another node has announced them wrongly.
	Defend []netip.Addr
	// StandIns are the addresses of Hold that this node answers for in the place of a live holder, in order.
	StandIns []StandIn
	// Heard are nodes in other parts that stand in for this one, are heard, and do not hear it.
	Heard []Rival
	// Search are the searches to make on the segment until the next decision.
	Search []Search
	// Announce are held addresses to announce once more, since a silent node may hold them as well.
	Announce []netip.Addr
	// Wait is when to decide again though nothing has changed; 0 when that is not needed.
	Wait time.Duration
}

// Hold is an address to answer for.
type Hold struct {
	Addr netip.Addr
	// First: no holder has announced it. Somebody else may use it.
	First bool
	// Withheld: the holder before had not announced it either, most likely since another host used it. It is told once, by the
	// decision to take the address.
	Withheld bool
	// OnTrial: it was announced for the first time a moment ago, so another host may still turn out to use it.
	OnTrial bool
	// Shares says which nodes answer which clients; zero: this node answers all of them. This node defends the address either
	// way, whether it is a server of the table or not, and it alone answers those who ask whether the address is in use.
	Shares shares.Table
}

// Service is an address that this node answers some clients of and does not hold.
type Service struct {
	Addr netip.Addr
	// Shares says which nodes answer which clients, this one among them.
	Shares shares.Table
	// Holder defends the address, as far as is known; it may be gone.
	Holder string
}

// minNewHolds is for how many addresses more than before a decision has room at once.
const minNewHolds = 4

// Elector makes the decisions of one node. Between decisions it remembers only since when something is so; everything else
// is input. It may be used by one goroutine.
type Elector struct {
	node           string
	incarnation    uint64
	rebalanceAfter time.Duration
	// rebalanceSteps and minRefusal are the constants of these names, but in simulations.
	rebalanceSteps int
	minRefusal     time.Duration
	nodes          nodeIndex
	rounds         uint64

	// answered are the addresses that this node answers for.
	answered map[netip.Addr]bool
	// remembered is what is known of the addresses without a holder.
	remembered map[netip.Addr]unheldState
	// previousValid are the claims that were valid at the last decision, in order of address.
	previousValid []Claim
	// newestUnheld is when the last address appeared that nobody has held.
	newestUnheld time.Time
	// awaiting is since when this node has answered for an address without a holder.
	awaiting map[netip.Addr]time.Time
	// unevenSince is since when the live nodes have been the same and have held unevenly.
	unevenSince time.Time
	// rebalanced is when this node last took an address over to even out.
	rebalanced time.Time
	// asked is since when silent or doubtful holders have been asked, and taken what was taken from live holders of late.
	asked map[testimonyKey]time.Time
	taken map[netip.Addr]taking
	// takenBack are the nodes that have back what was taken from them.
	takenBack map[string]takenBack
	// deferred are the addresses that this node holds and leaves to nodes that have left and are back, with these.
	deferred map[netip.Addr]string
	// corrected are announcements of silent nodes that were answered by one of this node.
	corrected map[Question]correction
	// interrupted are rivals that did not answer for a while.
	interrupted map[Question]interruption
	// disputes are about addresses that nodes claim again and again which are no candidates.
	disputes map[netip.Addr]dispute
	searches
	standIns
	servings
	vacancies
	trials
	kept kept

	// Memory that every round uses anew.
	spareAnswers map[netip.Addr]bool
	holders      []int
	announced    []bool
	groups       []*groupIndex
	loads        []int
	valid        []Claim
	unheld       []unheldAddress
}

// NewElector returns an Elector for one incarnation of a node's speaker. An uneven spread that lasts for rebalanceAfter is
// evened out; 0 means never.
func NewElector(node string, incarnation uint64, rebalanceAfter time.Duration) *Elector {
	return &Elector{
		node: node, incarnation: incarnation, rebalanceAfter: rebalanceAfter, rebalanceSteps: rebalanceSteps,
		minRefusal: minRefusal,
		answered:   map[netip.Addr]bool{}, spareAnswers: map[netip.Addr]bool{},
		taken: map[netip.Addr]taking{}, searches: newSearches(), standIns: standIns{pauses: map[string]standInPause{}},
		servings: newServings(),
	}
}

// Decide returns what this node holds from now on. The contests are in order of address, each address once. Neither they, nor the lists
// of the input, nor what is returned are changed afterwards.
func (e *Elector) Decide(contests []Contest, input Input) Decision {
	changed := e.nodes.update(input.Live)
	if changed {
		e.unevenSince, e.unevenTables = time.Time{}, time.Time{}
	} else if decision, again := e.repeat(contests, &input); again {
		return decision
	}
	decision := e.decide(contests, input)
	e.keep(contests, &input, &decision, !changed)
	return decision
}

// decide works out what this node holds from now on.
func (e *Elector) decide(contests []Contest, input Input) Decision {
	r := e.begin(contests, input)
	r.release()
	r.findHolders()
	r.noteTakenBack()
	r.noteVacant()
	r.noteTrials()
	r.noteMoved()
	r.noteLost()
	r.noteServers()
	r.yieldToRivals()
	r.assignHeirs()
	r.askHolders()
	r.askDisputed()
	r.holdAndClaim()
	r.rebalance()
	r.standInForOthers()
	r.serveShares()
	r.search()
	r.announceMet()
	e.end(r)
	return r.decision
}

func (e *Elector) begin(contests []Contest, input Input) *round {
	e.rounds++
	e.holders, e.announced, e.groups = e.holders[:0], e.announced[:0], e.groups[:0]
	e.valid, e.unheld = e.valid[:0], e.unheld[:0]
	e.loads = append(e.loads[:0], make([]int, len(e.nodes.names))...)
	clear(e.spareAnswers)
	return &round{
		Elector: e, Input: input, contests: contests, me: e.nodes.find(e.node),
		answers: e.spareAnswers, ranked: map[*Ranks]rankIndex{},
		decision:    Decision{Hold: make([]Hold, 0, len(e.answered)+minNewHolds)}, // It is most often as long as the last.
		stillUnheld: map[netip.Addr]unheldState{}, stillAwaiting: map[netip.Addr]time.Time{}, yielded: map[netip.Addr]bool{},
	}
}

func (e *Elector) end(r *round) {
	r.endVacant()
	e.answered, e.spareAnswers = r.answers, e.answered
	e.remembered, e.awaiting = r.stillUnheld, r.stillAwaiting
	e.previousValid, e.valid = e.valid, e.previousValid
	e.nodes.forget(e.rounds)
	e.forgetTaken(r.Now)
	e.forgetDisputes(r.Now)
	e.unheld = spare(e.unheld)
}

// spareRoom is how much unused memory is kept at least for the next round, in elements.
const spareRoom = 1024

// spare is the memory of a list for the next round. That of all addresses, which a node takes when it starts, or when another crashes, is not kept
// when it is needed no more.
func spare[T any](used []T) []T {
	if cap(used) > 4*len(used)+spareRoom {
		return nil
	}
	return used
}
