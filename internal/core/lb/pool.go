package lb

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/daymark-lb/daymark/api/v1beta1"
)

// Pool is a set of addresses, and which Services may have one.
type Pool struct {
	Name    string
	Created time.Time
	Labels  map[string]string

	// Ranges of the pool, merged. They include the excluded addresses.
	Ranges []Range
	// Exclude are the excluded ranges, merged.
	Exclude       []Range
	AutoAssign    bool
	AvoidBuggyIPs bool
	Drain         bool
	ReuseDelay    time.Duration

	// Priority: the lowest number comes first, and 0 comes last.
	Priority           int32
	Namespaces         []string
	NamespaceSelectors Selectors
	ServiceSelectors   Selectors
	// MaxPerNamespace is how many addresses the Services of a namespace may hold; 0 for no limit.
	MaxPerNamespace int

	// Err says what is wrong with the object; nil when nothing is. A pool with an error gives nothing, and Services keep what
	// it gave.
	Err error
}

// ParsePool parses an IPAddressPool. What cannot be parsed is in Err, and everything else in its field.
func ParsePool(from *v1beta1.IPAddressPool) *Pool {
	spec := &from.Spec
	p := &Pool{
		Name:          from.Name,
		Created:       from.CreationTimestamp.Time,
		Labels:        from.Labels,
		AutoAssign:    spec.AutoAssign == nil || *spec.AutoAssign,
		AvoidBuggyIPs: spec.AvoidBuggyIPs,
		Drain:         spec.Drain,
		ReuseDelay:    spec.ReuseDelay.Duration,
	}
	var errs [4]error
	p.Ranges, errs[0] = parseRanges("addresses", spec.Addresses)
	p.Exclude, errs[1] = parseRanges("exclude", spec.Exclude)
	if allocation := spec.ServiceAllocation; allocation != nil {
		p.Priority = allocation.Priority
		p.Namespaces = allocation.Namespaces
		p.NamespaceSelectors, errs[2] = parseSelectors("serviceAllocation.namespaceSelectors", allocation.NamespaceSelectors)
		p.ServiceSelectors, errs[3] = parseSelectors("serviceAllocation.serviceSelectors", allocation.ServiceSelectors)
		if allocation.MaxPerNamespace != nil {
			p.MaxPerNamespace = int(*allocation.MaxPerNamespace)
		}
	}
	p.Err = errors.Join(errs[:]...)
	return p
}

// Check returns the name, and what is wrong with the object; nil when nothing is.
func (p *Pool) Check() (name string, err error) { return p.Name, p.Err }

// Contains reports whether an address is in the ranges of the pool and not excluded.
func (p *Pool) Contains(addr netip.Addr) bool {
	return Containing(p.Ranges, addr) >= 0 && Containing(p.Exclude, addr) < 0
}

// ServesNamespace reports whether Services of a namespace, whose labels are given, may have addresses of the pool.
func (p *Pool) ServesNamespace(namespace string, labels map[string]string) bool {
	if len(p.Namespaces) == 0 && len(p.NamespaceSelectors) == 0 {
		return true
	}
	return slices.Contains(p.Namespaces, namespace) || p.NamespaceSelectors.MatchAny(labels)
}

// ComparePoolAge orders pools, the older first. An address in two pools belongs to the older.
func ComparePoolAge(a, b *Pool) int {
	return cmp.Or(a.Created.Compare(b.Created), strings.Compare(a.Name, b.Name))
}

// Reservation keeps addresses for Services.
type Reservation struct {
	Name    string
	Created time.Time
	Ranges  []Range
	// Service that the addresses are kept for; empty when Namespace and Selector are used.
	Service Key
	// Namespace and Selector of the Services that the addresses are kept for.
	Namespace string
	Selector  labels.Selector
	// Err says what is wrong with the object; nil when nothing is. A reservation with an error keeps nothing.
	Err error
}

// ParseReservation parses an IPReservation.
func ParseReservation(from *v1beta1.IPReservation) *Reservation {
	spec := &from.Spec
	r := &Reservation{Name: from.Name, Created: from.CreationTimestamp.Time, Namespace: spec.Namespace}
	ranges, err := parseRanges("addresses", spec.Addresses)
	r.Ranges = ranges
	if spec.ServiceRef != nil {
		r.Service = Key{spec.ServiceRef.Namespace, spec.ServiceRef.Name}
	}
	if spec.Selector != nil {
		selectors, selectorErr := parseSelectors("selector", []metav1.LabelSelector{*spec.Selector})
		err = errors.Join(err, selectorErr)
		if selectorErr == nil {
			r.Selector = selectors[0]
		}
	}
	r.Err = err
	return r
}

// For reports whether the addresses are kept for a Service.
func (r *Reservation) For(s *Service) bool {
	if r.Service != (Key{}) {
		return r.Service == s.Key
	}
	return r.Namespace == s.Key.Namespace && r.Selector != nil && r.Selector.Matches(labels.Set(s.Labels))
}

// parseRanges parses a list of ranges. The error names the field. The ranges that can be parsed are returned with the error.
func parseRanges(field string, from []v1beta1.AddressRange) ([]Range, error) {
	var ranges []Range
	var errs []error
	for _, text := range from {
		r, err := ParseRange(string(text))
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", field, err))
			continue
		}
		ranges = append(ranges, r)
	}
	return Merge(ranges), errors.Join(errs...)
}
