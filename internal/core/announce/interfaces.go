package announce

import (
	"fmt"
	"slices"
	"strings"

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

// MissingInterfaces says which of the interfaces that an advertisement names none of the nodes has that it selects, and all: that these are
// all it names, with those that there are. It is empty when each may be there (lb.Known.Interface).
func MissingInterfaces(a *lb.L2Advertisement, known *lb.Known) (text string, all bool) {
	missing := slices.DeleteFunc(slices.Clone(a.Interfaces), func(glob string) bool { return known.Interface(glob, a.NodeSelectors) })
	switch len(missing) {
	case 0:
		return "", false
	case len(a.Interfaces):
		return fmt.Sprintf("interfaces: %s: no node that is selected has such an interface that is up; they have %s",
			strings.Join(missing, ", "), InterfaceNames(slices.Collect(known.LinksOf(a.NodeSelectors)))), true
	default:
		return fmt.Sprintf("interfaces: no node that is selected has %s, or has it up", strings.Join(missing, ", ")), false
	}
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
