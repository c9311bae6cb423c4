package forecast

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/core/announce"
	"github.com/daymark-lb/daymark/internal/core/election"
	"github.com/daymark-lb/daymark/internal/core/lb"
	"github.com/daymark-lb/daymark/internal/core/status"
)

// cuts are what the speakers report of networks that are cut. Who is cut off decides by what he knows, and the others without him: so it is
// not certain that he takes something over, nor that they do.
type cuts struct {
	// doubts are the nodes whose speakers do not see all others, or not in every way, in order.
	doubts []string
	// off are the nodes whose speakers see half of all or less, with how many that is, in words.
	off map[string]string
	// parted are the subnets in whose parts nodes stand in for holders, in order.
	parted []netip.Prefix
}

func reportedCuts(world *announce.World, speakers []*v1beta1.Speaker) cuts {
	c := cuts{off: map[string]string{}}
	all := len(world.Members.Alive)
	for _, s := range speakers {
		known := meta.FindStatusCondition(s.Status.Conditions, v1beta1.ConditionMembershipKnown)
		if known == nil || known.Reason != status.NotAllSeen.Name || !slices.Contains(world.Members.Alive, s.Name) {
			continue
		}
		c.doubts = append(c.doubts, s.Name)
		if sees := int(s.Status.Members); 2*sees <= all {
			c.off[s.Name] = fmt.Sprintf("%s sees %d of %d speakers", s.Name, sees, all)
		}
	}
	slices.Sort(c.doubts)
	subnets := map[netip.Prefix]bool{}
	// order does not matter: it fills a map
	for addr := range world.StandIns {
		if subnet := subnetOf(addr, speakers); subnet.IsValid() {
			subnets[subnet] = true
		}
	}
	c.parted = slices.SortedFunc(maps.Keys(subnets), netip.Prefix.Compare)
	return c
}

// subnetOf an address is the smallest one of a node that contains it; invalid: there is none.
func subnetOf(addr netip.Addr, speakers []*v1beta1.Speaker) (subnet netip.Prefix) {
	for _, s := range speakers {
		for _, of := range lb.ParseNodeNetwork(s).Addresses {
			if of.Contains(addr) && (!subnet.IsValid() || of.Bits() > subnet.Bits()) {
				subnet = of.Masked()
			}
		}
	}
	return subnet
}

// without is who holds some contests when all decide who are not cut off. Those who are keep what they hold.
func (h held) without(off map[string]string, contests []election.Contest, alive []string, evenOut bool) held {
	isOff := func(node string) bool { return off[node] != "" }
	open := slices.DeleteFunc(slices.Clone(contests), func(c election.Contest) bool {
		holder := h.claims[c.Addr].Node
		_, candidate := c.Group.Find(holder)
		return isOff(holder) && candidate && slices.Contains(alive, holder)
	})
	next := h.decide(open, slices.DeleteFunc(slices.Clone(alive), isOff), evenOut)
	for _, c := range contests {
		if _, decided := next.holders[c.Addr]; !decided {
			kept := h.claims[c.Addr]
			next.claims[c.Addr], next.holders[c.Addr] = kept, holder{kept.Node, kept.Node, kept.Shares, kept.Shares}
		}
	}
	return next
}

// doubt says, in words, what is not certain about who takes an address over; uncertain: it may be another node.
func (o *Outcome) doubt(addr netip.Addr, later bool) (text string, uncertain bool) {
	foreseen, other := o.holders[addr], o.others.holders[addr]
	holder, otherHolder := foreseen.at(later), other.at(later)
	if holder == "" {
		return "", false
	}
	var texts []string
	if uncertain = len(o.cuts.off) > 0 && !maps.Equal(foreseen.answering(later), other.answering(later)); uncertain {
		texts = append(texts, "not certain: "+o.why(holder))
		if otherHolder != "" && otherHolder != holder && !foreseen.table.Shared() {
			texts[0] += ", so it may be " + otherHolder
		}
	}
	for _, subnet := range o.cuts.parted {
		if subnet.Contains(addr) {
			texts = append(texts, fmt.Sprintf("the segment of %s is in parts: where it does not lead to %s, another node stands in for it", subnet, holder))
		}
	}
	return strings.Join(texts, "; "), uncertain
}

// why a node may not take something over: what it is cut off from, or who is.
func (o *Outcome) why(node string) string {
	if why := o.cuts.off[node]; why != "" {
		return why
	}
	return o.cuts.off[slices.Sorted(maps.Keys(o.cuts.off))[0]]
}

// Doubts are the nodes, in order, whose speakers did not see all others at the start, or not in every way.
func (o *Outcome) Doubts() []string { return o.cuts.doubts }
