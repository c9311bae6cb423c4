package shares

import (
	"cmp"
	"slices"
)

// Divide returns the table of a set of servers, given in any order, that moves as few shares as can be from a table before:
// the shares of two servers differ by at most one, a server that is gone leaves its shares to the others in equal parts, and
// one that is new takes an equal part from each. The result depends on nothing else, so all who know the same come to the
// same table. Of too many servers those of the table before are kept, and then the first in order of name (Choose). Without
// a server the address is not shared.
func Divide(before Table, servers []string) Table { return DivideAmong(before, servers, nil) }

// DivideAmong is Divide where some of the servers cannot be told of a table, though they go on to serve: they keep the shares of the table
// before, and the others have the rest. Where nobody else is left it is Divide.
func DivideAmong(before Table, servers, untold []string) Table {
	servers = Choose(before, servers)
	if len(servers) == 0 {
		return Table{}
	}
	d := division{of: make([]int, Count), shares: make([][]int, len(servers)), keeps: make([]bool, len(servers))}
	for i, server := range servers {
		d.keeps[i] = slices.Contains(untold, server)
	}
	if !slices.Contains(d.keeps, false) {
		clear(d.keeps)
	}
	for share := range Count {
		index, stays := slices.BinarySearch(servers, before.ServerOf(share))
		if !stays {
			d.free = append(d.free, share)
			continue
		}
		d.of[share] = index
		d.shares[index] = append(d.shares[index], share)
	}
	d.setQuotas()
	d.giveUp()
	d.giveOut()
	of := make([]byte, Count)
	for share, index := range d.of {
		of[share] = byte(index) //nolint:gosec // Below MaxServers.
	}
	table, _ := Make(servers, of)
	return table
}

// Choose returns those of the nodes, given in order of preference, that a table can have as servers, in order of name: the
// servers of the table before, then the first of the others, as far as there is room.
func Choose(before Table, nodes []string) []string {
	var chosen []string
	add := func(nodes []string, serves bool) {
		for _, node := range nodes {
			room := node != "" && len(chosen) < MaxServers && fits(append(chosen, node))
			if before.Has(node) == serves && room && !slices.Contains(chosen, node) {
				chosen = append(chosen, node)
			}
		}
	}
	add(nodes, true)
	add(nodes, false)
	slices.Sort(chosen)
	return chosen
}

// division is the work on one table.
type division struct {
	// of is the index of the server of each share, free the shares that have none, shares those of each server.
	of     []int
	free   []int
	shares [][]int
	// keeps has the servers that keep what they have.
	keeps []bool
	// quotas are how many shares each server gets.
	quotas []int
}

// setQuotas lets those have one share more than others that have most already: then fewest move.
func (d *division) setQuotas() {
	d.quotas = make([]int, len(d.shares))
	byShares, total := make([]int, 0, len(d.shares)), Count
	for i, own := range d.shares {
		if d.keeps[i] {
			d.quotas[i] = len(own)
			total -= len(own)
			continue
		}
		byShares = append(byShares, i)
	}
	slices.SortStableFunc(byShares, func(a, b int) int { return cmp.Compare(len(d.shares[b]), len(d.shares[a])) })
	for place, i := range byShares {
		d.quotas[i] = total / len(byShares)
		if place < total%len(byShares) {
			d.quotas[i]++
		}
	}
}

// giveUp frees what servers have above their quotas: one after the other the share that is most like the others of its server, so that
// what stays is even.
func (d *division) giveUp() {
	for i := range d.shares {
		for len(d.shares[i]) > d.quotas[i] {
			most, at := -1, 0
			for place, share := range d.shares[i] {
				if crowding := d.crowding(share, i); crowding > most {
					most, at = crowding, place
				}
			}
			d.free = append(d.free, d.shares[i][at])
			d.shares[i] = slices.Delete(d.shares[i], at, at+1)
		}
		d.quotas[i] -= len(d.shares[i])
	}
	slices.Sort(d.free)
}

// giveOut gives each free share to a server that has few shares like it, and among equals to the one that lacks most.
func (d *division) giveOut() {
	for _, share := range d.free {
		best, least := -1, 0
		for i := range d.quotas {
			if cost := d.crowding(share, i)*Count - d.quotas[i]; d.quotas[i] > 0 && (best < 0 || cost < least) {
				best, least = i, cost
			}
		}
		d.of[share] = best
		d.shares[best] = append(d.shares[best], share)
		d.quotas[best]--
	}
}

// crowding is how much a share is like those that a server has.
func (d *division) crowding(share, server int) (sum int) {
	for _, other := range d.shares[server] {
		sum += likeness[share][other]
	}
	return sum
}

// likeness of two shares: they should not have one server. Neighbours are alike, for clients with addresses in a row, and so are those that
// are some small steps apart, for addresses that are handed out in steps, such as all even ones. A hash of the address would leave both to
// chance. What each counts was found by trial.
var likeness = func() (of [Count][Count]int) {
	const near, nearCounts = 12, 3
	for share := range Count {
		for other := range Count {
			apart := max(share-other, other-share)
			of[share][other] = nearCounts * max(0, near+1-min(apart, Count-apart))
			for _, s := range []struct{ step, counts int }{{2, 3}, {3, 3}, {4, 2}, {5, 3}, {6, 2}} {
				if apart%s.step == 0 {
					of[share][other] += s.counts * s.step
				}
			}
		}
	}
	return of
}()
