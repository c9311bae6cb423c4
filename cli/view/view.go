// Package view computes what commands and the page show, from objects that were read once. Its one job is that what is shown is what
// the daemons decide: it asks the packages that they decide with, and has no rule of its own. It is pure. It refuses to read, and
// to lay out: its values have json tags, and are the documents that -o json prints.
package view

import (
	"net/netip"
	"slices"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	eventsv1 "k8s.io/api/events/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/core/announce"
	"github.com/daymark-lb/daymark/internal/core/cluster"
	"github.com/daymark-lb/daymark/internal/core/ipam"
	"github.com/daymark-lb/daymark/internal/core/lb"
)

// Input is what a Cluster is computed from.
type Input struct {
	// Objects with their apiVersion and kind, in any order.
	Objects []runtime.Object
	// Unseen are the kinds of which not all that was asked for is there.
	Unseen []Unseen
	// System is the namespace that Daymark runs in.
	System string
	// Programs: Objects has all Deployments and DaemonSets of Daymark in System, so that those that are not there are nowhere.
	Programs bool
	// Now is the time at which the objects were so.
	Now time.Time
	// Each does something for each number below n, in any order, also at the same time, and returns when all is done; nil: one after the
	// other.
	Each func(n int, do func(i int))
}

// Unseen is a kind of which not all could be read.
type Unseen struct {
	// Resource as kubectl names it: services, speakers.daymark.io.
	Resource string `json:"resource"`
	// OnlyNamespace is the one that was read; empty: none was.
	OnlyNamespace string `json:"onlyNamespace,omitempty"`
	// Message says so in words.
	Message string `json:"message"`
}

// Cluster is what is shown. What takes long is computed when it is first asked for; so it is for one goroutine.
type Cluster struct {
	Input
	// Only is the namespace of which Services are wanted in Status and Problems; empty: all. All else is about the whole cluster.
	Only string
	// Settings of the programs, as far as they are seen.
	Settings Settings
	// Parsed objects.
	Parsed *cluster.Objects

	services    map[lb.Key]*corev1.Service
	slices      map[lb.Key][]*discoveryv1.EndpointSlice
	nodes       map[string]*corev1.Node
	speakers    map[string]*v1beta1.Speaker
	events      []*eventsv1.Event
	deployments []*appsv1.Deployment
	daemonSets  []*appsv1.DaemonSet
	leases      []*coordinationv1.Lease

	world     *announce.World
	explainer *announce.Explainer
	addresses *ipam.Plan
	holders   map[string][]Holder
	// plans are the BGP sessions of nodes, by name, and within the Services by the prefixes of a length.
	plans  map[string][]announce.Session
	within map[int]map[netip.Prefix][]string
	// checks are of what speakers report to have sent on sessions.
	checks map[*v1beta1.BGPSession]SentCheck
	// boundedReports are what bounded returns; nil: not computed yet.
	boundedReports *[]string
	// holdings as reported, and whether all is seen and reported; nil before they are asked for.
	holdings *cluster.Holdings
	quiet    *bool
	lines    map[lb.Key]ServiceLine
	// faulty is what blocked returns, and byKey what parsed does.
	faulty map[advertisement]bool
	byKey  map[lb.Key]*lb.Service
	// problems are what reported returns; nil: not computed yet.
	problems *[]Problem
}

// New sorts the objects.
func New(in Input) *Cluster {
	c := &Cluster{
		Input: in, Parsed: cluster.Parse(in.Objects), services: map[lb.Key]*corev1.Service{}, slices: map[lb.Key][]*discoveryv1.EndpointSlice{},
		nodes: map[string]*corev1.Node{}, speakers: map[string]*v1beta1.Speaker{}, lines: map[lb.Key]ServiceLine{},
		plans: map[string][]announce.Session{}, within: map[int]map[netip.Prefix][]string{},
		checks: map[*v1beta1.BGPSession]SentCheck{},
	}
	for _, object := range in.Objects {
		switch o := object.(type) {
		case *corev1.Service:
			c.services[lb.Key{Namespace: o.Namespace, Name: o.Name}] = o
		case *discoveryv1.EndpointSlice:
			key := lb.Key{Namespace: o.Namespace, Name: o.Labels[discoveryv1.LabelServiceName]}
			c.slices[key] = append(c.slices[key], o)
		case *corev1.Node:
			c.nodes[o.Name] = o
		case *v1beta1.Speaker:
			c.speakers[o.Name] = o
		case *eventsv1.Event:
			c.events = append(c.events, o)
		default:
			c.addProgram(object)
		}
	}
	c.Settings = c.settings()
	return c
}

// addProgram adds an object of Daymark's own programs.
func (c *Cluster) addProgram(object runtime.Object) {
	switch o := object.(type) {
	case *appsv1.Deployment:
		c.deployments = append(c.deployments, o)
	case *appsv1.DaemonSet:
		c.daemonSets = append(c.daemonSets, o)
	case *coordinationv1.Lease:
		c.leases = append(c.leases, o)
	}
}

// sees reports whether all objects of some resources are seen.
func (c *Cluster) sees(resources ...string) bool {
	return !slices.ContainsFunc(c.Unseen, func(u Unseen) bool { return slices.Contains(resources, u.Resource) })
}

// The resources by the names of package source.
const (
	resourceNodes          = "nodes"
	resourceSpeakers       = "speakers.daymark.io"
	resourcePeers          = "bgppeers.daymark.io"
	resourceAdvertisements = "bgpadvertisements.daymark.io"
	resourceServices       = "services"
	resourcePools          = "ipaddresspools.daymark.io"
)

// announceWorld is what announcing depends on, as the Speaker objects report it.
func (c *Cluster) announceWorld() *announce.World {
	if c.world == nil {
		w := c.Parsed.ReportedWorld(c.Settings.Classes, c.Settings.Options)
		c.world = &w
	}
	return c.world
}

// Explainer explains the Services of the cluster.
func (c *Cluster) Explainer() *announce.Explainer {
	if c.explainer == nil {
		c.explainer = announce.NewExplainer(c.announceWorld())
	}
	return c.explainer
}

// Addresses are what the controller would decide now about addresses, without its memory.
func (c *Cluster) Addresses() *ipam.Plan {
	if c.addresses == nil {
		plan := ipam.Compute(c.Parsed.AddressWorld(c.Now, c.Settings.Classes, c.Settings.PoolGrace, ipam.Memory{}))
		c.addresses = &plan
	}
	return c.addresses
}

// ours are the Services of type LoadBalancer that this installation serves, in order; with others those of other classes too.
func (c *Cluster) ours(others bool) (found []*lb.Service) {
	for _, s := range c.Parsed.Services {
		raw := c.services[s.Key]
		if raw.Spec.Type == corev1.ServiceTypeLoadBalancer && (others || c.Settings.Classes.Ours(s)) {
			found = append(found, s)
		}
	}
	slices.SortFunc(found, func(a, b *lb.Service) int { return a.Key.Compare(b.Key) })
	return found
}

// since is the time since a moment; 0 for none, and for one that the clock here has not reached.
func (c *Cluster) since(at time.Time) time.Duration {
	if at.IsZero() {
		return 0
	}
	return max(0, c.Now.Sub(at))
}
