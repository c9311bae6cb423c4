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
func Divide(before Table, servers []string) Table {
	servers = Choose(before, servers)
	if len(servers) == 0 {
		return Table{}
	}
	d := division{of: make([]int, Count), shares: make([][]int, len(servers))}
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
	// quotas are how many shares each server gets.
	quotas []int
}

// setQuotas lets those have one share more than others that have most already: then fewest move.
func (d *division) setQuotas() {
	count := len(d.shares)
	byShares := make([]int, count)
	for i := range byShares {
		byShares[i] = i
	}
	slices.SortStableFunc(byShares, func(a, b int) int { return cmp.Compare(len(d.shares[b]), len(d.shares[a])) })
	d.quotas = make([]int, count)
	for place, i := range byShares {
		d.quotas[i] = Count / count
		if place < Count%count {
			d.quotas[i]++
		}
	}
}

// giveUp frees what servers have above their quotas. Each gives shares that are far apart, and not the same places as others:
// so the clients that move have addresses all over the segment.
func (d *division) giveUp() {
	for i, shares := range d.shares {
		surplus := len(shares) - d.quotas[i]
		for j := range surplus {
			d.free = append(d.free, shares[(j*len(shares)/surplus+i)%len(shares)])
		}
		d.quotas[i] -= min(len(shares), d.quotas[i])
	}
	slices.Sort(d.free)
}

// giveOut gives each free share to the server that lacks most, so that neighbours go to different servers.
func (d *division) giveOut() {
	for _, share := range d.free {
		most := 0
		for i := range d.quotas {
			if d.quotas[i] > d.quotas[most] {
				most = i
			}
		}
		d.of[share] = most
		d.quotas[most]--
	}
}
