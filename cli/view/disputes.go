package view

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// disputedAfter is how long the newest holder of an address must have been one before it is a problem that there is another: each speaker
// writes its report once a second at most, so that an address that moves has two holders for a moment.
const disputedAfter = 3 * time.Second

// disputes are addresses that several nodes hold, one for each set of nodes: of a node that is cut off it may be all that it holds.
func (c *Cluster) disputes() (found []Problem) {
	type dispute struct {
		nodes     []string
		addresses []string
		since     metav1.Time
	}
	all := map[string]*dispute{}
	// order does not matter: what comes of it is sorted
	for address, holders := range c.holdersByAddress() {
		several := alone(holders)
		if len(several) < 2 {
			continue
		}
		d := &dispute{since: several[0].Since}
		for i := range several {
			d.nodes = append(d.nodes, several[i].Node)
			if d.since.Before(&several[i].Since) {
				d.since = several[i].Since
			}
		}
		if c.since(d.since.Time) < disputedAfter {
			continue
		}
		key := strings.Join(d.nodes, " and ")
		if before := all[key]; before == nil {
			all[key] = d
		} else if d.since.Before(&before.since) {
			before.since = d.since
		}
		all[key].addresses = append(all[key].addresses, address)
	}
	for _, key := range slices.Sorted(maps.Keys(all)) {
		d := all[key]
		slices.Sort(d.addresses)
		found = append(found, c.disputed(key, d.nodes, d.addresses, d.since))
	}
	return found
}

// disputed is the problem that some nodes hold the same addresses.
func (c *Cluster) disputed(names string, nodes, addresses []string, since metav1.Time) Problem {
	p := Problem{
		Severity: Warning, Kind: "Speaker", Name: nodes[0], Reason: "Disputed", Since: &since,
		Message: names + " each say that they hold " + addresses[0],
		Remedy: "One of them is cut off from the others: look at its link, and whether port " + c.GossipPort() + " is open between the nodes. " +
			"Problems with the reason NotAllSeen name who is not seen.",
		Command: "kubectl daymark explain address " + addresses[0],
	}
	if more := len(addresses) - 1; more > 0 {
		p.Message += fmt.Sprintf(" and %d more", more)
	}
	for _, node := range nodes {
		p.about = append(p.about, nodeSubject(node))
	}
	for _, address := range addresses {
		p.about = append(p.about, addressSubject(address))
	}
	return p
}
