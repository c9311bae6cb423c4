package forecast

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/daymark-lb/daymark/internal/core/announce"
	"github.com/daymark-lb/daymark/internal/core/lb"
)

// Kind of an effect.
type Kind string

// The effects, the worst first.
const (
	// Lost: the Service has the address no more, and no other in its place. Renumbered: it has another.
	Lost       Kind = "Lost"
	Renumbered Kind = "Renumbered"
	// Unreachable: nobody announces the address, since the Service has no endpoints that serve. Withdrawn: nobody does for another reason.
	Unreachable Kind = "Unreachable"
	Withdrawn   Kind = "Withdrawn"
	// Moves: another node holds the address by layer 2.
	Moves Kind = "Moves"
	// Given: the Service has an address that it had not. Announced: an address is announced that was not.
	Given     Kind = "Given"
	Announced Kind = "Announced"
	// Routes: other nodes announce the address by BGP. Attributes: the same nodes do, in another way.
	Routes     Kind = "Routes"
	Attributes Kind = "Attributes"
	// Health: the health check of the Service succeeds on other nodes.
	Health Kind = "Health"
)

var order = []Kind{Lost, Renumbered, Unreachable, Withdrawn, Moves, Given, Announced, Routes, Attributes, Health}

// Kinds of effects, the worst first.
func Kinds() []Kind { return slices.Clone(order) }

// Bad reports whether clients notice the effect for longer than a fail-over takes.
func (k Kind) Bad() bool { return slices.Index(order, k) <= slices.Index(order, Withdrawn) }

// Effect of a change on a Service.
type Effect struct {
	Effect  Kind   `json:"effect"`
	Address string `json:"address,omitempty"`
	// From and To are nodes, and of an address that is renumbered, addresses; of attributes they are attributes.
	From []string `json:"from,omitempty"`
	To   []string `json:"to,omitempty"`
	// Stay is how many nodes announce the address before and after.
	Stay int `json:"stay,omitempty"`
	// Shares of the clients, of shares.Count, that From answers no more and To does, if the address is shared; 0: all clients.
	Shares int `json:"shares,omitempty"`
	// Later: not at once, but when the spread is evened out.
	Later bool `json:"later,omitempty"`
	// Uncertain: it may be another node, since one is cut off from the gossip. The message says which.
	Uncertain bool `json:"uncertain,omitempty"`
	// AfterSeconds is how long after the change the controller takes the address away; 0: at once.
	AfterSeconds int64  `json:"afterSeconds,omitempty"`
	Message      string `json:"message,omitempty"`
}

// equal reports whether two effects say the same.
func (e Effect) equal(o Effect) bool {
	return e.Effect == o.Effect && e.Address == o.Address && slices.Equal(e.From, o.From) &&
		slices.Equal(e.To, o.To) && e.Stay == o.Stay && e.Shares == o.Shares && e.Later == o.Later && e.Uncertain == o.Uncertain && e.AfterSeconds == o.AfterSeconds && e.Message == o.Message
}

// Change is all effects on a Service, the worst first.
type Change struct {
	Namespace string   `json:"namespace"`
	Name      string   `json:"name"`
	Effects   []Effect `json:"effects"`
}

// Compare two outcomes. It returns the Services that the change has an effect on, in order, and how many others there are of those
// that Daymark serves.
func Compare(before, after *Outcome) (changes []Change, unchanged int) {
	keys := map[lb.Key]bool{}
	for _, o := range []*Outcome{before, after} {
		for _, s := range o.objects.Services {
			if o.settings.Classes.Ours(s) {
				keys[s.Key] = true
			}
		}
	}
	c := comparison{before, after, before.byKey(), after.byKey(), PeersWithoutSession(before, after), formerNames(before, after)}
	for _, key := range slices.SortedFunc(maps.Keys(keys), lb.Key.Compare) {
		if effects := c.service(key); len(effects) > 0 {
			changes = append(changes, Change{key.Namespace, key.Name, effects})
		} else {
			unchanged++
		}
	}
	return changes, unchanged
}

type comparison struct {
	before, after *Outcome
	was, is       map[lb.Key]*lb.Service
	// without a session: peers that all their nodes have left.
	without []string
	// former names of the peers that have the sessions of others now.
	former map[nodePeer]string
}

func (o *Outcome) byKey() map[lb.Key]*lb.Service {
	services := make(map[lb.Key]*lb.Service, len(o.objects.Services))
	for _, s := range o.objects.Services {
		services[s.Key] = s
	}
	return services
}

func (c *comparison) service(key lb.Key) (effects []Effect) {
	was, is := c.was[key], c.is[key]
	lost, given, kept := differences(shown(was), shown(is))
	for _, addr := range lost {
		effects = append(effects, c.lost(key, addr, &given))
	}
	for _, addr := range given {
		effects = append(effects, Effect{Effect: Given, Address: addr.String(), Message: c.after.byWhom(is, addr)})
	}
	for _, addr := range kept {
		effects = append(effects, c.address(was, is, addr)...)
	}
	if healthy, then := c.before.healthy(key), c.after.healthy(key); !slices.Equal(healthy, then) {
		effects = append(effects, nodesEffect(Health, "", healthy, then))
	}
	slices.SortStableFunc(effects, func(a, b Effect) int {
		return cmp.Compare(slices.Index(order, a.Effect), slices.Index(order, b.Effect))
	})
	// An address that is announced by both protocols has the same effect by both.
	return slices.CompactFunc(effects, Effect.equal)
}

// shown are the addresses of a Service. One that is no load balancer has none: the API server empties its status.
func shown(s *lb.Service) []netip.Addr {
	if s == nil || !s.LoadBalancer {
		return nil
	}
	return s.Ingress
}

func differences(was, is []netip.Addr) (lost, given, kept []netip.Addr) {
	for _, addr := range was {
		if slices.Contains(is, addr) {
			kept = append(kept, addr)
		} else {
			lost = append(lost, addr)
		}
	}
	for _, addr := range is {
		if !slices.Contains(was, addr) {
			given = append(given, addr)
		}
	}
	return lost, given, kept
}

// lost is the effect of an address that a Service has no more. Another of its family that it is given takes its place.
func (c *comparison) lost(key lb.Key, addr netip.Addr, given *[]netip.Addr) Effect {
	is := c.is[key]
	e := Effect{Effect: Lost, Address: addr.String()}
	switch why, known := c.after.releases[key][addr]; {
	case is == nil:
		e.Message = "the Service is deleted"
	case !is.LoadBalancer:
		e.Message = "the Service is no load balancer any more"
	case !c.after.settings.Classes.Ours(is):
		e.Message = "another provider is to serve the Service"
	case known:
		e.Message, e.AfterSeconds = why.why, int64((why.after+time.Second-1)/time.Second)
	}
	sameFamily := func(other netip.Addr) bool { return lb.FamilyOf(other) == lb.FamilyOf(addr) }
	if i := slices.IndexFunc(*given, sameFamily); i >= 0 {
		next := (*given)[i]
		*given = slices.Delete(*given, i, i+1)
		e.Effect, e.From, e.To = Renumbered, []string{addr.String()}, []string{next.String()}
		e.Message = strings.TrimSuffix(c.after.byWhom(is, next)+"; "+e.Message, "; ")
	}
	return e
}

// address says what becomes of an address that stays.
func (c *comparison) address(was, is *lb.Service, addr netip.Addr) (effects []Effect) {
	before, after := c.before.explainer.Answer(was, addr, nil), c.after.explainer.Answer(is, addr, nil)
	effects = append(c.held(addr), c.routed(&before, &after)...)
	effects = append(effects, c.heldByNobody(&before, &after)...)
	isWithdrawn := func(e Effect) bool { return e.Effect == Withdrawn }
	if before.Against.Name == "" && unserved(&after) && !slices.ContainsFunc(effects, isWithdrawn) {
		// It is announced for another Service that has it, too.
		effects = append(effects, Effect{Effect: Withdrawn, Address: addr.String(), From: one(c.before.holders[addr].atOnce)})
	}
	for i := range effects {
		if isWithdrawn(effects[i]) {
			effects[i].Message = cmp.Or(effects[i].Message, c.after.explainer.Explain(is).Message)
			if unserved(&after) {
				effects[i].Effect = Unreachable
			}
		}
	}
	return effects
}

// unserved reports whether an address is not announced for a Service because none of its endpoints serves.
func unserved(answers *announce.Answers) bool {
	return answers.Against.Name == announce.ReasonNoEndpoint.Name || answers.Against.Name == announce.ReasonNoNodeName.Name
}

func one(name string) []string {
	if name == "" {
		return nil
	}
	return []string{name}
}

// routed says what becomes of an address by BGP. A peer that nobody tells of it any more has lost it, though others have it still; it
// is a fault unless no node is left that has a session with it.
func (c *comparison) routed(before, after *announce.Answers) (effects []Effect) {
	all, left := c.before.routes(before), c.formerly(c.after.routes(after))
	if slices.Equal(all, left) {
		return nil
	}
	was, is := nodesOf(all), nodesOf(left)
	e := nodesEffect(Routes, before.Addr.String(), was, is)
	switch {
	case len(was) > 0 && len(is) == 0:
		e.Effect = Withdrawn
		return []Effect{e}
	case len(was) == 0 && len(is) > 0:
		e.Effect = Announced
		return []Effect{e}
	case len(e.From)+len(e.To) > 0:
		effects = append(effects, e)
	default:
		effects = append(effects, Effect{Effect: Attributes, Address: e.Address, From: values(byNode(all)), To: values(byNode(left)), Stay: len(is)})
	}
	told, still := byPeer(all), byPeer(left)
	for _, peer := range slices.Sorted(maps.Keys(told)) {
		if len(still[peer]) == 0 && !slices.Contains(c.without, peer) {
			effects = append(effects, Effect{Effect: Withdrawn, Address: e.Address, From: told[peer], Message: "to " + peer})
		}
	}
	return effects
}

// formerly are routes as they would be called if sessions had kept their names, in order.
func (c *comparison) formerly(routes []route) []route {
	if len(c.former) == 0 {
		return routes
	}
	for i := range routes {
		if name, renamed := c.former[nodePeer{routes[i].node, routes[i].peer}]; renamed {
			routes[i].peer = name
		}
	}
	// Peers, too, are in order of their names.
	slices.SortStableFunc(routes, func(a, b route) int { return cmp.Or(strings.Compare(a.node, b.node), strings.Compare(a.peer, b.peer)) })
	return routes
}

// heldByNobody says that an address whose holder no report names can be held by no node any more.
func (c *comparison) heldByNobody(before, after *announce.Answers) []Effect {
	if !c.after.unknown[after.Addr] || !holdable(before) || holdable(after) {
		return nil
	}
	return []Effect{{Effect: Withdrawn, Address: after.Addr.String()}}
}

// holdable reports whether some node may hold an address by layer 2.
func holdable(answers *announce.Answers) bool {
	return answers.Against.Name == "" && slices.ContainsFunc(answers.Nodes, func(n announce.NodeAnswer) bool {
		return n.ByLayer2 && n.Layer2 == announce.Eligible
	})
}

// nodesEffect has the nodes that are in one list alone; both are sorted.
func nodesEffect(kind Kind, address string, was, is []string) Effect {
	e := Effect{Effect: kind, Address: address}
	for _, name := range was {
		if _, stays := slices.BinarySearch(is, name); stays {
			e.Stay++
		} else {
			e.From = append(e.From, name)
		}
	}
	for _, name := range is {
		if _, was := slices.BinarySearch(was, name); !was {
			e.To = append(e.To, name)
		}
	}
	return e
}

// values of a map, each once, sorted.
func values(of map[string]string) []string {
	return slices.Compact(slices.Sorted(maps.Values(of)))
}

// byWhom says who will announce an address.
func (o *Outcome) byWhom(s *lb.Service, addr netip.Addr) string {
	answers := o.explainer.Answer(s, addr, nil)
	var texts []string
	if holder := o.holders[addr].atOnce; holder != "" {
		text := "held by " + holder
		if servers := o.holders[addr].table.Servers(); len(servers) > 0 {
			text = "shared by " + strings.Join(servers, ", ")
		}
		if doubt, _ := o.doubt(addr, false); doubt != "" {
			text += " (" + doubt + ")"
		}
		texts = append(texts, text)
	}
	if nodes := nodesOf(o.routes(&answers)); len(nodes) > 0 {
		texts = append(texts, fmt.Sprintf("announced by BGP by %d nodes", len(nodes)))
	}
	if len(texts) == 0 {
		return "not announced: " + o.explainer.Explain(s).Message
	}
	return strings.Join(texts, ", ")
}
