// Package changeover moves the Services of a living cluster from MetalLB to Daymark, one at a time, and back, without another address.
// Its one job is the order of the steps, and to verify each. The plan is computed anew from the cluster every time, and is stored
// nowhere. It refuses to go on when a step is not whole, and to touch a Service that MetalLB gave no address.
//
// One write hands a Service over: the annotation tells Daymark that the Service is its own, and the label tells MetalLB's speakers, whose
// advertisements leave out Services with it, to announce it no more. MetalLB's controller does not look at advertisements, so it goes on
// to count the address as given and leaves the status alone.
package changeover

import (
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/cli/source"
	"github.com/daymark-lb/daymark/cli/view"
	"github.com/daymark-lb/daymark/internal/core/lb"
)

// Label of a Service that MetalLB is to leave alone, with the value v1beta1.ProviderDaymark. It is called as the annotation is.
const Label = v1beta1.AnnotationProvider

// metallb is what the annotation names when a Service goes back.
const metallb = "metallb"

// State of a step.
type State string

// The states of a step.
const (
	Done State = "Done"
	// Ready to be done.
	Ready State = "Ready"
	// Later: another step comes before.
	Later State = "Later"
	// Blocked: something stands against it.
	Blocked State = "Blocked"
	// Failing: it was done, and something is missing.
	Failing State = "Failing"
)

// The names of the steps that are no Service.
const (
	Advertisements = "advertisements"
	Uninstall      = "uninstall"
)

// Step of a plan.
type Step struct {
	// Name of the Service, or of the first of those that share addresses: shop/web; or Advertisements, or Uninstall.
	Name string `json:"name"`
	// Services that it hands over.
	Services  []string `json:"services,omitempty"`
	Addresses []string `json:"addresses,omitempty"`
	State     State    `json:"state"`
	// HeldBy are the nodes that hold the addresses by layer 2, whose speakers are Daymark's.
	HeldBy  []string `json:"heldBy,omitempty"`
	Message string   `json:"message,omitempty"`
	// Commands are what the step writes, as one may do it by hand.
	Commands []string `json:"commands,omitempty"`

	services []*service
}

// Plan has the steps in their order.
type Plan struct {
	Steps []Step `json:"steps"`
	// Unseen are kinds of which not all could be read.
	Unseen []view.Unseen `json:"unseen,omitempty"`

	cluster        *view.Cluster
	metallb        *provider
	advertisements []advertisement
	services       []*service
}

// service is one to which MetalLB gave an address.
type service struct {
	*lb.Service
	raw *corev1.Service
}

// handed says whether the Service was handed over, if only in part.
func (s *service) handed() bool {
	return s.raw.Labels[Label] == v1beta1.ProviderDaymark || s.annotated()
}

// marked says whether the Service has both marks.
func (s *service) marked() bool {
	return s.raw.Labels[Label] == v1beta1.ProviderDaymark && s.annotated()
}

// annotated says whether the Service has the annotation, so that Daymark serves it; without the label MetalLB is to do so as well.
func (s *service) annotated() bool {
	return s.raw.Annotations[v1beta1.AnnotationProvider] == v1beta1.ProviderDaymark
}

// beside says whether both providers are to announce the Service, as while it goes back by BGP.
func (s *service) beside() bool { return s.annotated() && !s.marked() }

// New makes a plan of objects that were read.
func New(objects *source.Objects, cluster *view.Cluster) *Plan {
	p := &Plan{cluster: cluster, metallb: readProvider(objects), Unseen: cluster.Unseen}
	p.advertisements = readAdvertisements(objects)
	p.services = p.given(objects)
	groups := groups(p.services)
	outcomes := p.outcomes(groups)
	first := p.prepare(groups, outcomes)
	p.Steps = append(p.Steps, first)
	later := first.State != Done
	for _, group := range groups {
		p.Steps = append(p.Steps, p.handOver(group, outcomes, later))
	}
	p.Steps = append(p.Steps, p.uninstall())
	return p
}

// given are the Services to which MetalLB gave addresses, in order.
func (p *Plan) given(objects *source.Objects) (found []*service) {
	raw := map[lb.Key]*corev1.Service{}
	for _, s := range source.Of[*corev1.Service](objects) {
		raw[lb.Key{Namespace: s.Namespace, Name: s.Name}] = s
	}
	for _, s := range p.cluster.Parsed.Services {
		if s.LoadBalancer && len(s.Ingress) > 0 && fromMetalLB(raw[s.Key]) {
			found = append(found, &service{s, raw[s.Key]})
		}
	}
	slices.SortFunc(found, func(a, b *service) int { return a.Key.Compare(b.Key) })
	return found
}

// groups are the Services that share addresses with each other; most are alone.
func groups(services []*service) (all [][]*service) {
	for _, s := range services {
		group := []*service{s}
		all = slices.DeleteFunc(all, func(other []*service) bool {
			shares := slices.ContainsFunc(other, func(o *service) bool { return shares(o.Service, s.Service) })
			if shares {
				group = append(slices.Clone(other), group...)
			}
			return shares
		})
		all = append(all, group)
	}
	slices.SortStableFunc(all, func(a, b []*service) int { return a[0].Key.Compare(b[0].Key) })
	return all
}

func shares(a, b *lb.Service) bool {
	for _, addr := range a.Ingress {
		if slices.Contains(b.Ingress, addr) {
			return true
		}
	}
	return false
}

// outcomes of handing over all Services that were not yet.
func (p *Plan) outcomes(groups [][]*service) map[lb.Key]view.Handover {
	var keys []lb.Key
	for _, group := range groups {
		for _, s := range group {
			if !s.handed() {
				keys = append(keys, s.Key)
			}
		}
	}
	return p.cluster.HandedOver(keys)
}

// step of a Service by its name; nil: there is none.
func (p *Plan) step(name string) *Step {
	for i := len(p.Steps) - 1; i >= 0; i-- { // its own comes after that of the advertisements
		if slices.Contains(p.Steps[i].Services, name) {
			return &p.Steps[i]
		}
	}
	return nil
}

// service by its name; nil: MetalLB gave no address to such a Service.
func (p *Plan) service(wanted string) *service {
	i := slices.IndexFunc(p.services, func(s *service) bool { return name(s) == wanted })
	if i < 0 {
		return nil
	}
	return p.services[i]
}

// Next is the step to do: one that has failed first, since nothing is to be done beside it; nil: none can be done.
func (p *Plan) Next() *Step {
	for _, state := range []State{Failing, Ready} {
		if i := slices.IndexFunc(p.Steps, func(s Step) bool { return s.State == state }); i >= 0 {
			return &p.Steps[i]
		}
	}
	return nil
}

// nothing of MetalLB was found: neither an object of its own nor a Service to which it gave an address.
func (p *Plan) nothing() bool { return !p.metallb.found && len(p.services) == 0 }

// Finished says that there is no step but those that are done.
func (p *Plan) Finished() bool {
	return !slices.ContainsFunc(p.Steps, func(s Step) bool { return s.State != Done })
}

// Wrong says whether something stands against a step, or is missing.
func (p *Plan) Wrong() bool {
	return slices.ContainsFunc(p.Steps, func(s Step) bool { return s.State == Blocked || s.State == Failing })
}

func name(s *service) string { return s.Key.Namespace + "/" + s.Key.Name }

func names(group []*service) (all []string) {
	for _, s := range group {
		all = append(all, name(s))
	}
	return all
}

// addressesOf a group, each once.
func addressesOf(group []*service) (all []string) {
	for _, s := range group {
		for _, addr := range lb.Strings(s.Ingress) {
			if !slices.Contains(all, addr) {
				all = append(all, addr)
			}
		}
	}
	return all
}

func joined(texts []string) string { return strings.Join(texts, "; ") }
