package view

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"

	"github.com/daymark-lb/daymark/internal/core/ipam"
	"github.com/daymark-lb/daymark/internal/core/lb"
)

// AddressExplanation is all that is known of an address.
type AddressExplanation struct {
	Address string `json:"address"`
	// Pool that contains it, or gave it; empty: none that is seen.
	Pool string `json:"pool,omitempty"`
	// Reservation that keeps it; empty: none.
	Reservation string `json:"reservation,omitempty"`
	// Node that has it itself, as its Node or Speaker object says; empty: none.
	Node string `json:"node,omitempty"`
	// Services whose status shows it, in order.
	Services []ServiceLine `json:"services,omitempty"`
	// Free says what a new Service of Namespace that asks for it would get: the address, or what stands against it. It is nil when
	// a Service has it.
	Free    *FreeAddress   `json:"free,omitempty"`
	Stories []AddressStory `json:"stories,omitempty"`
	Holders []Holder       `json:"holders,omitempty"`
	// Cuts say in words which of the holders are cut off from others, and where they stand in.
	Cuts      []string       `json:"cuts,omitempty"`
	Conflicts []ConflictLine `json:"conflicts,omitempty"`
	Unseen    []Unseen       `json:"unseen,omitempty"`
	// NotComputed says why there are no Stories and no Free.
	NotComputed string      `json:"notComputed,omitempty"`
	Problems    []Problem   `json:"problems,omitempty"`
	Events      []EventLine `json:"events,omitempty"`
}

// Wrong reports whether something is not as it should be: with the address, or with a Service that has it.
func (x *AddressExplanation) Wrong() bool {
	return len(x.Problems) > 0 || slices.ContainsFunc(x.Services, func(s ServiceLine) bool { return s.State == ServiceUnknown })
}

// SeesPools reports whether all pools are seen.
func (x *AddressExplanation) SeesPools() bool {
	return !slices.ContainsFunc(x.Unseen, func(u Unseen) bool { return u.Resource == resourcePools })
}

// FreeAddress is whether an address that nobody has can be had.
type FreeAddress struct {
	Namespace string `json:"namespace"`
	Free      bool   `json:"free"`
	Reason    string `json:"reason,omitempty"`
	Message   string `json:"message"`
}

// ConflictLine is another host that uses an address, as a speaker reports it.
type ConflictLine struct {
	Node      string `json:"node"`
	Address   string `json:"address"`
	MAC       string `json:"mac"`
	Interface string `json:"interface"`
	// By is the node that the other host is; empty: it is none.
	By        string `json:"by,omitempty"`
	Announced bool   `json:"announced"`
	// Elsewhere: it is announced, and not on this interface.
	Elsewhere bool `json:"elsewhere,omitempty"`
}

// ExplainAddress explains an address, for who asks in a namespace.
func (c *Cluster) ExplainAddress(text, namespace string) (*AddressExplanation, error) {
	address, err := lb.ParseAddr(text)
	if err != nil {
		return nil, fmt.Errorf("%s is no IP address: %w", text, err)
	}
	x := &AddressExplanation{Address: address.String(), Holders: c.holdersByAddress()[address.String()], Unseen: c.Unseen}
	x.Cuts = c.cutsOf(x.Holders)
	x.Conflicts = slices.DeleteFunc(c.conflicts(), func(l ConflictLine) bool { return l.Address != x.Address })
	if pool := c.Parsed.Pools.Containing(address); pool != nil {
		x.Pool = pool.Name
	}
	x.Node = c.NodeWith(address)
	for _, r := range c.Parsed.Reservations {
		if lb.Containing(r.Ranges, address) >= 0 {
			x.Reservation = r.Name
		}
	}
	shown := c.showing(address)
	for _, s := range shown {
		x.Services = append(x.Services, c.line(s))
		x.Pool = cmp.Or(x.Pool, s.Provenance.PoolOf(address)) // which who may not see pools may see
	}
	if len(c.Unseen) > 0 {
		x.NotComputed = c.notComputed()
	} else {
		c.addStories(x, address, shown, namespace)
	}
	subjects := []subject{addressSubject(x.Address)}
	for _, s := range shown {
		subjects = append(subjects, serviceSubject(s.Key))
	}
	x.Problems, x.Events = c.problemsAbout(c.storyProblems(x.Stories...), subjects...), c.eventsOf(subjects...)
	return x, nil
}

// addStories adds what the objects ask for: of the Services that show the address, or of a new one.
func (c *Cluster) addStories(x *AddressExplanation, address netip.Addr, shown []*lb.Service, namespace string) {
	for _, s := range shown {
		if c.Settings.Classes.Ours(s) {
			x.Stories = append(x.Stories, c.story(s, address))
		}
	}
	if len(shown) == 0 {
		x.Free = c.free(address, namespace)
	}
}

// NodeWith returns the node that has an address itself; empty: none.
func (c *Cluster) NodeWith(address netip.Addr) string {
	for _, n := range c.Parsed.Nodes {
		if slices.Contains(n.Addresses, address) || slices.Contains(n.External, address) {
			return n.Name
		}
	}
	for _, s := range c.Parsed.Speakers {
		if network := lb.ParseNodeNetwork(s); network.Has(address) {
			return s.Name
		}
	}
	return ""
}

// showing are the Services whose status shows an address, in order.
func (c *Cluster) showing(address netip.Addr) (found []*lb.Service) {
	for _, s := range c.Parsed.Services {
		if slices.Contains(s.Ingress, address) {
			found = append(found, s)
		}
	}
	slices.SortFunc(found, func(a, b *lb.Service) int { return a.Key.Compare(b.Key) })
	return found
}

// free asks whether a new Service of a namespace that asks for an address would get it, by making one in thought.
func (c *Cluster) free(address netip.Addr, namespace string) *FreeAddress {
	key := lb.Key{Namespace: namespace, Name: "<new>"} // no Service can have that name
	world := c.Parsed.AddressWorld(c.Now, c.Settings.Classes, c.Settings.PoolGrace, ipam.Memory{})
	world.Services = append(slices.Clip(world.Services), &lb.Service{
		Key: key, Created: c.Now, LoadBalancer: true, Class: c.Settings.Classes.Name,
		IPv6First: lb.FamilyOf(address) == lb.IPv6, Request: &lb.Request{Families: []lb.Family{lb.FamilyOf(address)}, Requested: []netip.Addr{address}},
	})
	assignment, _, _ := ipam.Consider(world, key)
	outcome := assignment.Outcome()
	return &FreeAddress{Namespace: namespace, Free: outcome.Assigned, Reason: outcome.Reason.Name, Message: outcome.Message}
}

// conflicts that the speakers report, in order of node.
func (c *Cluster) conflicts() (lines []ConflictLine) {
	for _, speaker := range c.Parsed.Speakers {
		if lb.SpeakerGone(speaker) {
			continue
		}
		for _, conflict := range speaker.Status.Layer2.Conflicts {
			lines = append(lines, ConflictLine{
				speaker.Name, conflict.Address, conflict.MAC, conflict.Interface, conflict.Node, conflict.Announced, conflict.Elsewhere,
			})
		}
	}
	return lines
}
