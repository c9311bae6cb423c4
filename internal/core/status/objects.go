package status

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/core/announce"
	"github.com/daymark-lb/daymark/internal/core/cluster"
	"github.com/daymark-lb/daymark/internal/core/ipam"
	"github.com/daymark-lb/daymark/internal/core/lb"
	"github.com/daymark-lb/daymark/internal/core/reason"
)

func notReady(why reason.Reason, message string) Condition {
	return Condition{Type: v1beta1.ConditionReady, Reason: why, Message: message}
}

// valid is Ready for an object with an error, which has a line for each problem; nil when the object is understood.
func valid(err error) Condition {
	if err != nil {
		return notReady(Invalid, strings.ReplaceAll(err.Error(), "\n", "; "))
	}
	return Condition{Type: v1beta1.ConditionReady, True: true, Reason: Valid}
}

// understood is Ready for an object with an error, which goes on as the controller last accepted it; if it never did, otherwise says
// what becomes of it.
func understood[V lb.Remembered[V]](value V, err error, otherwise string) Condition {
	ready := valid(err)
	if err == nil {
		return ready
	}
	var none V
	if before := lb.InForce(value, none); before != value {
		otherwise = fmt.Sprintf("what it said in generation %d counts until then", before.Version())
	}
	ready.Message += "; " + otherwise
	return ready
}

// found is Ready for an object that refers to others, given a text for each of those that do not exist.
func found(missing []string) Condition {
	if len(missing) > 0 {
		return notReady(NotFound, strings.Join(missing, "; "))
	}
	return valid(nil)
}

// References are the objects of a cluster that others may refer to.
type References struct {
	objects  *cluster.Objects
	profiles map[string]bool
	aliases  lb.Aliases
	// known is what advertisements may name.
	known *lb.Known
	// links that the speakers report, by node.
	links map[string][]lb.Link
	// nodes and whether each counts, in order of name.
	nodes []nodeStanding
	// communities are the errors of the Community objects, by name.
	communities map[string]error
}

// NewReferences returns the references of a cluster, and when a condition changes by the time alone; zero for never.
func NewReferences(o *cluster.Objects, now time.Time) (r *References, next time.Time) {
	r = &References{objects: o, profiles: make(map[string]bool, len(o.BFDProfiles))}
	for _, profile := range o.BFDProfiles {
		r.profiles[profile.Name] = true
	}
	r.links = o.ReportedLinks()
	r.known = lb.NewKnown(o.Pools, o.Peers, o.Nodes, r.links, true)
	r.aliases, r.communities = lb.NewAliases(o.Communities)
	r.nodes, next = standings(o.Nodes, o.Speakers, now)
	return r, next
}

// missingPools has a text for each of some names that no pool has.
func (r *References) missingPools(names []string) []string {
	return missing("pool", names, r.known.Pool, func() (all []string) {
		for _, pool := range r.objects.Pools.ByAge() {
			all = append(all, pool.Name)
		}
		return all
	})
}

// missingPeers has a text for each of some names that no peer has.
func (r *References) missingPeers(names []string) []string {
	return missing("peer", names, r.known.Peer, func() (all []string) {
		for _, peer := range r.objects.Peers {
			all = append(all, peer.Name)
		}
		return all
	})
}

// missing has a text for each of some names of a kind that do not exist, with the one of all that may be meant.
func missing(kind string, names []string, exists func(string) bool, all func() []string) []string {
	var texts []string
	for _, name := range names {
		if exists(name) {
			continue
		}
		text := kind + " " + name + " does not exist"
		if nearest := lb.Nearest(name, all()); nearest != "" {
			text += ": did you mean " + nearest + "?"
		}
		texts = append(texts, text)
	}
	return texts
}

// andKept adds to a condition what an advertisement listed before and counts until all that it lists is known; before is nil if there is none.
func andKept(ready Condition, lists *lb.Lists, before *lb.Advertisement, names []string) Condition {
	var kept []string
	switch {
	case !lists.KeptPools:
	case len(lists.Pools) == 0 && len(lists.PoolSelectors) == 0:
		kept = append(kept, "all pools")
	default:
		if len(before.Pools) > 0 {
			kept = append(kept, "pools "+strings.Join(before.Pools, ", "))
		}
		for _, selector := range before.PoolSelectors {
			kept = append(kept, "pools with "+selector.String())
		}
	}
	for _, list := range []struct {
		kept  bool
		kind  string
		names []string
	}{{lists.KeptPeers, "peers", names}, {lists.KeptInterfaces, "interfaces", names}} {
		switch {
		case !list.kept:
		case len(list.names) == 0:
			kept = append(kept, "all "+list.kind)
		default:
			kept = append(kept, list.kind+" "+strings.Join(list.names, ", "))
		}
	}
	if len(kept) > 0 {
		ready.Message = joined(ready.Message, "what was listed before counts until then, too: "+strings.Join(kept, "; "))
	}
	return ready
}

// L2Advertisement is the condition Ready of an L2Advertisement.
func (r *References) L2Advertisement(a *lb.L2Advertisement) Condition {
	ready := firstProblem(understood(a, a.Err, "the rest of it counts"), found(r.missingPools(a.Pools)), r.anyNode(r.selectedBy(a.NodeSelectors)))
	switch missing, all := announce.MissingInterfaces(a, r.known); {
	case ready.True && all:
		ready = notReady(NoInterface, missing)
	case ready.True:
		ready.Message = joined(ready.Message, missing)
	}
	if lists := a.Lists(r.known); a.Err == nil && a.Accepted != nil {
		return andKept(ready, &lists, &a.Accepted.Advertisement, a.Accepted.Interfaces)
	}
	return ready
}

// BGPAdvertisement is the condition Ready of a BGPAdvertisement. Overridden names the attributes that an older one
// overrides, empty for none (announce.Explainer), as its own communities may override others: it is in use all the same, and nobody is to
// wait for anything.
func (r *References) BGPAdvertisement(a *lb.BGPAdvertisement, overridden string) Condition {
	resolved := a.Resolve(r.aliases)
	texts := append(r.missingPools(a.Pools), r.missingPeers(a.Peers)...)
	ready := firstProblem(r.communitiesOf(resolved), understood(a, a.Err, "the rest of it counts"), found(texts), r.anyNode(r.selectedBy(lb.InForce(resolved, nil).NodeSelectors)))
	if wider := saidOfWider(r.wider(resolved)); ready.True && wider != "" {
		ready.Reason, ready.Message = WiderThanPools, wider
	}
	if overridden = joined(resolved.ContradictingText(), overridden); ready.True && overridden != "" {
		ready.Reason, ready.Message = Overridden, joined(overridden, ready.Message)
	}
	if lists := resolved.Lists(r.known); resolved.Accepted != nil && a.Err == nil && resolved.Unresolved == nil {
		return andKept(ready, &lists, &resolved.Accepted.Advertisement, resolved.Accepted.Peers)
	}
	return ready
}

// communitiesOf is Ready by the communities of an advertisement.
func (r *References) communitiesOf(a *lb.BGPAdvertisement) Condition {
	ready := understood(a, errors.Join(a.Unresolved, a.Err), "its routes are held back, and with them new ones of the same prefixes")
	switch {
	case a.Unresolved != nil && lb.InForce(a, nil) == a:
		ready.Reason = HeldBack
	case a.Unresolved != nil && a.Err == nil:
		ready.Reason = NotFound // the Community object may come
	}
	return ready
}

// Community is the condition Ready of the Community of a name.
func (r *References) Community(name string) Condition { return valid(r.communities[name]) }

// CommunityNames are the names of a Community that count, sorted.
func (r *References) CommunityNames(name string) []string { return r.aliases.Of(name) }

// BFDProfile is the condition Ready of a BFDProfile: the schema lets no other in.
func BFDProfile() Condition { return valid(nil) }

// Reservation is the condition Ready of an IPReservation.
func Reservation(use *ipam.ReservationUse) Condition {
	var conflicts []string
	for _, taken := range use.Taken {
		conflicts = append(conflicts, fmt.Sprintf("Service %s has %s and keeps it", taken.Holder, taken.Addr))
	}
	for _, older := range use.Overlaps {
		conflicts = append(conflicts, fmt.Sprintf("IPReservation %s is older and keeps some of the addresses", older))
	}
	switch {
	case use.Reservation.Err != nil:
		return valid(use.Reservation.Err)
	case len(conflicts) > 0:
		return notReady(Conflict, strings.Join(conflicts, "; "))
	case use.OutsidePools != (lb.Range{}):
		return notReady(NoPool, fmt.Sprintf("no pool contains %s", use.OutsidePools))
	default:
		return valid(nil)
	}
}
