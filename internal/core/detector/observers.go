package detector

import (
	"cmp"
	"slices"

	"github.com/daymark-lb/daymark/internal/core/rendezvous"
)

const (
	// maxFullMesh is the number of other speakers up to which every speaker observes every other.
	maxFullMesh = 8
	// observersEach is how many observe a speaker in larger clusters.
	observersEach = 5
)

// member is a speaker with the hash of its name.
type member struct {
	name string
	hash uint64
}

// observersOf returns those that observe a member: all others in small clusters, in larger ones the few with the highest
// score for it. All that know the same candidates choose alike, and when one comes or goes only its own places change hands.
func observersOf(m member, candidates []member) []string {
	var chosen []member
	all := fullMesh(m, candidates)
	for _, candidate := range candidates {
		if candidate.name == m.name {
			continue
		}
		place := len(chosen)
		for !all && place > 0 && before(m, candidate, chosen[place-1]) {
			place--
		}
		if all || place < observersEach {
			chosen = slices.Insert(chosen, place, candidate)
		}
		if !all {
			chosen = chosen[:min(len(chosen), observersEach)]
		}
	}
	names := make([]string, len(chosen))
	for i, each := range chosen {
		names[i] = each.name
	}
	return names
}

// isObserver reports whether self, one of the candidates, observes a member. It looks no further than it must.
func isObserver(self, m member, candidates []member) bool {
	if self.name == m.name {
		return false
	}
	if fullMesh(m, candidates) {
		return true
	}
	better := 0
	for _, candidate := range candidates {
		if candidate.name == m.name || candidate.name == self.name {
			continue
		}
		if before(m, candidate, self) {
			if better++; better == observersEach {
				return false
			}
		}
	}
	return true
}

// fullMesh reports whether all candidates observe a member, which itself does not count.
func fullMesh(m member, candidates []member) bool {
	return len(candidates) <= maxFullMesh || len(candidates) == maxFullMesh+1 && contains(candidates, m.name)
}

func contains(candidates []member, name string) bool {
	return slices.ContainsFunc(candidates, func(c member) bool { return c.name == name })
}

// before orders two observers of a member.
func before(m, a, b member) bool {
	return cmp.Or(cmp.Compare(score(m, b), score(m, a)), cmp.Compare(a.name, b.name)) < 0
}

// score is that of rendezvous hashing.
func score(m, observer member) uint64 {
	return rendezvous.Mix(rendezvous.Mix(m.hash) ^ observer.hash)
}

// observes reports whether we are an observer of a peer.
func (d *Detector) observes(p *peer) bool {
	candidates := d.observerCandidates()
	if !p.observedKnown {
		before := p.observed
		if p.observed, p.observedKnown = isObserver(d.self, p.member, candidates), true; p.observed && !before {
			// What is remembered of an earlier observation says nothing about now.
			p.answered, p.unanswered, p.asked = false, 0, false
		}
	}
	return p.observed
}

// observerCandidates are those that may be observers: peers that memberlist counts as alive or that are heard, and we. One
// that is merely silent stays among them, so that no others take its place in the middle of a vote.
func (d *Detector) observerCandidates() []member {
	if !d.candidatesOutdated {
		return d.candidates
	}
	d.candidates = append(d.candidates[:0], d.self)
	for _, p := range d.order {
		p.observedKnown = false
		if !p.left && (p.listed || p.alive) {
			d.candidates = append(d.candidates, p.member)
		}
	}
	slices.SortFunc(d.candidates, func(a, b member) int { return cmp.Compare(a.name, b.name) })
	d.candidatesOutdated = false
	return d.candidates
}

// Observed returns whom one of some speakers observes among the others, in their order.
func Observed(self string, names []string) []string {
	candidates := make([]member, len(names))
	for i, name := range names {
		candidates[i] = newMember(name)
	}
	var observed []string
	for _, each := range candidates {
		if isObserver(newMember(self), each, candidates) {
			observed = append(observed, each.name)
		}
	}
	return observed
}

// Observations are whom each of some speakers observes among the others, in their order.
func Observations(names []string) map[string][]string {
	candidates, observed := make([]member, len(names)), make(map[string][]string, len(names))
	for i, name := range names {
		candidates[i], observed[name] = newMember(name), nil
	}
	for _, each := range candidates {
		for _, observer := range observersOf(each, candidates) {
			observed[observer] = append(observed[observer], each.name)
		}
	}
	return observed
}
