package election

import "time"

// scenario makes things happen in a simulated cluster.
type scenario struct {
	*cluster
	outcome  outcome
	everyone *eligibility
	// ending: nothing more is to happen.
	ending bool
}

// begin starts all nodes within 300 ms.
func (s *scenario) begin() {
	s.everyone = &eligibility{make([]int, len(s.nodes))}
	for _, n := range s.nodes {
		s.after(s.randomDuration(0, 300*time.Millisecond), func() { s.start(n) })
	}
}

// create creates the addresses from..to, all at once or one by one within some time.
func (s *scenario) create(from, to int, b func() *eligibility, over time.Duration) {
	if over == 0 {
		s.change(func(a *api) {
			for i := from; i < to; i++ {
				a.eligible[i] = s.everyone
			}
		})
	}
	for i := from; i < to && over > 0; i++ {
		chosen := b()
		s.after(s.randomDuration(0, over), func() { s.change(func(a *api) { a.eligible[i] = chosen }) })
	}
	s.run(over)
}

func (s *scenario) everyoneEligible() *eligibility { return s.everyone }

// randomEligibility returns an eligibility of a random kind: all nodes, nodes by weight, or a few nodes.
func (s *scenario) randomEligibility() *eligibility {
	b := &eligibility{make([]int, len(s.nodes))}
	weighted, few := s.chance(0.3), s.chance(0.3)
	if !weighted && !few {
		return s.everyone
	}
	for i := range b.weights {
		if weighted {
			b.weights[i] = s.random.IntN(3)
		}
		if few && s.chance(0.5) {
			b.weights[i] = -1
		}
	}
	return b
}

// someEligibilities returns a choice of three eligibilities, so that several addresses share each.
func (s *scenario) someEligibilities() func() *eligibility {
	kinds := []*eligibility{s.randomEligibility(), s.randomEligibility(), s.randomEligibility()}
	return func() *eligibility { return kinds[s.random.IntN(len(kinds))] }
}

// batches creates batches of addresses in a healthy cluster. Each must be spread evenly at once.
func (s *scenario) batches() {
	s.begin()
	s.run(settleTime + 2*time.Second)
	for from := 0; from < len(s.api.eligible) && s.violation == ""; {
		to := min(len(s.api.eligible), from+1+s.random.IntN(20+len(s.api.eligible)/4))
		over := time.Duration(0)
		if s.chance(0.5) {
			over = s.randomDuration(time.Millisecond, 2*maxMessageDelay)
		}
		s.create(from, to, s.everyoneEligible, over)
		s.run(2 * time.Second)
		s.checkHolders()
		s.outcome.batches++
		if s.spread() > 1 {
			s.outcome.uneven++
			s.log("UNEVEN")
		}
		s.run(s.randomDuration(0, 2*rebalanceAfter))
		from = to
	}
	s.end()
}

// maintenance drains nodes and changes who may hold what, without a fault. No address may ever be without a holder.
func (s *scenario) maintenance() {
	s.begin()
	b := s.someEligibilities()
	s.create(0, len(s.api.eligible), b, s.randomDuration(0, time.Second))
	s.run(settleTime + time.Second)
	for range 2 + s.random.IntN(4) {
		if s.chance(0.5) {
			s.drain(s.random.IntN(len(s.nodes)))
		} else {
			s.reassign(b)
		}
		s.run(s.randomDuration(0, 2*time.Second))
	}
	s.end()
}

func (s *scenario) drain(i int) {
	drained := !s.api.drained[i]
	s.log("n%d drained: %t", i, drained)
	s.change(func(a *api) { a.drained[i] = drained })
}

// reassign changes which nodes may hold an address, as when a local endpoint moves.
func (s *scenario) reassign(b func() *eligibility) {
	i, chosen := s.random.IntN(len(s.api.eligible)), b()
	if s.chance(0.5) {
		chosen = &eligibility{make([]int, len(s.nodes))}
		for j := range chosen.weights {
			chosen.weights[j] = -1
		}
		chosen.weights[s.random.IntN(len(s.nodes))] = 0
	}
	s.log("%d for %v", i, chosen.weights)
	s.change(func(a *api) { a.eligible[i] = chosen })
}

// crashes crashes single nodes of a healthy cluster. The heirs must take over as soon as they detect it.
func (s *scenario) crashes() {
	s.begin()
	s.create(0, len(s.api.eligible), s.someEligibilities(), s.randomDuration(0, maxMessageDelay))
	s.run(settleTime)
	for range 2 {
		s.waitUntilEven()
		n := s.nodes[s.random.IntN(len(s.nodes))]
		clear(s.lost)
		s.crash(n)
		back := s.randomDuration(50*time.Millisecond, 2*settleTime)
		if s.chance(0.3) {
			back = s.randomDuration(0, maxMessageDelay)
		}
		s.run(back)
		s.start(n)
		s.run(settleTime + time.Second)
		s.checkHolders()
		s.outcome.failovers = append(s.outcome.failovers, s.failovers...)
		s.failovers = nil
	}
	s.end()
}

// chaos makes all kinds of faults at the same time.
func (s *scenario) chaos() {
	s.begin()
	b := s.someEligibilities()
	s.create(0, len(s.api.eligible), b, s.randomDuration(0, time.Second))
	for range 3 + s.random.IntN(6) {
		s.randomFault(b)
		if s.chance(0.2) {
			s.run(settleTime + s.randomDuration(0, 2*time.Second))
		} else {
			s.run(s.randomDuration(0, time.Second))
		}
	}
	s.partition(1)
	s.run(settleTime)
	s.returns()
	for pair := range s.cut {
		s.cutOneWay(pair[0], pair[1])
	}
	s.run(6 * time.Second)
	s.recordFault()
	s.end()
}

func (s *scenario) randomFault(b func() *eligibility) {
	i, j := s.random.IntN(len(s.nodes)), s.random.IntN(len(s.nodes))
	switch s.random.IntN(8) {
	case 0, 1:
		if n := s.nodes[i]; n.up {
			s.stop(n)
		} else if n.incarnation > 0 {
			s.start(n)
		}
	case 2:
		s.partition(2)
	case 3:
		s.partition(1)
	case 4:
		s.cutOneWay(i, j)
	case 5:
		s.falseAlarm(s.nodes[i], s.nodes[j])
	case 6:
		s.drain(i)
	default:
		s.reassign(b)
	}
}

// cutOneWay cuts one node's messages off from another one, or ends that. A third node reaches both, so neither is declared
// dead.
func (s *scenario) cutOneWay(i, j int) {
	pair := [2]int{i, j}
	s.recordFault()
	switch {
	case s.cut[pair]:
		delete(s.cut, pair)
		s.recordLoss(6 * time.Second) // what was lost arrives with an exchange, every few seconds
	case len(s.nodes) > 2 && i != j:
		s.cut[pair] = true
	}
	s.log("cuts %v", s.cut)
}

// falseAlarm lets a node believe another one dead for a short time.
func (s *scenario) falseAlarm(n, other *node) {
	if n == other || !n.up || n.live[other.name] == 0 {
		return
	}
	s.recordFault()
	n.declareDead(other)
	s.after(s.randomDuration(100*time.Millisecond, time.Second), func() {
		s.recordFault()
		n.detect(other)
	})
}

// end waits until nothing changes, and checks the result: every address has one holder, the spread is even, and nothing
// moves any more.
func (s *scenario) end() {
	s.ending = true
	s.run(settleTime + rebalanceAfter)
	s.checkHolders()
	s.waitUntilEven()
	s.checkHolders()
	if spread := s.spread(); spread > 1 {
		s.violate("the counts of equally eligible nodes differ by %d", spread)
	}
	if i := s.misplaced(); i >= 0 {
		s.violate("%d is not held by a preferred node", i)
	}
	s.checkTables()
	takes, tables := s.takes, s.tables
	s.run(2*rebalanceAfter + 5*time.Second)
	if s.takes != takes {
		s.violate("%d addresses moved though nothing had happened", s.takes-takes)
	}
	if s.tables != tables {
		s.violate("%d tables were made though nothing had happened", s.tables-tables)
	}
	s.checkTables()
	if !s.idle() {
		s.violate("an elector asks to be woken though there is nothing to do")
	}
	s.checkHolders()
}

func (s *scenario) idle() bool {
	for _, n := range s.nodes {
		if n.up && n.wait > 0 {
			s.log("%s asks to be woken after %s", n.name, n.wait)
			return false
		}
	}
	return true
}

// waitUntilEven waits until the spread is even.
func (s *scenario) waitUntilEven() {
	for range 4 * len(s.api.eligible) {
		s.run(time.Second)
		if s.spread() <= 1 && s.misplaced() < 0 && s.idle() {
			return
		}
	}
}
