package layer2

import (
	"cmp"
	"net/netip"
	"slices"

	"github.com/daymark-lb/daymark/internal/core/shares"
)

// maxIntroductions bounds the introductions that wait on one interface, at about 300 bytes each. Each of many thousand clients may have to
// be introduced to seven nodes. Clients beyond are not introduced: they learn of another node only when they ask again.
const maxIntroductions = 32_768

// tellOfChanges tells of changes of sharing. The addresses divide the introductions that there may be evenly, and who needs fewer
// leaves them to the others.
func (r *Responder) tellOfChanges(changes []sharingChange) {
	clients := make(map[netip.Addr]int, len(changes))
	for _, c := range changes {
		clients[c.addr] = r.crowds.count(c.addr)
	}
	slices.SortStableFunc(changes, func(a, b sharingChange) int { return cmp.Compare(clients[a.addr], clients[b.addr]) })
	room := maxIntroductions
	for i, c := range changes {
		room -= r.tellOfChange(c, room/(len(changes)-i))
	}
}

// tellOfChange tells the clients of shares that are ours now, and has those that are another's told by it. A node that is new hears
// of all clients that are ours, because it may be asked to take our place; it hears first of those that have asked last. It returns
// how many introductions there are, room at most.
func (r *Responder) tellOfChange(c sharingChange, room int) int {
	ownBefore := shares.All
	if c.before.Table.Shared() {
		ownBefore = c.before.Own
	}
	updates := r.newUpdates(c.addr, *r.live.Load())
	updates.room = room
	for _, of := range r.crowds.clients(c.addr) {
		hadIt, hasIt := ownBefore.Serves(of.addr), c.after.Own.Serves(of.addr)
		if hasIt && !hadIt {
			updates.tell(of)
		}
		server := c.after.Table.Server(of.addr)
		for i := range c.after.Servers {
			to := &c.after.Servers[i]
			if (hadIt || hasIt) && !c.before.Table.Has(to.Node) || hadIt && !hasIt && to.Node == server {
				updates.introduce(of, to)
			}
		}
	}
	updates.send()
	return len(updates.others)
}
