package lb

import (
	"cmp"
	"fmt"
	"math"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/daymark-lb/daymark/api/v1beta1"
)

// Port is one port of a Service.
type Port struct {
	Protocol corev1.Protocol
	Number   uint16
}

// String returns the port in the form 80/TCP.
func (p Port) String() string { return fmt.Sprintf("%d/%s", p.Number, p.Protocol) }

// FamilyPolicy is spec.ipFamilyPolicy.
type FamilyPolicy uint8

// The family policies of Kubernetes.
const (
	SingleStack FamilyPolicy = iota
	PreferDualStack
	RequireDualStack
)

// Distribution is spec.trafficDistribution: which endpoints a service proxy prefers.
type Distribution uint8

// The distributions that Daymark knows. PreferClose is an older name of PreferSameZone.
const (
	Anywhere Distribution = iota
	SameZone
	SameNode
)

// Service is what Daymark reads from a Service of any type.
type Service struct {
	Key     Key
	Created time.Time
	Labels  Labels

	// Class is spec.loadBalancerClass; empty when there is none.
	Class string
	// Provider that the Service is to be served by; empty when it does not say.
	Provider string
	// LoadBalancer: spec.type is LoadBalancer and the Service is not being deleted.
	LoadBalancer bool
	Policy       FamilyPolicy
	// IPv6First: the first family in spec.ipFamilies is IPv6.
	IPv6First bool
	// Local: spec.externalTrafficPolicy is Local.
	Local bool
	// Affinity: spec.sessionAffinity is ClientIP.
	Affinity bool
	// Distribution is spec.trafficDistribution.
	Distribution Distribution
	// PublishNotReady: endpoints that are not ready count as ready.
	PublishNotReady bool
	// HealthCheckNodePort is spec.healthCheckNodePort; 0 when there is none.
	HealthCheckNodePort uint16
	// Proxy: the addresses are to have the ipMode Proxy, and not VIP.
	Proxy bool
	// Finalizer: the Service has the finalizer v1beta1.FinalizerCleanup.
	Finalizer bool
	// Managed: a controller of Daymark has written its conditions into the status.
	Managed bool
	// Disputed: the conditions say that another host uses an address, which is not announced for that reason.
	Disputed bool

	// SharingKey is the value of the annotation allow-shared-ip; empty when the Service does not share.
	SharingKey string
	// Request is never nil in a Service that was parsed. A pointer, since a speaker keeps all Services without it.
	*Request

	// Ingress are the addresses in status.loadBalancer, in their order.
	Ingress []netip.Addr
	// Provenance says which of them Daymark gave. The others are foreign.
	Provenance Provenance
	// Version of the Service, as ParseVersion has it; 0 without the finalizer, since nothing needs it then.
	Version uint64
}

// Request is what a Service requests, and what the controller checks of it. Nothing that is announced follows from that.
type Request struct {
	UID types.UID
	// Families in the order of spec.ipFamilies. The list is shared by many Services and must not be changed.
	Families []Family
	Ports    []Port
	// Requested addresses, in the given order; nil when RequestError is not nil.
	Requested []netip.Addr
	// RequestedPools in order of preference.
	RequestedPools []string
	// LastAddresses are the addresses that the Service says it had last: a wish when it has none.
	LastAddresses []netip.Addr
	// SharedNamespaces are the other namespaces whose Services may share an address that this one had first; * for all.
	SharedNamespaces []string
	// RequestError says what is wrong with the Service's request; nil when nothing is.
	RequestError error
	// ExternalIPs are the addresses in spec.externalIPs.
	ExternalIPs []netip.Addr
}

// noRequest is that of all Services without one. It must not be changed.
var noRequest Request

// WithoutRequest returns the Service as if it requested nothing.
func (s *Service) WithoutRequest() *Service {
	kept := *s
	kept.Request = &noRequest
	return &kept
}

// ParseService parses a Service. RequestError says what is wrong with its request; the API server has checked everything
// else.
func ParseService(from *corev1.Service) *Service {
	s := &Service{
		Key:                 Key{from.Namespace, from.Name},
		Request:             &Request{UID: from.UID},
		Created:             from.CreationTimestamp.Time,
		Labels:              NewLabels(BoundLabels(from.Labels)),
		LoadBalancer:        from.Spec.Type == corev1.ServiceTypeLoadBalancer && from.DeletionTimestamp.IsZero(),
		Local:               from.Spec.ExternalTrafficPolicy == corev1.ServiceExternalTrafficPolicyLocal,
		Affinity:            from.Spec.SessionAffinity == corev1.ServiceAffinityClientIP,
		Distribution:        distribution(from.Spec.TrafficDistribution),
		HealthCheckNodePort: uint16(from.Spec.HealthCheckNodePort), //nolint:gosec // the API server keeps ports within 16 bits
		PublishNotReady:     from.Spec.PublishNotReadyAddresses,
		Provider:            Provider(from),
		Proxy:               from.Annotations[v1beta1.AnnotationIPMode] == string(corev1.LoadBalancerIPModeProxy),
	}
	if s.Finalizer = slices.Contains(from.Finalizers, v1beta1.FinalizerCleanup); s.Finalizer {
		s.Version = ParseVersion(from.ResourceVersion)
	}
	s.ReadConditions(from.Status.Conditions)
	if from.Spec.LoadBalancerClass != nil {
		s.Class = *from.Spec.LoadBalancerClass
	}
	s.Families, s.Policy = families(from)
	s.IPv6First = s.Families[0] == IPv6
	for _, port := range from.Spec.Ports[:min(len(from.Spec.Ports), MaxSharedPorts)] {
		number := uint16(port.Port) //nolint:gosec // the API server keeps ports within 16 bits
		s.Ports = append(s.Ports, Port{port.Protocol, number})
	}
	for _, text := range from.Spec.ExternalIPs[:min(len(from.Spec.ExternalIPs), MaxExternalIPs)] {
		if addr, err := ParseAddr(text); err == nil {
			s.ExternalIPs = append(s.ExternalIPs, addr)
		}
	}
	shown := from.Status.LoadBalancer.Ingress
	for _, ingress := range shown[:min(len(shown), maxIngress)] {
		// Daymark did not write an address that cannot be parsed, nor a name.
		if addr, err := ParseAddr(ingress.IP); err == nil {
			s.Ingress = append(s.Ingress, addr)
		}
	}
	if from.Spec.Type == corev1.ServiceTypeLoadBalancer {
		s.parseRequest(from)
	}
	return s
}

// parseRequest fills in what a Service requests. Where that exceeds a bound, the Service requests nothing and shares
// nothing.
func (s *Service) parseRequest(from *corev1.Service) {
	sharing, sharingErr := annotation(from, v1beta1.AnnotationAllowSharedIP, v1beta1.AliasAllowSharedIP, v1beta1.OldAliasAllowSharedIP)
	pools, poolsErr := annotation(from, v1beta1.AnnotationAddressPool, v1beta1.AliasAddressPool, v1beta1.OldAliasAddressPool)
	namespaces, namespacesErr := annotation(from, v1beta1.AnnotationSharedIPNamespaces)
	requested, requestedErr := requested(from)
	s.LastAddresses = parseLastAddresses(from.Annotations[v1beta1.AnnotationLastAddresses])
	s.SharingKey, s.RequestedPools, s.Requested = sharing.value, splitList(pools.value), requested
	s.SharedNamespaces = splitList(namespaces.value)
	if err := checkBounds(from, s); err != nil {
		s.SharingKey, s.SharedNamespaces = "", nil
		s.RequestedPools, s.Requested, s.RequestError = nil, nil, err
		return
	}
	if s.RequestError = cmp.Or(requestedErr, poolsErr, sharingErr, namespacesErr); s.RequestError != nil {
		s.Requested = nil
	}
}

// ReadConditions sets what the conditions in a Service's status say.
func (s *Service) ReadConditions(conditions []metav1.Condition) {
	s.Provenance = ParseProvenance(conditions)
	s.Managed = conditionOf(conditions, v1beta1.ConditionAddressAssigned) != nil
	announced := conditionOf(conditions, v1beta1.ConditionAnnounced)
	s.Disputed = announced != nil && announced.Status == metav1.ConditionFalse && announced.Reason == v1beta1.ReasonAddressConflict
}

// ParseVersion returns a resourceVersion as a number that grows (KEP-5504). What is no number counts as newer than all others.
func ParseVersion(text string) uint64 {
	version, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		return math.MaxUint64
	}
	return version
}

// SharesWith reports whether the Service lets those of a namespace share an address that it had first.
func (s *Service) SharesWith(namespace string) bool {
	return namespace == s.Key.Namespace ||
		slices.ContainsFunc(s.SharedNamespaces, func(allowed string) bool { return allowed == "*" || allowed == namespace })
}

// Wants reports whether the Service has a family in spec.ipFamilies.
func (s *Service) Wants(family Family) bool { return slices.Contains(s.Families, family) }

// distribution of a Service; one that is not known yet prefers nothing.
func distribution(from *string) Distribution {
	if from == nil {
		return Anywhere
	}
	switch *from {
	case corev1.ServiceTrafficDistributionPreferClose, corev1.ServiceTrafficDistributionPreferSameZone:
		return SameZone
	case corev1.ServiceTrafficDistributionPreferSameNode:
		return SameNode
	}
	return Anywhere
}

// The lists of families that there are.
var (
	onlyIPv4  = []Family{IPv4}
	onlyIPv6  = []Family{IPv6}
	firstIPv4 = []Family{IPv4, IPv6}
	firstIPv6 = []Family{IPv6, IPv4}
)

func families(from *corev1.Service) ([]Family, FamilyPolicy) {
	wanted := onlyIPv4
	switch given := from.Spec.IPFamilies; {
	case len(given) == 0:
	case given[0] == corev1.IPv6Protocol && len(given) > 1:
		wanted = firstIPv6
	case given[0] == corev1.IPv6Protocol:
		wanted = onlyIPv6
	case len(given) > 1:
		wanted = firstIPv4
	}
	switch policy := from.Spec.IPFamilyPolicy; {
	case policy == nil:
		return wanted, SingleStack
	case *policy == corev1.IPFamilyPolicyPreferDualStack:
		return wanted, PreferDualStack
	case *policy == corev1.IPFamilyPolicyRequireDualStack:
		return wanted, RequireDualStack
	default:
		return wanted, SingleStack
	}
}

// requested returns the addresses that a Service requests: by the annotation, its alias, or spec.loadBalancerIP.
func requested(from *corev1.Service) ([]netip.Addr, error) {
	given, err := annotation(from, v1beta1.AnnotationLoadBalancerIPs, v1beta1.AliasLoadBalancerIPs, v1beta1.OldAliasLoadBalancerIPs)
	if err != nil {
		return nil, err
	}
	var addrs []netip.Addr
	for _, text := range splitList(given.value) {
		addr, err := ParseAddr(text)
		if err != nil {
			return nil, fmt.Errorf("annotation %s: %w", given.key, err)
		}
		if !slices.Contains(addrs, addr) {
			addrs = append(addrs, addr)
		}
	}
	if from.Spec.LoadBalancerIP == "" { // deprecated, and in wide use
		return addrs, nil
	}
	addr, err := ParseAddr(from.Spec.LoadBalancerIP)
	switch {
	case oversized(from.Spec.LoadBalancerIP, MaxAddressBytes):
		return nil, fmt.Errorf("spec.loadBalancerIP is longer than %d bytes", MaxAddressBytes)
	case err != nil:
		return nil, fmt.Errorf("spec.loadBalancerIP: %w", err)
	case len(addrs) == 0:
		return []netip.Addr{addr}, nil
	case !slices.Contains(addrs, addr):
		return nil, fmt.Errorf("spec.loadBalancerIP asks for %s and annotation %s for %s: give one of the two",
			addr, given.key, quote(given.value))
	}
	return addrs, nil
}

// annotationValue is the value of an annotation, with the key under which it was found.
type annotationValue struct{ key, value string }

// annotation returns the value of the first of some annotations that is there: our own, then its aliases. If another has a
// different value it returns the first and an error. If one is too long it returns an error and no value.
func annotation(from *corev1.Service, keys ...string) (annotationValue, error) {
	found := annotationValue{key: keys[len(keys)-1]}
	first := true
	for _, key := range keys {
		value, present := from.Annotations[key]
		switch {
		case !present:
		case oversized(value, MaxAnnotationBytes):
			return annotationValue{key: key}, fmt.Errorf("annotation %s is longer than %d bytes", key, MaxAnnotationBytes)
		case first:
			found, first = annotationValue{key, strings.TrimSpace(value)}, false
		case !slices.Equal(canonicalList(found.value), canonicalList(value)):
			return found, fmt.Errorf("annotation %s says %s and annotation %s says %s: give one of the two",
				found.key, quote(found.value), key, quote(value))
		}
	}
	return found, nil
}

// parseLastAddresses reads the annotation of that name. What cannot be read, or exceeds a bound, is no wish.
func parseLastAddresses(text string) []netip.Addr {
	if text == "" || oversized(text, MaxAnnotationBytes) {
		return nil
	}
	var addrs []netip.Addr
	for item := range strings.SplitSeq(text, ",") {
		addr, err := ParseAddr(strings.TrimSpace(item))
		if err == nil && len(addrs) < MaxRequestedAddresses {
			addrs = append(addrs, addr)
		}
	}
	return addrs
}

// canonicalList returns the items of a list, with every address in its canonical form.
func canonicalList(text string) []string {
	items := splitList(text)
	for i, item := range items {
		if addr, err := ParseAddr(item); err == nil {
			items[i] = addr.String()
		}
	}
	return items
}

// splitList splits a text at its commas and drops empty items.
func splitList(text string) []string {
	var items []string
	for item := range strings.SplitSeq(text, ",") {
		if item = strings.TrimSpace(item); item != "" {
			items = append(items, item)
		}
	}
	return items
}
