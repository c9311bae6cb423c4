package lb

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

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
	// AllowNetworkAddresses: the pool gives network, broadcast and subnet-router anycast addresses of the nodes' subnets.
	AllowNetworkAddresses bool
	Drain                 bool
	ReuseDelay            time.Duration

	// Priority: the lowest number comes first, and 0 comes last.
	Priority           int32
	Namespaces         []string
	NamespaceSelectors Selectors
	ServiceSelectors   Selectors
	// MaxPerNamespace is how many addresses the Services of a namespace may hold; 0 for no limit.
	MaxPerNamespace int

	// Err says what is wrong with the object; nil when nothing is. Services keep what the pool gave, whatever is wrong.
	Err error
	// Partial: Err is only about lines of addresses, and about lines of exclude that name some addresses all the same. The
	// pool goes on giving what the other lines say. A pool with another error gives nothing.
	Partial bool
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

		AllowNetworkAddresses: spec.AllowNetworkAddresses,
		Drain:                 spec.Drain,
		ReuseDelay:            spec.ReuseDelay.Duration,
	}
	var errs [4]error
	p.Ranges, errs[0] = parseRanges("addresses", spec.Addresses)
	p.Exclude, errs[1] = parseRanges("exclude", spec.Exclude)
	doubtful, allNamed := doubtfulRanges(spec.Exclude)
	p.Exclude = Merge(append(p.Exclude, doubtful...)) // what may be excluded is not given
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
	p.Partial = p.Err != nil && cmp.Or(errs[2], errs[3]) == nil && allNamed && len(p.Ranges) > 0
	return p
}

// Closed reports whether the pool gives nothing because something is wrong with it.
func (p *Pool) Closed() bool { return p.Err != nil && !p.Partial }

// Check returns the name, and what is wrong with the object; nil when nothing is or what can be read of it counts.
func (p *Pool) Check() (name string, err error) {
	if !p.Closed() {
		return p.Name, nil
	}
	return p.Name, p.Err
}

// Keeps reports whether a Service keeps an address that the pool gave: the pool contains it, or cannot be read at the moment.
func (p *Pool) Keeps(addr netip.Addr) bool { return p.Err != nil || p.Contains(addr) }

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
	// Ranges that are kept. Of a line that cannot be parsed they have what it may mean.
	Ranges []Range
	// Service that the addresses are kept for; empty when Namespace and Selector are used.
	Service Key
	// Namespace and Selector of the Services that the addresses are kept for.
	Namespace string
	Selector  labels.Selector
	// Err says what is wrong with the object; nil when nothing is. Its addresses are kept all the same.
	Err error
}

// ParseReservation parses an IPReservation. When its selector cannot be parsed, the addresses are kept from everybody.
func ParseReservation(from *v1beta1.IPReservation) *Reservation {
	spec := &from.Spec
	r := &Reservation{Name: from.Name, Created: from.CreationTimestamp.Time, Namespace: spec.Namespace}
	ranges, err := parseRanges("addresses", spec.Addresses)
	doubtful, _ := doubtfulRanges(spec.Addresses)
	r.Ranges = Merge(append(ranges, doubtful...))
	if spec.ServiceRef != nil {
		r.Service = Key{spec.ServiceRef.Namespace, spec.ServiceRef.Name}
	}
	if spec.Selector != nil {
		selectors, selectorErr := parseSelectors("selector", []v1beta1.LabelSelector{*spec.Selector})
		err = errors.Join(err, selectorErr)
		r.Selector = selectors[0]
	}
	r.Err = err
	return r
}

// For reports whether the addresses are kept for a Service.
func (r *Reservation) For(s *Service) bool {
	if r.Service != (Key{}) {
		return r.Service == s.Key
	}
	return r.Namespace == s.Key.Namespace && r.Selector != nil && r.Selector.Matches(s.Labels)
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

// doubtfulRanges returns what lines that cannot be parsed may mean: all from the lowest to the highest address that a line
// names. It also reports whether each such line names an address.
func doubtfulRanges(from []v1beta1.AddressRange) (ranges []Range, allNamed bool) {
	allNamed = true
	for _, text := range from {
		if _, err := ParseRange(string(text)); err == nil {
			continue
		}
		named := namedRanges(string(text))
		allNamed = allNamed && len(named) > 0
		ranges = append(ranges, named...)
	}
	return ranges, allNamed
}

// namedRanges returns, for each family, the range from the lowest to the highest address in a line.
func namedRanges(line string) []Range {
	var named []Range
	for text := range strings.FieldsFuncSeq(line, func(r rune) bool { return strings.ContainsRune("-/,; ", r) }) {
		addr, err := ParseAddr(text)
		if err != nil {
			continue
		}
		i := slices.IndexFunc(named, func(r Range) bool { return r.From.Is4() == addr.Is4() })
		switch {
		case i < 0:
			named = append(named, Range{addr, addr})
		case addr.Less(named[i].From):
			named[i].From = addr
		case named[i].To.Less(addr):
			named[i].To = addr
		}
	}
	return named
}
