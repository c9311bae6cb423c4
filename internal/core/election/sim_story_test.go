package election

import "time"

// story is what happens to a simulated cluster.
type story struct {
	*cluster
	outcome  outcome
	everyone *bracket
}

// begin starts all nodes within a moment, and waits until they have settled.
func (s *story) begin() {
	s.everyone = &bracket{make([]int, len(s.nodes))}
	for _, n := range s.nodes {
		s.after(s.between(0, 300*time.Millisecond), func() { s.start(n) })
	}
}

// create addresses, all at once or one by one over at most a while.
func (s *story) create(from, to int, b func() *bracket, over time.Duration) {
	if over == 0 {
		s.change(func(a *api) {
			for i := from; i < to; i++ {
				a.brackets[i] = s.everyone
			}
		})
	}
	for i := from; i < to && over > 0; i++ {
		chosen := b()
		s.after(s.between(0, over), func() { s.change(func(a *api) { a.brackets[i] = chosen }) })
	}
	s.run(over)
}

func (s *story) all() *bracket { return s.everyone }

// any is a bracket of some kind: everybody, by weight, or a few.
func (s *story) any() *bracket {
	b := &bracket{make([]int, len(s.nodes))}
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

// kinds makes a choice of brackets, so that several addresses share each.
func (s *story) kinds() func() *bracket {
	kinds := []*bracket{s.any(), s.any(), s.any()}
	return func() *bracket { return kinds[s.random.IntN(len(kinds))] }
}

// batches of Services come to a healthy cluster, and each is spread evenly at once.
func (s *story) batches() {
	s.begin()
	s.run(calm + 2*time.Second)
	for from := 0; from < len(s.api.brackets) && s.broken == ""; {
		to := min(len(s.api.brackets), from+1+s.random.IntN(20+len(s.api.brackets)/4))
		over := time.Duration(0)
		if s.chance(0.5) {
			over = s.between(time.Millisecond, 2*delay)
		}
		s.create(from, to, s.all, over)
		s.run(2 * time.Second)
		s.settledWell()
		s.outcome.batches++
		if s.spread() > 1 {
			s.outcome.uneven++
			s.log("UNEVEN")
		}
		s.run(s.between(0, 2*rebalanceAfter))
		from = to
	}
	s.end()
}

// maintenance is drains and returns, and changes of who may hold what, with no fault: no address is ever without holder.
func (s *story) maintenance() {
	s.begin()
	b := s.kinds()
	s.create(0, len(s.api.brackets), b, s.between(0, time.Second))
	s.run(calm + time.Second)
	for range 2 + s.random.IntN(4) {
		if s.chance(0.5) {
			s.drain(s.random.IntN(len(s.nodes)))
		} else {
			s.reassign(b)
		}
		s.run(s.between(0, 2*time.Second))
	}
	s.end()
}

func (s *story) drain(i int) {
	drained := !s.api.drained[i]
	s.log("n%d drained: %t", i, drained)
	s.change(func(a *api) { a.drained[i] = drained })
}

// reassign changes who may hold an address, as when a local endpoint moves.
func (s *story) reassign(b func() *bracket) {
	i, chosen := s.random.IntN(len(s.api.brackets)), b()
	if s.chance(0.5) {
		chosen = &bracket{make([]int, len(s.nodes))}
		for j := range chosen.weights {
			chosen.weights[j] = -1
		}
		chosen.weights[s.random.IntN(len(s.nodes))] = 0
	}
	s.log("%d for %v", i, chosen.weights)
	s.change(func(a *api) { a.brackets[i] = chosen })
}

// crashes of single nodes in a cluster that is well otherwise: heirs take over the moment they notice.
func (s *story) crashes() {
	s.begin()
	s.create(0, len(s.api.brackets), s.kinds(), s.between(0, delay))
	s.run(calm)
	for range 2 {
		s.even()
		n := s.nodes[s.random.IntN(len(s.nodes))]
		clear(s.lost)
		s.crash(n)
		back := s.between(50*time.Millisecond, 2*calm)
		if s.chance(0.3) {
			back = s.between(0, delay)
		}
		s.run(back)
		s.start(n)
		s.run(calm + time.Second)
		s.settledWell()
		s.outcome.failovers = append(s.outcome.failovers, s.waits...)
		s.waits = nil
	}
	s.end()
}

// chaos is all of it at once.
func (s *story) chaos() {
	s.begin()
	b := s.kinds()
	s.create(0, len(s.api.brackets), b, s.between(0, time.Second))
	for range 3 + s.random.IntN(6) {
		s.trouble(b)
		if s.chance(0.2) {
			s.run(calm + s.between(0, 2*time.Second))
		} else {
			s.run(s.between(0, time.Second))
		}
	}
	s.partition(1)
	s.run(calm)
	for pair := range s.cut {
		s.sever(pair[0], pair[1])
	}
	s.run(6 * time.Second)
	s.disturb()
	s.end()
}

func (s *story) trouble(b func() *bracket) {
	i, j := s.random.IntN(len(s.nodes)), s.random.IntN(len(s.nodes))
	switch s.random.IntN(8) {
	case 0, 1:
		if n := s.nodes[i]; n.up {
			s.crash(n)
		} else if n.instance > 0 {
			s.start(n)
		}
	case 2:
		s.partition(2)
	case 3:
		s.partition(1)
	case 4:
		s.sever(i, j)
	case 5:
		s.falseAlarm(s.nodes[i], s.nodes[j])
	case 6:
		s.drain(i)
	default:
		s.reassign(b)
	}
}

// sever cuts one node's messages off from another one, or mends that. With a third to hear both neither is deemed dead.
func (s *story) sever(i, j int) {
	pair := [2]int{i, j}
	s.disturb()
	switch {
	case s.cut[pair]:
		delete(s.cut, pair)
		s.faulted += 6 * time.Second // What was lost comes with an exchange of tables, every few seconds.
	case len(s.nodes) > 2 && i != j:
		s.cut[pair] = true
	}
	s.log("cuts %v", s.cut)
}

// falseAlarm has a node miss another one for a moment.
func (s *story) falseAlarm(n, other *node) {
	if n == other || !n.up || n.live[other.name] == 0 {
		return
	}
	s.disturb()
	n.miss(other)
	s.after(s.between(100*time.Millisecond, time.Second), func() {
		s.disturb()
		n.notice(other)
	})
}

// end lets things settle, and checks that they have: one holder each, evenly spread, and then nothing moves any more.
func (s *story) end() {
	s.run(calm + rebalanceAfter)
	s.settledWell()
	s.even()
	s.settledWell()
	if spread := s.spread(); spread > 1 {
		s.breaks("the counts of equally eligible nodes differ by %d", spread)
	}
	if i := s.misplaced(); i >= 0 {
		s.breaks("%d is not held by a preferred node", i)
	}
	takes := s.takes
	s.run(2*rebalanceAfter + 5*time.Second)
	if s.takes != takes {
		s.breaks("%d addresses moved though nothing had happened", s.takes-takes)
	}
	if !s.quiet() {
		s.breaks("an elector asks to be woken though there is nothing to do")
	}
	s.settledWell()
}

func (s *story) quiet() bool {
	for _, n := range s.nodes {
		if n.up && n.wait > 0 {
			return false
		}
	}
	return true
}

// even waits until there is nothing more to even out.
func (s *story) even() {
	for range 4 * len(s.api.brackets) {
		s.run(time.Second)
		if s.spread() <= 1 && s.misplaced() < 0 && s.quiet() {
			return
		}
	}
}
