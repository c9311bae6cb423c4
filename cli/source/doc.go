// Package source reads the objects that commands show, from the API server or from a file. Its one job is that a command cannot
// tell which of the two it was, and that it is told what could not be read: a user may not be allowed to, or a kind may not be
// installed. It refuses to understand the objects: package view does.
package source

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/daymark-lb/daymark/api/v1beta1"
)

// Source has the objects of a cluster.
type Source interface {
	// Read the objects that some queries ask for. What the user may not read and what is not installed is no error: it stands in
	// Objects.Gaps. An error means that nothing can be said, as when the API server does not answer.
	Read(ctx context.Context, queries ...Query) (*Objects, error)
	// Follow reads the objects, and again whenever they have changed, no more often than every interval. The channel ends when
	// ctx does; that of a file has one value.
	Follow(ctx context.Context, interval time.Duration, queries ...Query) (<-chan *Objects, error)
}

// Query says which objects of a kind to read.
type Query struct {
	Kind Kind
	// Namespace to read; empty: all.
	Namespace string
	// Instead is the namespace to read when all namespaces are asked for and that is forbidden; empty: none.
	Instead string
	// Name of the one object to read; empty: all.
	Name string
	// Labels is a label selector; empty: all.
	Labels string
	// Fields is a field selector that spares the API server from sending what is not needed. A file does not know it, so the
	// reader must be prepared to see more.
	Fields string
	// Optional: that they cannot be read makes no Gap.
	Optional bool
}

// Queries for all objects of some kinds. Of namespaced kinds those of the namespace instead are read when the user may not read
// them all; empty: none then.
func Queries(instead string, kinds ...Kind) []Query {
	queries := make([]Query, len(kinds))
	for i, kind := range kinds {
		queries[i] = Query{Kind: kind}
		if kind.Namespaced {
			queries[i].Instead = instead
		}
	}
	return queries
}

// Objects are what was read.
type Objects struct {
	// Items in order of kind, namespace and name, each with its apiVersion and kind. They may be shared: do not change them.
	Items []runtime.Object
	// Gaps are what was asked for and not read.
	Gaps []Gap
	// Time at which they were so: now, or when a file was written.
	Time time.Time
	// Origin in words: a server's address or a file's name.
	Origin string
	// Checks are what was checked when a bundle was written, in JSON; nil: it is no bundle, or has none.
	Checks []byte
	// Whole has the resources that were asked for, by name: true where all of them were read, also of optional queries.
	Whole map[string]bool
	// Blind: the user may list nothing of what was asked for.
	Blind bool
}

// Of returns the objects of a Go type.
func Of[T runtime.Object](o *Objects) (found []T) {
	for _, item := range o.Items {
		if object, ok := item.(T); ok {
			found = append(found, object)
		}
	}
	return found
}

// LoadBalancers are the names of Services of type LoadBalancer.
func LoadBalancers(o *Objects) (names []string) {
	for _, s := range Of[*corev1.Service](o) {
		if s.Spec.Type == corev1.ServiceTypeLoadBalancer {
			names = append(names, s.Name)
		}
	}
	return names
}

// Why something was not read.
type Why string

// The reasons for a Gap.
const (
	Forbidden    Why = "Forbidden"
	NotInstalled Why = "NotInstalled"
	NotInFile    Why = "NotInFile"
)

// Gap is what was asked for and not read.
type Gap struct {
	// Resource in the plural, as kubectl names it: services, ippools.daymark.io.
	Resource string `json:"resource"`
	// Namespace that was asked for; empty: all.
	Namespace string `json:"namespace,omitempty"`
	// Instead is the one namespace that was read in the place of all; empty: nothing was.
	Instead string `json:"instead,omitempty"`
	Why     Why    `json:"why"`
	// Served are the versions in which the API server knows kinds of Daymark, when it is not installed in that of this program.
	Served string `json:"served,omitempty"`
}

// String says what is not seen, and why.
func (g Gap) String() string {
	what := g.Resource
	switch {
	case g.Instead != "":
		what += " of other namespaces than " + g.Instead
	case g.Namespace != "":
		what += " of namespace " + g.Namespace
	}
	switch g.Why {
	case NotInstalled:
		if g.Served != "" {
			return fmt.Sprintf("%s are not known to the API server in version %s, but it has kinds of Daymark in %s", what, v1beta1.GroupVersion.Version, g.Served)
		}
		return what + " are not known to the API server"
	case NotInFile:
		return what + " are not in the file"
	case Forbidden:
	}
	return "you may not list " + what
}

// Gap of a kind; nil when all that was asked for was read.
func (o *Objects) Gap(kind Kind) *Gap {
	for i := range o.Gaps {
		if o.Gaps[i].Resource == kind.Name() {
			return &o.Gaps[i]
		}
	}
	return nil
}

// Usable returns an error when nothing can be said of what was read: Daymark is not installed, or the user may read nothing.
func (o *Objects) Usable() error { return cmp.Or(o.Seen(), o.Installed()) }

// Installed returns an error when the API server does not know one of Daymark's kinds that were asked for.
func (o *Objects) Installed() error {
	for _, kind := range append(slices.Clone(Configuration), Speakers) {
		switch gap := o.Gap(kind); {
		case gap == nil || gap.Why != NotInstalled:
		case gap.Served != "" && !slices.Contains(strings.Split(gap.Served, ", "), kind.Version):
			return fmt.Errorf("%v: use the plugin of the version of Daymark that is installed", gap)
		default:
			return fmt.Errorf("%v: is Daymark installed? kubectl daymark check --pre says whether it can be", gap)
		}
	}
	return nil
}

// Seen returns an error when the user may list none of the objects that were asked for.
func (o *Objects) Seen() error {
	if !o.Blind {
		return nil
	}
	return fmt.Errorf("you may list nothing of what this command reads, such as %s: who are you there (kubectl auth whoami), and is it the right cluster?", o.Gaps[0].Resource)
}
