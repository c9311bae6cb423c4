// Package crds brings the definitions of Daymark's kinds in a cluster to those that the program carries. A chart needs that: Helm
// installs definitions and never changes them. It refuses to delete any, and touches no object of the kinds.
package crds

import (
	"context"
	"fmt"
	"log/slog"

	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	crd "github.com/daymark-lb/daymark/config/crd"
)

// fieldOwner owns the definitions in their managedFields.
const fieldOwner = "daymark-crds"

// Apply applies all definitions on the server's side, whoever made them before, so that their specs are those of the program: what a version
// before had and this one has not goes. It needs the verbs get, create and patch. A
// definition that cannot be applied is an error that names it; those before it have been.
func Apply(ctx context.Context, config *rest.Config, log *slog.Logger) error {
	api, err := client.New(config, client.Options{})
	if err != nil {
		return fmt.Errorf("make a client: %w", err)
	}
	definitions, err := crd.Definitions()
	if err != nil {
		return err
	}
	for _, definition := range definitions {
		if err := takeOver(ctx, api, definition); err != nil {
			return fmt.Errorf("apply %s: %w", definition.GetName(), err)
		}
		applied := client.ApplyConfigurationFromUnstructured(definition)
		if err := api.Apply(ctx, applied, client.FieldOwner(fieldOwner), client.ForceOwnership); err != nil {
			return fmt.Errorf("apply %s: %w", definition.GetName(), err)
		}
		log.Info("applied", "definition", definition.GetName())
	}
	return nil
}
