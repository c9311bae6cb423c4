package lb

import (
	"errors"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/daymark-lb/daymark/api/v1beta1"
)

// Classes says which Services Daymark serves.
type Classes struct {
	// Name is the class that Daymark serves.
	Name string
	// Classless: Daymark serves Services without a class, too.
	Classless bool
}

// Ours reports whether Daymark serves a Service: it is of type LoadBalancer and of our class, and is not to be served by
// another provider. A Service without a class is ours if such Services are served, if it asks for us, or if it has addresses
// of ours: to stop serving Services without a class withdraws nothing.
func (c Classes) Ours(s *Service) bool {
	switch {
	case !s.LoadBalancer || s.HandedOver():
		return false
	case s.Class != "":
		return s.Class == c.Name
	}
	return c.Classless || s.Provider == v1beta1.ProviderDaymark || c.Gave(s) && len(s.Provenance.Allocations) > 0
}

// Gave reports whether the addresses in a Service's provenance were given by this installation, or by one with another class
// in whose place it serves a Service without a class: two that both serve it do not take turns in writing their class.
// Otherwise another installation's are foreign.
func (c Classes) Gave(s *Service) bool {
	classless := c.Classless && s.LoadBalancer && s.Class == "" && !s.HandedOver()
	return c.Name == s.Provenance.Class && c.Name != "" || classless && s.Provenance.Class != ""
}

// Leaving reports whether a Service has the finalizer of ours and is not to be announced any more: the finalizer goes when no
// speaker announces the addresses.
func (c Classes) Leaving(s *Service) bool {
	return s.Finalizer && s.Provenance.Finalizer && c.Gave(s) && (s.Provenance.Withdrawing || !c.Ours(s))
}

// HandedOver reports whether a Service is to be served by another provider.
func (s *Service) HandedOver() bool { return s.Provider != "" && s.Provider != v1beta1.ProviderDaymark }

// Provider returns the provider that an object's annotation names; empty when it names none.
func Provider(object metav1.Object) string {
	return strings.TrimSpace(object.GetAnnotations()[v1beta1.AnnotationProvider])
}

// WithProvider returns a Service in a namespace that names a provider, or none. What the Service says itself comes first.
func (s *Service) WithProvider(ofNamespace string) *Service {
	if ofNamespace == "" || s.Provider != "" {
		return s
	}
	changed := *s
	changed.Provider = ofNamespace
	return &changed
}

// Validate returns what is wrong with the name of the class; nil when nothing is.
func (c Classes) Validate() error {
	if c.Name == "" {
		return errors.New("--load-balancer-class must not be empty")
	}
	return nil
}
