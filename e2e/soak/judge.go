package main

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/daymark-lb/daymark/e2e/soak/wire"
)

// outcome of a step: what it cost, and what was not as promised.
type outcome struct {
	step
	at             time.Time
	unheld, shared time.Duration
	quietAfter     time.Duration // from the end of the fault until all is as it should be
	near, far      time.Duration // longest outage of the client on the segment, and behind the router
	announced      int
	withdrawn      int
	moved          []string // addresses that another node answers for at the end
	ended          []string // programs that had ended by themselves
	seen           string   // why not all was seen, if so
	wrong          []string
}

// judge compares what was on the wire with the promises of the kind. Before has the holder of each address when the fault began, after when all was
// quiet again.
func (o *outcome) judge(s seen, before, after map[netip.Addr]string) {
	unheld, shared := s.answers.Unheld(nodes), s.answers.Shared(nodes)
	o.unheld, o.shared, o.announced, o.seen = unheld.Lasted, shared.Lasted, s.announced, s.lost
	if s.blind != nil {
		o.wrong = append(o.wrong, "what the wire said was not read: "+s.blind.Error())
	}
	if o.unheld > o.kind.unheld {
		o.wrong = append(o.wrong, fmt.Sprintf("nobody answered for %s for %s, from %s", unheld.Address, ms(unheld.Lasted), clock(unheld.From)))
	}
	if o.shared > o.kind.shared {
		o.wrong = append(o.wrong, fmt.Sprintf("%v answered for %s for %s, from %s", shared.By, shared.Address, ms(shared.Lasted), clock(shared.From)))
	}
	for address, holder := range before {
		if after[address] != holder {
			o.moved = append(o.moved, fmt.Sprintf("%s %s→%s", address, holder, after[address]))
		}
		if !o.kind.stays {
			continue
		}
		if by := strangers(s.answers[address], holder); by != "" {
			o.wrong = append(o.wrong, fmt.Sprintf("%s was %s's, and %s answered for it", address, holder, by))
		}
	}
	slices.Sort(o.moved)
	slices.Sort(o.wrong)
	for _, w := range s.withdrawals {
		ends := !strings.Contains(w.What, "/32")
		if strings.HasPrefix(w.What, churnedRoutes) {
			continue // its Service is deleted
		}
		if !ends {
			o.withdrawn++
		}
		if o.kind.routes == untouched || o.kind.routes == stay && !ends {
			o.wrong = append(o.wrong, fmt.Sprintf("the router got %s from %s at %s", w.What, w.From, clock(w.At)))
		}
	}
}

// churnedRoutes is what the routes of Services that come and go begin with.
const churnedRoutes = "198.19.2."

// endedByThemselves: a program of Daymark's ends by itself when it cannot begin without an API server, or does not lead any more, and never otherwise.
func (o *outcome) endedByThemselves(programs []string) {
	o.ended = programs
	for _, name := range programs {
		if !o.noAPI && o.kind.name != "api-away" && !strings.Contains(name, "proxy") {
			o.wrong = append(o.wrong, name+" ended by itself")
		}
	}
}

// strangers are the nodes that answered in the place of the holder.
func strangers(asked []wire.Asked, holder string) string {
	for _, q := range asked {
		for _, by := range q.By {
			if by != holder && slices.Contains(nodes, by) {
				return by
			}
		}
	}
	return ""
}

func ms(d time.Duration) string { return fmt.Sprint(d.Milliseconds(), " ms") }

func clock(t time.Time) string { return t.Format("15:04:05.000") }
