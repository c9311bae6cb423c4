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
	Name             string
	Created          time.Time
	Pools            []string
	PoolSelectors    Selectors
	ServiceSelectors Selectors
	NodeSelectors    Selectors
	// Err says what is wrong with the object; nil when nothing is. A selector that is wrong matches nothing, and the rest counts.
	Err error
}

func parseAdvertisement(meta metav1.ObjectMeta, spec *v1beta1.AdvertisementSelectors) Advertisement {
	a := Advertisement{Name: meta.Name, Created: meta.CreationTimestamp.Time, Pools: spec.IPAddressPools}
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
}

// NodePreference adds a weight to the nodes that it matches.
type NodePreference struct {
	Weight int
	Nodes  Selectors
}

// ParseL2Advertisement parses an L2Advertisement.
func ParseL2Advertisement(from *v1beta1.L2Advertisement) *L2Advertisement {
	a := &L2Advertisement{
		Advertisement: parseAdvertisement(from.ObjectMeta, &from.Spec.AdvertisementSelectors),
		Interfaces:    from.Spec.Interfaces,
		Detection:     from.Spec.ConflictDetection,
	}
	for i, preference := range from.Spec.PreferredNodeSelectors {
		field := fmt.Sprintf("preferredNodeSelectors[%d].selector", i)
		selectors, err := parseSelectors(field, []metav1.LabelSelector{preference.Selector})
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
	// Communities as they are written. Aliases.Resolve returns their values.
	Communities []string
}

// ParseBGPAdvertisement parses a BGPAdvertisement.
func ParseBGPAdvertisement(from *v1beta1.BGPAdvertisement) *BGPAdvertisement {
	spec := &from.Spec
	return &BGPAdvertisement{
		Advertisement:       parseAdvertisement(from.ObjectMeta, &spec.AdvertisementSelectors),
		Peers:               spec.Peers,
		AggregationLength:   valueOr(spec.AggregationLength, 32),
		AggregationLengthV6: valueOr(spec.AggregationLengthV6, 128),
		LocalPref:           optionalUint32(spec.LocalPref),
		MED:                 optionalUint32(spec.MED),
		Prepend:             int(spec.ASPathPrepend),
		Communities:         spec.Communities,
	}
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
