package bundle

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/daymark-lb/daymark/cli/check"
	"github.com/daymark-lb/daymark/cli/source"
	"github.com/daymark-lb/daymark/cli/view"
)

// programKinds are read in the namespace of Daymark alone.
var programKinds = []source.Kind{source.Deployments, source.DaemonSets, source.Pods, source.Leases}

// queries for all objects of a bundle. Who may not read all namespaces reads the namespace instead.
func (o *options) queries(instead string) []source.Query {
	queries := source.Queries(instead, append(slices.Clone(source.World), source.Definitions)...)
	for _, kind := range programKinds {
		q := source.Query{Kind: kind, Namespace: o.System, Labels: "app.kubernetes.io/name=daymark"}
		if kind == source.Leases {
			q.Labels = ""
		}
		queries = append(queries, q)
	}
	about := []source.Kind{source.Services, source.Nodes, source.Speakers}
	for _, kind := range append(about, source.Configuration...) {
		queries = append(queries, source.Query{Kind: source.Events, Instead: instead, Fields: "regarding.kind=" + kind.Kind})
	}
	return append(queries, source.Query{Kind: source.Events, Namespace: o.System, Optional: true})
}

// collect all that goes into a bundle.
func (o *options) collect(ctx context.Context) (*contents, error) {
	namespace, _, err := o.Namespace()
	if err != nil {
		return nil, err
	}
	from, err := o.Source()
	if err != nil {
		return nil, err
	}
	if err := o.FindSystem(ctx); err != nil {
		return nil, err
	}
	queries := o.queries(namespace)
	objects, err := from.Read(ctx, queries...)
	if err != nil {
		return nil, err
	}
	if err := objects.Seen(); err != nil {
		return nil, err
	}
	c := newContents(queries, objects)
	c.manifest.Version, c.manifest.Redacted = o.Version, o.redact
	for _, kind := range programKinds {
		if objects.Gap(kind) == nil {
			c.manifest.Gaps = append(c.manifest.Gaps, source.Gap{Resource: kind.Name(), Instead: o.System, Why: source.NotInFile})
		}
	}
	for _, gap := range objects.Gaps {
		c.miss(gap.String())
	}
	o.addChecks(ctx, c)
	return c, o.addPrograms(ctx, c, objects)
}

// versions of all parts.
type versions struct {
	view.Versions
	Kubernetes string `json:"kubernetes,omitempty"`
}

// addPrograms adds what Daymark's programs say, and their versions.
func (o *options) addPrograms(ctx context.Context, c *contents, objects *source.Objects) error {
	v := versions{Versions: o.View(objects).Versions(o.Version)}
	if !o.Live() {
		c.miss("logs and metrics: they come from a cluster alone")
		return c.addJSON("version.json", v)
	}
	server, err := o.Config.ToDiscoveryClient()
	if err != nil {
		return fmt.Errorf("find the API server: %w", err)
	}
	if found, err := server.ServerVersion(); err == nil {
		v.Kubernetes = found.GitVersion
	}
	p, err := o.programs()
	if err != nil {
		return err
	}
	p.fetch(ctx, source.Of[*corev1.Pod](objects), c)
	if err := ctx.Err(); err != nil { // an interrupt; what takes too long is missing instead
		return err
	}
	return c.addJSON("version.json", v)
}

// addChecks adds what `check` finds, since it looks at more objects than a bundle has.
func (o *options) addChecks(ctx context.Context, c *contents) {
	report, err := check.Look(ctx, o.Env)
	if err == nil {
		err = c.addJSON(source.ChecksName, report)
	}
	if err != nil {
		c.miss("the findings of check: " + err.Error())
	}
}

func (c *contents) addJSON(name string, value any) error {
	text, err := json.MarshalIndent(value, "", " ")
	if err != nil {
		return fmt.Errorf("encode %s: %w", name, err)
	}
	c.files = append(c.files, file{name, string(text)})
	return nil
}

// mostEvents is how many Events a bundle has.
const mostEvents = 5000

// newest Events, in the order in which they were.
func newest(items []runtime.Object) []runtime.Object {
	at := func(item runtime.Object) time.Time {
		e, ok := item.(*eventsv1.Event)
		switch {
		case !ok:
			return time.Time{}
		case e.Series != nil:
			return e.Series.LastObservedTime.Time
		case !e.EventTime.IsZero():
			return e.EventTime.Time
		}
		return e.DeprecatedLastTimestamp.Time
	}
	if len(items) <= mostEvents {
		return items
	}
	slices.SortStableFunc(items, func(a, b runtime.Object) int { return at(b).Compare(at(a)) })
	return items[:mostEvents]
}
