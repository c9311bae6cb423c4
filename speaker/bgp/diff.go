package bgp

import (
	"net/netip"
	"slices"

	"github.com/osrg/gobgp/v4/pkg/apiutil"

	"github.com/daymark-lb/daymark/internal/lb"
	"github.com/daymark-lb/daymark/speaker/announce"
)

// change is a path to announce or to withdraw.
type change struct {
	prefix netip.Prefix
	with   announced
	path   *apiutil.Path
}

// changes lead from what was announced to what is desired.
type changes struct {
	add, remove []change
	// homeless says which desired prefixes cannot be announced because they have no next hop.
	homeless string
}

func pathsOf(list []change) []*apiutil.Path {
	paths := make([]*apiutil.Path, len(list))
	for i := range list {
		paths[i] = list[i].path
	}
	return paths
}

// diff compares what is desired with what was truly announced. Prefixes of a family that is not exchanged, or without a
// next hop, are not announced; a path that cannot be encoded stays as it is, and is an error.
func (s *session) diff(desired *announce.Session) (todo changes, errs []error) {
	encode := newEncoder(&s.settings)
	held := 0
	for _, p := range desired.Paths {
		with, ok := s.wanted(desired, &p, &todo)
		if !ok {
			continue
		}
		before, known := s.sent[p.Prefix]
		if known {
			held++
		}
		if known && before.equal(with) {
			continue
		}
		path, err := encode.path(p.Prefix, with, false)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		todo.add = append(todo.add, change{p.Prefix, with, path})
	}
	if held == len(s.sent) {
		return todo, errs // The usual case: nothing is to be withdrawn.
	}
	for _, prefix := range s.obsolete(desired) {
		path, err := encode.path(prefix, s.sent[prefix], true)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		todo.remove = append(todo.remove, change{prefix, s.sent[prefix], path})
	}
	return todo, errs
}

// wanted is what a desired path is to be announced with, or false when it is not to be.
func (s *session) wanted(desired *announce.Session, p *announce.Path, todo *changes) (announced, bool) {
	family := lb.FamilyOf(p.Prefix.Addr())
	if !s.settings.has(family) {
		return announced{}, false
	}
	hop, err := nextHopOf(desired, family)
	if err != nil {
		todo.homeless = err.Error()
		return announced{}, false
	}
	return announced{p.Attributes, hop}, true
}

// obsolete are the prefixes announced and not desired any more, in order.
func (s *session) obsolete(desired *announce.Session) (prefixes []netip.Prefix) {
	kept := make(map[netip.Prefix]struct{}, len(desired.Paths))
	for _, p := range desired.Paths {
		if _, ok := s.wanted(desired, &p, &changes{}); ok {
			kept[p.Prefix] = struct{}{}
		}
	}
	for prefix := range s.sent {
		if _, ok := kept[prefix]; !ok {
			prefixes = append(prefixes, prefix)
		}
	}
	slices.SortFunc(prefixes, netip.Prefix.Compare)
	return prefixes
}
