package lb

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/daymark-lb/daymark/api/v1beta1"
)

// Port is one port of a Service.
type Port struct {
	Protocol corev1.Protocol
	Number   uint16
}

// String is the port as people write it: 80/TCP.
func (p Port) String() string { return fmt.Sprintf("%d/%s", p.Number, p.Protocol) }

// FamilyPolicy says how many families a Service wants.
type FamilyPolicy uint8

// The family policies of Kubernetes.
const (
	SingleStack FamilyPolicy = iota
	PreferDualStack
	RequireDualStack
)

// Service is what Daymark needs to know of a Service of any type.
type Service struct {
	Key     Key
	UID     types.UID
	Created time.Time
	Labels  map[string]string

	// LoadBalancer: spec.type is LoadBalancer and the Service is not being deleted.
	LoadBalancer bool
	// Class is spec.loadBalancerClass; empty when there is none.
	Class string
	// Families in the order of spec.ipFamilies.
	Families []Family
	Policy   FamilyPolicy
	Ports    []Port
	// Local: spec.externalTrafficPolicy is Local.
	Local bool
	// Selector of the Service's pods.
	Selector map[string]string
	// HealthCheckNodePort; 0 when there is none.
	HealthCheckNodePort uint16
	// PublishNotReady: endpoints that are not ready count as ready.
	PublishNotReady bool

	// Requested addresses, in the order given. Valid only when RequestError is nil.
	Requested []netip.Addr
	// RequestedPools in order of preference.
	RequestedPools []string
	// SharingKey; empty when the Service does not share.
	SharingKey string
	// RequestError says what is wrong with what the Service asks for.
	RequestError error

	// Ingress is the addresses in status.loadBalancer, in their order.
	Ingress []netip.Addr
	// Pools is what annotation daymark.io/pool says: where the addresses in Ingress came from.
	Pools []string
}

// ParseService reads a Service. What is wrong with its requests is in RequestError; the rest the API server has checked.
func ParseService(from *corev1.Service) *Service {
	s := &Service{
		Key:                 Key{from.Namespace, from.Name},
		UID:                 from.UID,
		Created:             from.CreationTimestamp.Time,
		Labels:              from.Labels,
		LoadBalancer:        from.Spec.Type == corev1.ServiceTypeLoadBalancer && from.DeletionTimestamp.IsZero(),
		Local:               from.Spec.ExternalTrafficPolicy == corev1.ServiceExternalTrafficPolicyLocal,
		Selector:            from.Spec.Selector,
		HealthCheckNodePort: uint16(from.Spec.HealthCheckNodePort), //nolint:gosec // the API server keeps ports within 16 bits
		PublishNotReady:     from.Spec.PublishNotReadyAddresses,
		Pools:               list(from.Annotations[v1beta1.AnnotationPool]),
	}
	if from.Spec.LoadBalancerClass != nil {
		s.Class = *from.Spec.LoadBalancerClass
	}
	s.Families, s.Policy = families(from)
	for _, port := range from.Spec.Ports {
		s.Ports = append(s.Ports, Port{port.Protocol, uint16(port.Port)}) //nolint:gosec // as above
	}
	for _, ingress := range from.Status.LoadBalancer.Ingress {
		// An address that does not parse was not written by us; it is not ours to keep.
		if addr, err := ParseAddr(ingress.IP); err == nil {
			s.Ingress = append(s.Ingress, addr)
		}
	}
	sharing, sharingErr := annotation(from, v1beta1.AnnotationAllowSharedIP, v1beta1.AliasAllowSharedIP)
	pools, poolsErr := annotation(from, v1beta1.AnnotationAddressPool, v1beta1.AliasAddressPool)
	s.SharingKey, s.RequestedPools = sharing.value, list(pools.value)
	requested, requestedErr := requested(from)
	if s.RequestError = cmp.Or(requestedErr, poolsErr, sharingErr); s.RequestError == nil {
		s.Requested = requested
	}
	return s
}

// Wants reports whether the Service has a family in its list.
func (s *Service) Wants(family Family) bool { return slices.Contains(s.Families, family) }

func families(from *corev1.Service) ([]Family, FamilyPolicy) {
	var wanted []Family
	for _, family := range from.Spec.IPFamilies {
		if family == corev1.IPv6Protocol {
			wanted = append(wanted, IPv6)
		} else {
			wanted = append(wanted, IPv4)
		}
	}
	if len(wanted) == 0 {
		wanted = []Family{IPv4}
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

// requested reads the addresses a Service asks for: by annotation, by its alias, or by the older spec.loadBalancerIP.
func requested(from *corev1.Service) ([]netip.Addr, error) {
	given, err := annotation(from, v1beta1.AnnotationLoadBalancerIPs, v1beta1.AliasLoadBalancerIPs)
	if err != nil {
		return nil, err
	}
	var addrs []netip.Addr
	for _, text := range list(given.value) {
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
	case err != nil:
		return nil, fmt.Errorf("spec.loadBalancerIP: %w", err)
	case len(addrs) == 0:
		return []netip.Addr{addr}, nil
	case !slices.Contains(addrs, addr):
		return nil, fmt.Errorf("spec.loadBalancerIP asks for %s and annotation %s for %s: give one of the two",
			addr, given.key, strings.Join(Strings(addrs), ", "))
	}
	return addrs, nil
}

// setting is what an annotation says, and which one it was.
type setting struct{ key, value string }

// annotation reads our own annotation, or the alias where ours is absent. Where both are there they must say the same; ours
// comes back beside the error.
func annotation(from *corev1.Service, own, alias string) (setting, error) {
	ours, present := from.Annotations[own]
	theirs, both := from.Annotations[alias]
	switch {
	case !present:
		return setting{alias, strings.TrimSpace(theirs)}, nil
	case both && !slices.Equal(canonical(ours), canonical(theirs)):
		return setting{own, strings.TrimSpace(ours)}, fmt.Errorf("annotation %s says %q and annotation %s says %q: give one of the two", own, ours, alias, theirs)
	}
	return setting{own, strings.TrimSpace(ours)}, nil
}

// canonical is a list with every address in it written in one way.
func canonical(text string) []string {
	items := list(text)
	for i, item := range items {
		if addr, err := ParseAddr(item); err == nil {
			items[i] = addr.String()
		}
	}
	return items
}

// list splits a list at its commas.
func list(text string) []string {
	var items []string
	for item := range strings.SplitSeq(text, ",") {
		if item = strings.TrimSpace(item); item != "" {
			items = append(items, item)
		}
	}
	return items
}

// Classes says which Services are ours.
type Classes struct {
	// Name is the class we serve.
	Name string
	// Classless: Services without a class are ours too.
	Classless bool
}

// Ours reports whether a Service is of type LoadBalancer and of a class that we serve.
func (c Classes) Ours(s *Service) bool {
	return s.LoadBalancer && (s.Class == c.Name || s.Class == "" && c.Classless)
}

// Validate says in words what is wrong with the class's name.
func (c Classes) Validate() error {
	if c.Name == "" {
		return errors.New("--load-balancer-class must not be empty")
	}
	return nil
}
