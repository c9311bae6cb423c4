package lb

import (
	"cmp"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/daymark-lb/daymark/api/v1beta1"
)

// Advertisement is what both kinds of advertisement have in common: which addresses are announced, and from which nodes.
type Advertisement struct {
	Name    string
	Created time.Time
	// Generation of the object that has this specification.
	Generation       int64
	Pools            []string
	PoolSelectors    Selectors
	ServiceSelectors Selectors
	NodeSelectors    Selectors
	// Err says what is wrong with the object; nil when nothing is. A selector that is wrong matches nothing, and the rest counts.
	Err error
	// ConnectionDraining is how long connections are passed on after a move; 0: they are not.
	ConnectionDraining time.Duration
}

// MaxConnectionDraining bounds ConnectionDraining.
const MaxConnectionDraining = 24 * time.Hour

// drainConnections sets for how long connections are passed on.
func (a *Advertisement) drainConnections(given metav1.Duration) {
	if given.Duration < 0 || given.Duration > MaxConnectionDraining {
		a.Err = errors.Join(a.Err, fmt.Errorf("connectionDraining: %s is not between 0s and 24h, so no connection is passed on", given.Duration))
		return
	}
	a.ConnectionDraining = given.Duration
}

func parseAdvertisement(meta metav1.ObjectMeta, spec *v1beta1.AdvertisementSelectors) Advertisement {
	a := Advertisement{Name: meta.Name, Created: meta.CreationTimestamp.Time, Generation: meta.Generation, Pools: spec.IPAddressPools}
	var errs [3]error
	a.PoolSelectors, errs[0] = parseSelectors("ipAddressPoolSelectors", spec.IPAddressPoolSelectors)
	a.ServiceSelectors, errs[1] = parseSelectors("serviceSelectors", spec.ServiceSelectors)
	a.NodeSelectors, errs[2] = parseSelectors("nodeSelectors", spec.NodeSelectors)
	a.Err = errors.Join(errs[:]...)
	return a
}

// Check returns the name, and what is wrong with the object; nil when nothing is.
func (a *Advertisement) Check() (name string, err error) { return a.Name, a.Err }

// MatchesPool reports whether the advertisement announces addresses of a pool.
func (a *Advertisement) MatchesPool(p *Pool) bool {
	if len(a.Pools) == 0 && len(a.PoolSelectors) == 0 {
		return true
	}
	return slices.Contains(a.Pools, p.Name) || a.PoolSelectors.MatchAny(p.Labels)
}

// CompareAge orders advertisements, the older first.
func (a *Advertisement) CompareAge(other *Advertisement) int {
	return cmp.Or(a.Created.Compare(other.Created), strings.Compare(a.Name, other.Name))
}

// L2Advertisement announces addresses by ARP and NDP.
type L2Advertisement struct {
	Advertisement
	Preferences []NodePreference
	// Interfaces are names or globs; empty for every suitable interface.
	Interfaces []string
	// Detection of conflicts; empty: Probe.
	Detection v1beta1.ConflictDetection
	// Preference of nodes where weights and loads are equal; empty: Endpoints.
	Preference v1beta1.NodePreference
	// Shared: several nodes answer for an address, each some of the clients.
	Shared bool
	// Accepted is what the controller last accepted; nil: nothing. It has none of its own.
	Accepted *L2Advertisement
}

// NodePreference adds a weight to the nodes that it matches.
type NodePreference struct {
	Weight int
	Nodes  Selectors
}

// ParseL2Advertisement parses an L2Advertisement.
func ParseL2Advertisement(from *v1beta1.L2Advertisement) *L2Advertisement {
	a := parseL2Advertisement(from.ObjectMeta, &from.Spec)
	if accepted := from.Status.Accepted; accepted != nil {
		a.Accepted = parseL2Advertisement(ofGeneration(from.ObjectMeta, accepted.Generation), &accepted.Spec)
	}
	return a
}

func parseL2Advertisement(meta metav1.ObjectMeta, spec *v1beta1.L2AdvertisementSpec) *L2Advertisement {
	a := &L2Advertisement{
		Advertisement: parseAdvertisement(meta, &spec.AdvertisementSelectors),
		Interfaces:    spec.Interfaces,
		Detection:     spec.ConflictDetection,
		Preference:    spec.NodePreference,
		Shared:        spec.Sharing == v1beta1.SharingPerClient,
	}
	a.drainConnections(spec.ConnectionDraining)
	if err := checkWord("conflictDetection", a.Detection, v1beta1.ConflictProbe, v1beta1.ConflictWarn, v1beta1.ConflictOff); err != nil {
		a.Err, a.Detection = errors.Join(a.Err, err), ""
	}
	if err := checkWord("nodePreference", a.Preference, v1beta1.PreferEndpoints, v1beta1.PreferNone); err != nil {
		a.Err, a.Preference = errors.Join(a.Err, err), ""
	}
	if err := checkWord("sharing", spec.Sharing, v1beta1.SharingNone, v1beta1.SharingPerClient); err != nil {
		a.Err = errors.Join(a.Err, err)
	}
	for i, preference := range spec.PreferredNodeSelectors {
		field := fmt.Sprintf("preferredNodeSelectors[%d].selector", i)
		selectors, err := parseSelectors(field, []v1beta1.LabelSelector{preference.Selector})
		a.Err = errors.Join(a.Err, err)
		a.Preferences = append(a.Preferences, NodePreference{int(preference.Weight), selectors})
	}
	for _, glob := range a.Interfaces {
		if _, err := path.Match(glob, ""); err != nil {
			a.Err = errors.Join(a.Err, fmt.Errorf("interfaces: %q is not a name or a glob: %w", glob, err))
		}
	}
	return a
}

// Weight returns the sum of the weights of the preferences that match a node.
func (a *L2Advertisement) Weight(n *Node) int {
	sum := 0
	for _, preference := range a.Preferences {
		if preference.Nodes.MatchAny(n.Labels) {
			sum += preference.Weight
		}
	}
	return sum
}

// MatchesInterface reports whether an interface matches. When the advertisement names none, every one matches.
func (a *L2Advertisement) MatchesInterface(name string) bool {
	return len(a.Interfaces) == 0 || slices.ContainsFunc(a.Interfaces, func(glob string) bool {
		matched, _ := path.Match(glob, name)
		return matched
	})
}

// BGPAdvertisement announces addresses to routers.
type BGPAdvertisement struct {
	Advertisement
	// Peers are the names of BGPPeers; empty for all.
	Peers []string
	// AggregationLength and AggregationLengthV6 are the lengths in bits of the announced prefixes.
	AggregationLength   int
	AggregationLengthV6 int
	// LocalPref and MED are nil when they are not set.
	LocalPref *uint32
	MED       *uint32
	// Prepend is how many more times our own AS number is put into the AS_PATH.
	Prepend int
	// WeightBy is what the nodes are weighed by; empty: they are not.
	WeightBy v1beta1.WeightBy
	// Communities are what the names stand for, sorted and each once, once Resolve has looked them up. Of several link bandwidths, of which
	// routers would take the least, the first that is written counts.
	Communities []Community
	// Contradicting are the link bandwidths that are written behind another one, in this order. They are not sent.
	Contradicting []Community
	// Unresolved names the communities that stand for nothing, each with what may be meant; nil: there are none. No route may go
	// out without what was asked for.
	Unresolved error
	// communities as they are written.
	communities []string
	// Accepted is what the controller last accepted; nil: nothing. It has none of its own.
	Accepted *BGPAdvertisement
}

// ParseBGPAdvertisement parses a BGPAdvertisement.
func ParseBGPAdvertisement(from *v1beta1.BGPAdvertisement) *BGPAdvertisement {
	a := parseBGPAdvertisement(from.ObjectMeta, &from.Spec)
	if accepted := from.Status.Accepted; accepted != nil {
		a.Accepted = parseBGPAdvertisement(ofGeneration(from.ObjectMeta, accepted.Generation), &accepted.Spec).Resolve(nil)
	}
	return a
}

// errNotResolved keeps an advertisement from going out without its communities before Resolve.
var errNotResolved = errors.New("its communities have not been looked up")

func parseBGPAdvertisement(meta metav1.ObjectMeta, spec *v1beta1.BGPAdvertisementSpec) *BGPAdvertisement {
	a := &BGPAdvertisement{
		Advertisement:       parseAdvertisement(meta, &spec.AdvertisementSelectors),
		Peers:               spec.Peers,
		AggregationLength:   valueOr(spec.AggregationLength, 32),
		AggregationLengthV6: valueOr(spec.AggregationLengthV6, 128),
		LocalPref:           optionalUint32(spec.LocalPref),
		MED:                 optionalUint32(spec.MED),
		Prepend:             int(spec.ASPathPrepend),
		WeightBy:            spec.WeightBy,
		communities:         spec.Communities,
	}
	a.drainConnections(spec.ConnectionDraining)
	if err := checkWord("weightBy", a.WeightBy, v1beta1.WeightByEndpoints, v1beta1.WeightByNodeAnnotation); err != nil {
		a.Err, a.WeightBy = errors.Join(a.Err, err), ""
	}
	if len(a.communities) > 0 {
		a.Unresolved = errNotResolved
	}
	return a
}

// Resolve returns the advertisement with the communities that its names stand for.
func (a *BGPAdvertisement) Resolve(aliases Aliases) *BGPAdvertisement {
	if len(a.communities) == 0 {
		return a
	}
	resolved := *a
	var errs []error
	resolved.Communities, resolved.Contradicting = nil, nil
	for _, text := range a.communities {
		value, err := aliases.resolve(text)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		if first, is := linkBandwidthAmong(resolved.Communities); is && value.IsLinkBandwidth() && value != first {
			resolved.Contradicting = append(resolved.Contradicting, value)
			continue
		}
		resolved.Communities = append(resolved.Communities, value)
	}
	slices.SortFunc(resolved.Communities, Community.Compare)
	resolved.Communities = slices.Compact(resolved.Communities)
	if resolved.Unresolved = errors.Join(errs...); len(errs) == 0 {
		resolved.communities = nil // so it stays, whatever becomes of the names
	}
	return &resolved
}

// LinkBandwidth among the communities.
func (a *BGPAdvertisement) LinkBandwidth() (community Community, is bool) {
	return linkBandwidthAmong(a.Communities)
}

// ContradictingText says in words which communities are not sent because of another one of the advertisement; "" if all are.
func (a *BGPAdvertisement) ContradictingText() string {
	first, is := a.LinkBandwidth()
	if !is || len(a.Contradicting) == 0 {
		return ""
	}
	return fmt.Sprintf("community %s is not used: %s is written before it, and a route has one link bandwidth", strings.Join(Strings(a.Contradicting), ", "), first)
}

// Check returns the name, and what is wrong with the object or its communities; nil when nothing is.
func (a *BGPAdvertisement) Check() (name string, err error) {
	return a.Name, errors.Join(a.Err, a.Unresolved)
}

// Length returns the length in bits of the announced prefixes of a family.
func (a *BGPAdvertisement) Length(family Family) int {
	if family == IPv6 {
		return a.AggregationLengthV6
	}
	return a.AggregationLength
}

// MatchesPeer reports whether the advertisement announces to a peer.
func (a *BGPAdvertisement) MatchesPeer(name string) bool {
	return len(a.Peers) == 0 || slices.Contains(a.Peers, name)
}

// valueOr returns a number that may be absent.
func valueOr(given *int32, absent int) int {
	if given == nil {
		return absent
	}
	return int(*given)
}

func optionalUint32(given *int64) *uint32 {
	if given == nil {
		return nil
	}
	value := uint32(*given) //nolint:gosec // the schema keeps it within 32 bits
	return &value
}
