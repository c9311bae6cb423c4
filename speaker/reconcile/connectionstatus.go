package reconcile

import (
	"fmt"
	"math"
	"net/netip"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/core/announce"
	"github.com/daymark-lb/daymark/internal/core/handover"
	"github.com/daymark-lb/daymark/internal/core/lb"
	"github.com/daymark-lb/daymark/internal/core/proxyhealth"
	"github.com/daymark-lb/daymark/internal/core/status"
	"github.com/daymark-lb/daymark/speaker/bgp"
	"github.com/daymark-lb/daymark/speaker/layer2"
)

// What the Speaker object says of open connections.

// uncounted says why it is not known what is open here, as long as the node has not decided, or the kernel not said what an earlier process
// had counted; empty: it is known.
func (l *Loop) uncounted() string {
	switch m := &l.memory.connections; {
	case m.decided && m.asked:
		return ""
	case time.Since(l.started) < undecidedLimit:
		return "the speaker has started and does not know the others yet, nor which connections are open here"
	case m.decided:
		return "the kernel did not say which connections an earlier process of the speaker had counted (" + m.keptFailure +
			"): this lasts until the speaker is restarted"
	}
	return "it is not known which connections are open here, and this does not pass by itself: see the condition ConnectionsBreak"
}

// status is what the Speaker object says of connections that are left here, and that other nodes can pass on; nil: there are none.
func (m *connections) status(left map[netip.Addr]int) *v1beta1.SpeakerDraining {
	if len(m.decision.Left) == len(m.decision.Stranded) {
		return nil
	}
	s := &v1beta1.SpeakerDraining{Addresses: count32(len(m.decision.Left) - len(m.decision.Stranded))}
	total := 0
	for i := range m.decision.Plan.Counted {
		addr := m.decision.Plan.Counted[i].Addr
		if !has(m.decision.Left, addr) || has(m.decision.Stranded, addr) {
			continue
		}
		open, counted := left[addr]
		total += open
		if len(s.List) < v1beta1.SpeakerListLimit {
			entry := v1beta1.DrainingAddress{Address: addr.String(), Until: metav1.NewTime(m.decision.Until[i]).Rfc3339Copy()}
			if counted {
				number := count32(open)
				entry.Connections = &number
			}
			s.List = append(s.List, entry)
		}
	}
	s.Connections = count32(total)
	return s
}

// has reports whether an address is among sorted ones.
func has(sorted []netip.Addr, addr netip.Addr) bool {
	_, found := slices.BinarySearchFunc(sorted, addr, netip.Addr.Compare)
	return found
}

// count32 is a number as an object has it.
func count32(n int) int32 { return int32(min(n, math.MaxInt32)) } //nolint:gosec // bounded

// whyBreak says why open connections break when an address moves; empty: nothing is known. That the others are not known yet is usual
// in a speaker that has just started, and where connectionDraining of all advertisements is 0 it is meant.
func (l *Loop) whyBreak(w *announce.World) string {
	if drainsNothing(w) {
		return ""
	}
	if !l.memory.connections.decided && time.Since(l.started) >= undecidedLimit {
		return "the other speakers are not known (condition MembershipKnown), nor which connections they have"
	}
	if why := l.exec.Connections.Unable(); why != "" {
		return why + othersPass(l.exec.Connections.Only())
	}
	return leftOver(l.exec.Connections.Beside(), l.memory.proxy.verdict.State)
}

// othersPass says of which family's connections it is not so, given the one of which packets are passed on; empty: there is none.
func othersPass(only lb.Family) string {
	if only == 0 {
		return ""
	}
	return "; those to " + only.String() + " addresses are passed on"
}

// breakCondition is connectionsCondition of this node, if it is told: what an earlier process said stays until it is known whether it is still so.
func (l *Loop) breakCondition(w *announce.World) (c metav1.Condition, told bool) {
	why, apart := l.whyBreak(w), l.whyApart(w)
	known := l.memory.connections.decided && l.exec.Connections.Sure() || drainsNothing(w)
	return connectionsCondition(why, apart), known || why != ""
}

// drainsNothing reports whether there are advertisements, none of which wants connections to be passed on.
func drainsNothing(w *announce.World) bool {
	for _, a := range w.L2Advertisements {
		if a.ConnectionDraining > 0 || a.Accepted != nil && a.Accepted.ConnectionDraining > 0 {
			return false
		}
	}
	for _, a := range w.BGPAdvertisements {
		if a.ConnectionDraining > 0 || a.Accepted != nil && a.Accepted.ConnectionDraining > 0 {
			return false
		}
	}
	return len(w.L2Advertisements)+len(w.BGPAdvertisements) > 0
}

// leftOver says why the rules of a kube-proxy on this node are probably left over, given the network plugin that may serve Services, if any, and
// the node's service proxy; empty: nothing speaks for it. A kube-proxy that has died is no reason: what it wrote goes on serving. Since a
// sign is no proof, what the kernel passes on stays; where something else serves it does no harm.
func leftOver(plugin string, proxy proxyhealth.State) string {
	if plugin == "" || proxy != proxyhealth.NotFound && proxy != proxyhealth.FailsOnMost {
		return ""
	}
	return "no kube-proxy answers (condition ServiceProxyUnhealthy), and " + plugin + " is there, so it probably serves Services itself, and rules of kube-proxy, " +
		"if there are any, are left over: remove them with kube-proxy --cleanup. Where kube-proxy runs, say with --proxy-health-url of the speaker where it answers"
}

// connectionsCondition says whether open connections break when an address moves, and why: this node cannot pass on, or not to some.
func connectionsCondition(unable, apart string) metav1.Condition {
	switch {
	case unable != "":
		return condition(v1beta1.ConditionConnectionsBreak, true, status.CannotPassOn,
			"open connections to addresses that move to this node, or among the nodes of BGP, break as without connectionDraining: "+unable)
	case apart != "":
		return condition(v1beta1.ConditionConnectionsBreak, true, status.NoSharedSegment,
			"open connections break that move between this node and others with which it shares no segment (by layer 2 none on which the address is announced): "+apart)
	}
	return condition(v1beta1.ConditionConnectionsBreak, false, status.PassedOn, "nothing is known to keep this node from passing open connections on")
}

// maxApart is how many nodes are named of each kind that packets cannot be handed to.
const maxApart = 5

// apartText names the nodes that packets cannot be handed to by what is known of their segments, and why they cannot by this node's routes;
// empty: there are none.
func apartText(apart handover.Apart, refused []string) string {
	var texts []string
	for _, f := range []struct {
		family string
		nodes  []string
	}{{"IPv4", apart.IPv4}, {"IPv6", apart.IPv6}} {
		if len(f.nodes) > 0 {
			texts = append(texts, "those to "+f.family+" addresses and "+firstOf(f.nodes))
		}
	}
	if len(refused) > 0 {
		texts = append(texts, "those to other nodes by the routes of this one: "+firstOf(refused))
	}
	return strings.Join(texts, "; ")
}

// firstOf joins the first of some texts, and says how many there are beside them.
func firstOf(texts []string) string {
	text := strings.Join(texts[:min(maxApart, len(texts))], ", ")
	if more := len(texts) - maxApart; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}

// whyApart is apartText of the last decision, as far as connections are to be passed on.
func (l *Loop) whyApart(w *announce.World) string {
	if drainsNothing(w) {
		return ""
	}
	return apartText(l.memory.connections.decision.Apart, l.exec.Connections.Refused())
}

// safeCondition says whether no traffic breaks when the node stops: it attracts none, and none is left of what it attracted. Until what
// is open is counted, that is unknown. Apart names nodes that cannot pass on to it; empty: there are none. Stranded is to how many addresses there
// may be connections that no node can pass on: nothing is kept by waiting for those.
func safeCondition(attracts bool, uncounted string, left *v1beta1.SpeakerDraining, apart string, stranded int) metav1.Condition {
	switch {
	case attracts:
		return condition(v1beta1.ConditionSafeToStop, false, status.Attracting, "the node attracts traffic: it is to be drained before it is stopped")
	case uncounted != "":
		c := condition(v1beta1.ConditionSafeToStop, false, status.NotCountedYet, uncounted)
		c.Status = metav1.ConditionUnknown
		return c
	case left == nil:
		text := "the node attracts no traffic, and no connections to addresses that moved away are open here"
		if stranded > 0 {
			text += fmt.Sprintf(", but for those to %d addresses that no node can pass on to this one (condition ConnectionsBreak): they are not waited for", stranded)
		}
		return condition(v1beta1.ConditionSafeToStop, true, status.NothingLeft, text)
	}
	last := left.List[0].Until
	for _, entry := range left.List {
		if last.Before(&entry.Until) {
			last = entry.Until
		}
	}
	text := fmt.Sprintf("%d connections to %d addresses that moved away are open here, and are passed on to this node until %s at the latest",
		left.Connections, left.Addresses, last.UTC().Format(time.RFC3339))
	if apart != "" {
		text += ", but not by nodes that share no segment with it (condition ConnectionsBreak)"
	}
	return condition(v1beta1.ConditionSafeToStop, false, status.ConnectionsLeft, text)
}

// attracts reports whether a node holds addresses or announces routes.
func attracts(held []layer2.Held, sessions []bgp.Status) bool {
	return len(held) > 0 || slices.ContainsFunc(sessions, func(s bgp.Status) bool { return s.IPv4+s.IPv6 > 0 })
}
