// Package source reads the objects that commands show, from the API server or from a file. Its one job is that a command cannot
// tell which of the two it was, and that it is told what could not be read: a user may not be allowed to, or a kind may not be
// installed. It refuses to understand the objects: package view does.
package source

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
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

// Installed returns an error when the API server does not know one of Daymark's kinds that were asked for.
func (o *Objects) Installed() error {
	for _, kind := range Configuration {
		if gap := o.Gap(kind); gap != nil && gap.Why == NotInstalled {
			return fmt.Errorf("%v: is Daymark installed? kubectl daymark check --pre says whether it can be", gap)
		}
	}
	return nil
}
