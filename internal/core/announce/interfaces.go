package announce

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/core/lb"
)

// interfacesText says which interfaces advertisements name, and which the nodes have.
func (r *rules) interfacesText(matches advertisementSet) string {
	var named []string
	for i := range matches.all() {
		named = append(named, r.l2[i].Interfaces...)
	}
	if len(named) == 0 {
		return ""
	}
	var links [][]lb.Link
	for i := range r.nodes {
		links = append(links, r.world.Links[r.nodes[i].Name])
	}
	return fmt.Sprintf(" (interfaces: %s; the nodes have %s)", strings.Join(named, ", "), InterfaceNames(links))
}

// UnmatchedInterfaces says that an advertisement names interfaces of which the nodes that it selects have none that is up, and
// which there are; empty when they have one, or when no node says what it has. Links are by node.
func UnmatchedInterfaces(a *lb.L2Advertisement, nodes []*lb.Node, links map[string][]lb.Link) string {
	var others [][]lb.Link
	for _, n := range nodes {
		known, reported := links[n.Name]
		if !reported || !a.NodeSelectors.Match(n.Labels) {
			continue
		}
		if slices.ContainsFunc(known, func(l lb.Link) bool { return a.MatchesInterface(l.Name) }) {
			return ""
		}
		others = append(others, known)
	}
	if len(a.Interfaces) == 0 || len(others) == 0 {
		return ""
	}
	return fmt.Sprintf("interfaces: %s: no node that is selected has such an interface that is up; they have %s",
		strings.Join(a.Interfaces, ", "), InterfaceNames(others))
}

// MissingInterfaces says which of the interfaces that an advertisement names no node has that it selects, while others are there; empty
// when there are none, or when a node may have more than it says.
func MissingInterfaces(a *lb.L2Advertisement, nodes []*lb.Node, links map[string][]lb.Link) string {
	missing := slices.Clone(a.Interfaces)
	for _, n := range nodes {
		known := links[n.Name]
		if !a.NodeSelectors.Match(n.Labels) {
			continue
		}
		if len(known) >= v1beta1.SpeakerNetworkLimit {
			return ""
		}
		missing = slices.DeleteFunc(missing, func(glob string) bool {
			return slices.ContainsFunc(known, func(l lb.Link) bool { matched, _ := path.Match(glob, l.Name); return matched })
		})
	}
	if len(missing) == 0 || len(missing) == len(a.Interfaces) {
		return ""
	}
	return fmt.Sprintf("interfaces: no node that is selected has %s, or has it up", strings.Join(missing, ", "))
}

// InterfaceNames are the first names of some nodes' links, without a number that would change with each node.
func InterfaceNames(nodes [][]lb.Link) string {
	const limit = 8
	var names []string
	for _, links := range nodes {
		for i := range links {
			names = append(names, links[i].Name)
		}
	}
	slices.Sort(names)
	names = slices.Compact(names)
	switch {
	case len(names) == 0:
		return "none"
	case len(names) > limit:
		return strings.Join(names[:limit], ", ") + " and others"
	default:
		return strings.Join(names, ", ")
	}
}
