package view

import (
	"fmt"
	"net/netip"
	"slices"

	"k8s.io/apimachinery/pkg/api/meta"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/core/cluster"
	"github.com/daymark-lb/daymark/internal/core/lb"
	"github.com/daymark-lb/daymark/internal/core/status"
)

// reasonUnheld is why an address is not announced that the controller says is: no node says that it holds it.
const reasonUnheld = "Unheld"

// unheldOf are the addresses of a Service that is announced which one node is to hold by layer 2, and no report names one that does. Nothing
// is said when not all is seen, nor for as long as a change may not have been reported, nor where a node holds more than its report names.
func (c *Cluster) unheldOf(s *lb.Service) []netip.Addr {
	raw := c.services[s.Key]
	if raw == nil || !c.settled() {
		return nil
	}
	conditions := raw.Status.Conditions
	if !meta.IsStatusConditionTrue(conditions, v1beta1.ConditionAnnounced) && !status.AwaitsHolder(conditions, s.Ingress, c.announceWorld().Conflicts) {
		return nil
	}
	return slices.DeleteFunc(c.Explainer().OnSegment(s), func(addr netip.Addr) bool {
		holders, known := c.reportedHoldings().Of(addr)
		return holders > 0 || !known
	})
}

// reportedHoldings are who holds what by layer 2, as the Speaker objects say.
func (c *Cluster) reportedHoldings() cluster.Holdings {
	if c.holdings == nil {
		holdings := cluster.ReportedHoldings(c.Parsed.Nodes, c.Parsed.Speakers)
		c.holdings = &holdings
	}
	return *c.holdings
}

// unheldAddresses is one problem of all such addresses.
func (c *Cluster) unheldAddresses() (found []Problem) {
	var p *Problem
	for _, s := range c.announceWorld().Services {
		addresses := c.unheldOf(s)
		if len(addresses) == 0 {
			continue
		}
		if p == nil {
			p = &Problem{
				Severity: Critical, Kind: "Service", Namespace: s.Key.Namespace, Name: s.Key.Name, Reason: reasonUnheld,
				Message: fmt.Sprintf("no node says that it holds %s, which one is to do by layer 2", addresses[0]),
				Remedy:  "Look at the log of the speakers that may hold it, and restart them if it says nothing.",
				Command: "kubectl daymark explain address " + addresses[0].String(),
			}
		} else {
			p.about = append(p.about, serviceSubject(s.Key))
		}
		for _, addr := range addresses {
			p.about = append(p.about, addressSubject(addr.String()))
		}
	}
	if p == nil {
		return nil
	}
	more := 0
	for _, s := range p.about {
		if s.kind != "Service" {
			more++
		}
	}
	if more > 1 {
		p.Message += soItIs(more-1, "address", "addresses")
	}
	return []Problem{*p}
}

// settled reports whether all is seen, and what changed last has been reported on.
func (c *Cluster) settled() bool {
	if c.quiet == nil {
		quiet := len(c.Unseen) == 0 && c.settledSince(c.changed())
		c.quiet = &quiet
	}
	return *c.quiet
}
