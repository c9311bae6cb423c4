package forecast

import (
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/daymark-lb/daymark/internal/core/shares"
)

// held says what becomes of an address by layer 2.
func (c *comparison) held(addr netip.Addr) (effects []Effect) {
	was, is := c.before.holders[addr], c.after.holders[addr]
	if was == is {
		return nil // else it is evened out without the change, too
	}
	atOnce := is.answering(false)
	if e, moves := moved(addr, was.answering(false), atOnce); moves {
		e.Message, e.Uncertain = c.doubts(addr, false)
		effects = append(effects, e)
	}
	if e, moves := moved(addr, atOnce, is.answering(true)); moves {
		e.Later = true
		e.Message, e.Uncertain = c.doubts(addr, true)
		effects = append(effects, e)
	}
	return effects
}

// moved is the effect of an address being answered by other nodes, or by the same for more or less of its clients; false: by the same for as
// many. That another node holds a shared address, and divides its clients, is nothing to them.
func moved(addr netip.Addr, was, is map[string]int) (e Effect, moves bool) {
	e = Effect{Effect: Moves, Address: addr.String()}
	for _, node := range slices.Sorted(maps.Keys(was)) {
		if fewer := was[node] - is[node]; fewer > 0 {
			e.From, e.Shares = append(e.From, node), e.Shares+fewer
		}
	}
	for _, node := range slices.Sorted(maps.Keys(is)) {
		if is[node] > was[node] {
			e.To = append(e.To, node)
		}
	}
	if e.Shares == shares.Count {
		e.Shares = 0
	}
	switch {
	case len(was) == 0:
		e.Effect = Announced
	case len(is) == 0:
		e.Effect = Withdrawn
	}
	return e, len(e.From)+len(e.To) > 0
}

// doubts says, in words, what is not certain about who answers for an address.
func (c *comparison) doubts(addr netip.Addr, later bool) (text string, uncertain bool) {
	text, uncertain = c.after.doubt(addr, later)
	if c.after.guessed[addr] && c.after.holders[addr].atOnce != "" {
		text = strings.TrimSuffix("the reports of how its clients are shared do not add up; "+text, "; ")
		uncertain = true
	}
	return text, uncertain
}
