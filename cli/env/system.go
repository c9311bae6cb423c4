package env

import (
	"context"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"

	"github.com/daymark-lb/daymark/cli/source"
)

// FindSystem has System be the namespace that the controller is in, unless --daymark-namespace says which. Who may not list Deployments of
// all namespaces, and a cluster without a controller, have the default. Call it before what asks for objects of System.
func (e *Env) FindSystem(ctx context.Context) error {
	if e.systemFound || e.systemFlag != nil && e.systemFlag.Changed {
		return nil
	}
	from, err := e.Source()
	if err != nil {
		return err
	}
	objects, err := from.Read(ctx, source.Query{
		Kind: source.Deployments, Labels: "app.kubernetes.io/name=daymark,app.kubernetes.io/component=controller", Optional: true,
	})
	if err != nil {
		return err
	}
	e.systemFound = true
	var found []string
	for _, d := range source.Of[*appsv1.Deployment](objects) {
		found = append(found, d.Namespace)
	}
	found = slices.Compact(found) // they are in order
	if len(found) > 0 && !slices.Contains(found, e.System) {
		e.System = found[0]
	}
	if len(found) > 1 {
		e.Warn("controllers of Daymark are in the namespaces %s: this is about that of %s; --daymark-namespace names another one", strings.Join(found, ", "), e.System)
	}
	return nil
}
