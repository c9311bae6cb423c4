package changeover

import (
	"encoding/json"
	"fmt"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/cli/source"
)

// patch is a merge patch of one object.
type patch struct {
	kind            schema.GroupVersionKind
	resource        string
	namespace, name string
	body            string
}

// command is the patch as one may write it by hand. Names and labels have no quotes: the API server refuses them.
func (p *patch) command() string {
	return fmt.Sprintf("kubectl patch %s %s -n %s --type=merge -p '%s'", p.resource, p.name, p.namespace, p.body)
}

func commands(patches []patch) (all []string) {
	for i := range patches {
		all = append(all, patches[i].command())
	}
	return all
}

// patches that a step writes, in their order: of a step that was done in part those that are missing.
func (p *Plan) patches(step *Step) (all []patch) {
	if step.Name == Advertisements {
		for i := range p.advertisements {
			if a := &p.advertisements[i]; a.selectors != nil {
				all = append(all, a.patch())
			}
		}
	}
	for _, s := range step.services {
		if !s.marked() {
			all = append(all, mark(s, v1beta1.ProviderDaymark, v1beta1.ProviderDaymark))
		}
	}
	return all
}

func (a *advertisement) patch() patch {
	resource := l2Advertisements.Name()
	if a.object.GetKind() == bgpAdvertisements.Kind {
		resource = bgpAdvertisements.Name()
	}
	body := map[string]any{"spec": map[string]any{"serviceSelectors": a.selectors}}
	return patch{a.object.GroupVersionKind(), resource, a.object.GetNamespace(), a.object.GetName(), text(body)}
}

// mark sets the label, or removes it if it is nil, and the annotation, in one write: so no provider acts on half of it.
func mark(s *service, label any, annotation string) patch {
	body := map[string]any{"metadata": map[string]any{
		"labels": map[string]any{Label: label}, "annotations": map[string]any{v1beta1.AnnotationProvider: annotation},
	}}
	return patch{source.Services.GroupVersionKind, "service", s.Key.Namespace, s.Key.Name, text(body)}
}

// text of a patch, which has maps, lists and texts only.
func text(body any) string {
	out, err := json.Marshal(body)
	if err != nil {
		panic(err) // cannot be, of these
	}
	return string(out)
}
