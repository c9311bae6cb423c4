package election

import (
	"slices"
	"time"

	"github.com/daymark-lb/daymark/internal/core/shares"
)

// Outlook is which node holds each contest, in the order of the contests; empty: none.
type Outlook struct {
	// AtOnce: holders keep their addresses, and heirs take over those without one.
	AtOnce []string
	// Later is when the spread has been evened out. Of nodes that are equal it is certain how many addresses each takes over,
	// and not which: that depends on who comes first.
	Later []string
	// Tables say at once which nodes answer which clients of each contest; zero: the holder alone does.
	Tables []shares.Table
	// LaterTables are those when they have been evened out, and the servers that are new have their parts.
	LaterTables []shares.Table
}

// Foresee returns who will hold what when all nodes know the same and nothing else changes: it is the decision that each of them makes.
// Groups whose nodes differ may be spread in another way when the nodes learn of a change at different times.
func Foresee(contests []Contest, live map[string]uint64, claims Claims) Outlook {
	e := NewElector("", 0, time.Minute)
	e.nodes.update(live)
	r := e.begin(contests, Input{Live: live, Claims: claims})
	r.findHolders()
	r.assignHeirs()
	for i := range r.unheld {
		if u := &r.unheld[i]; u.heir != nobody {
			r.holders[u.contest] = u.heir
			r.loads[u.heir]++
		}
	}
	outlook := Outlook{AtOnce: r.holderNames()}
	tables := &serveRound{round: r}
	for i := range contests {
		outlook.Tables = append(outlook.Tables, tables.foresee(i))
	}
	for i := range r.announced {
		r.announced[i] = true // by then
	}
	for moves := r.planMoves(maxMoves); len(moves) > 0; moves = r.planMoves(maxMoves) {
		for _, m := range moves {
			r.holders[m.from.takeBest(r, m.receiver)] = m.receiver.id
			r.loads[m.from.giver.id]--
			r.loads[m.receiver.id]++
		}
	}
	outlook.Later = r.holderNames()
	for i, table := range outlook.Tables {
		outlook.LaterTables = append(outlook.LaterTables, tables.foreseeLater(i, table))
	}
	return outlook
}

// foresee the table of a contest at once: the parts of servers that are gone are divided among those that are left, and a new address,
// which has no clients, is shared from the beginning.
func (s *serveRound) foresee(i int) shares.Table {
	c := &s.contests[i]
	claim := s.Claims[c.Addr]
	switch {
	case !c.Shared || s.holders[i] == nobody:
		return shares.Table{}
	case !claim.Announced:
		return s.divide(shares.Table{}, s.servers(i, shares.Table{}, nil))
	case !claim.Shares.Shared():
		return shares.Table{}
	}
	servers := claim.Shares.Servers()
	left := slices.DeleteFunc(slices.Clone(servers), func(node string) bool {
		_, candidate := s.groups[i].find(s.nodes.find(node))
		return !candidate
	})
	if len(left) == len(servers) {
		return claim.Shares
	}
	return s.divide(claim.Shares, left)
}

// foreseeLater is the table when servers that are new have their parts.
func (s *serveRound) foreseeLater(i int, table shares.Table) shares.Table {
	if !s.contests[i].Shared || s.holders[i] == nobody {
		return shares.Table{}
	}
	return s.divide(table, s.servers(i, table, nil))
}

func (r *round) holderNames() []string {
	names := make([]string, len(r.holders))
	for i, holder := range r.holders {
		if holder != nobody {
			names[i] = r.nodes.names[holder]
		}
	}
	return names
}
