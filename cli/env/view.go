package env

import (
	"github.com/daymark-lb/daymark/cli/source"
	"github.com/daymark-lb/daymark/cli/view"
)

// View computes what is shown from objects that were read.
func (e *Env) View(objects *source.Objects) *view.Cluster {
	in := view.Input{Objects: objects.Items, System: e.System, Now: objects.Time, Each: onAllProcessors}
	in.Programs = objects.Whole[source.Deployments.Name()] && objects.Whole[source.DaemonSets.Name()]
	for _, gap := range objects.Gaps {
		in.Unseen = append(in.Unseen, view.Unseen{Resource: gap.Resource, OnlyNamespace: gap.Instead, Message: gap.String()})
	}
	return view.New(in)
}

// Programs asks for the flags and versions of Daymark's own programs, which not everybody may see.
func (e *Env) Programs() (queries []source.Query) {
	for _, kind := range []source.Kind{source.Deployments, source.DaemonSets} {
		queries = append(queries, source.Query{Kind: kind, Namespace: e.System, Labels: "app.kubernetes.io/name=daymark", Optional: true})
	}
	return queries
}

// World asks for all that the daemons' decisions depend on, and for the programs. Who may not read all Services is shown those of the
// namespace instead.
func (e *Env) World(instead string) []source.Query {
	return append(e.Programs(), source.Queries(instead, source.World...)...)
}
