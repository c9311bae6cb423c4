package validate

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	apiextensions "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/cel"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/defaulting"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/listtype"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/pruning"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/validation"
	"k8s.io/apimachinery/pkg/api/meta"
	apivalidation "k8s.io/apimachinery/pkg/api/validation"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	runtimeschema "k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation/field"
	celconfig "k8s.io/apiserver/pkg/apis/cel"

	"github.com/daymark-lb/daymark/config/crd"
	"github.com/daymark-lb/daymark/internal/core/lb"
)

// kind is a kind with the checks that its definition describes, as the API server makes them.
type kind struct {
	namespaced bool
	structural *schema.Structural
	validator  validation.SchemaValidator
	rules      *cel.Validator
}

// kinds by apiVersion and kind. Those whose objects are met are prepared.
type kinds struct {
	definitions map[string]*apiextensionsv1.CustomResourceDefinition
	prepared    map[string]*kind
}

func newKinds() (*kinds, error) {
	definitions, err := crd.Definitions()
	if err != nil {
		return nil, err
	}
	k := &kinds{map[string]*apiextensionsv1.CustomResourceDefinition{}, map[string]*kind{}}
	for _, raw := range definitions {
		definition := &apiextensionsv1.CustomResourceDefinition{}
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(raw.Object, definition); err != nil {
			return nil, fmt.Errorf("read the definition %s: %w", raw.GetName(), err)
		}
		k.definitions[definition.Spec.Names.Kind] = definition
	}
	return k, nil
}

// of returns a kind; nil for one that there is not.
func (k *kinds) of(apiVersion, name string) (*kind, error) {
	if prepared := k.prepared[apiVersion+" "+name]; prepared != nil {
		return prepared, nil
	}
	definition := k.definitions[name]
	if definition == nil {
		return nil, nil
	}
	for i := range definition.Spec.Versions {
		version := &definition.Spec.Versions[i]
		if definition.Spec.Group+"/"+version.Name != apiVersion || !version.Served {
			continue
		}
		prepared, err := prepare(version.Schema.OpenAPIV3Schema)
		if err != nil {
			return nil, fmt.Errorf("the schema of %s %s: %w", apiVersion, name, err)
		}
		prepared.namespaced = definition.Spec.Scope == apiextensionsv1.NamespaceScoped
		k.prepared[apiVersion+" "+name] = prepared
		return prepared, nil
	}
	return nil, nil
}

func prepare(from *apiextensionsv1.JSONSchemaProps) (*kind, error) {
	var internal apiextensions.JSONSchemaProps
	if err := apiextensionsv1.Convert_v1_JSONSchemaProps_To_apiextensions_JSONSchemaProps(from, &internal, nil); err != nil {
		return nil, err
	}
	structural, err := schema.NewStructural(&internal)
	if err != nil {
		return nil, err
	}
	validator, _, err := validation.NewSchemaValidator(&internal)
	if err != nil {
		return nil, err
	}
	return &kind{structural: structural, validator: validator, rules: cel.NewValidator(structural, true, celconfig.PerCallLimit)}, nil
}

// check an object, which gets the defaults of its kind, and return what the API server would say when it is created.
func (k *kind) check(ctx context.Context, object map[string]any) (all field.ErrorList) {
	delete(object, "status") // the API server takes none from who creates an object
	all = append(all, k.unknown(object)...)
	defaulting.Default(object, k.structural)
	all = append(all, metadata(object, k.namespaced)...)
	content := validation.ValidateCustomResource(nil, object, k.validator)
	content = append(content, listtype.ValidateListSetsAndMaps(nil, k.structural, object)...)
	if len(content) == 0 && k.rules != nil { // the rules read what the schema lets in
		content, _ = k.rules.Validate(ctx, nil, k.structural, object, nil, celconfig.RuntimeCELCostBudget)
	}
	return append(all, content...)
}

// unknown are fields that the kind has not, which are removed.
func (k *kind) unknown(object map[string]any) (all field.ErrorList) {
	options := schema.UnknownFieldPathOptions{TrackUnknownFieldPaths: true}
	for _, path := range pruning.PruneWithOptions(object, k.structural, true, options) {
		words := "there is no such field"
		if near := k.near(path); near != "" {
			words += "; meant may be " + near
		}
		all = append(all, field.Forbidden(field.NewPath(path), words))
	}
	return all
}

// near is the field that one that does not exist is most probably meant to be.
func (k *kind) near(path string) string {
	at, all := k.structural, steps(path)
	if len(all) == 0 { // a key without letters
		return ""
	}
	for _, step := range all[:len(all)-1] {
		switch step := step.(type) {
		case int:
			at = at.Items
		case string:
			next, exists := at.Properties[step]
			if !exists {
				return ""
			}
			at = &next
		}
		if at == nil {
			return ""
		}
	}
	name, _ := all[len(all)-1].(string)
	return nearest(name, at.Properties)
}

// metadata says what is wrong with the metadata of an object.
func metadata(object map[string]any, namespaced bool) field.ErrorList {
	accessor, err := meta.Accessor(&unstructured.Unstructured{Object: object})
	if err != nil {
		return field.ErrorList{field.Invalid(field.NewPath("metadata"), "", err.Error())}
	}
	path := field.NewPath("metadata")
	if namespaced && accessor.GetNamespace() == "" {
		accessor.SetNamespace(metav1.NamespaceDefault)
	}
	if !namespaced && accessor.GetNamespace() != "" {
		return field.ErrorList{field.Invalid(path.Child("namespace"), accessor.GetNamespace(), "objects of this kind have no namespace")}
	}
	return apivalidation.ValidateObjectMetaAccessor(accessor, namespaced, apivalidation.NameIsDNSSubdomain, path)
}

// known are the kinds and versions that there are, for an error.
func (k *kinds) known(gvk runtimeschema.GroupVersionKind) string {
	if definition := k.definitions[gvk.Kind]; definition != nil {
		var versions []string
		for _, version := range definition.Spec.Versions {
			versions = append(versions, definition.Spec.Group+"/"+version.Name)
		}
		return fmt.Sprintf("%s is of %s", gvk.Kind, strings.Join(versions, " and of "))
	}
	if near := nearest(gvk.Kind, k.definitions); near != "" {
		return fmt.Sprintf("there is no kind %s; meant may be %s", gvk.Kind, near)
	}
	return fmt.Sprintf("there is no kind %s", gvk.Kind)
}

func nearest[V any](name string, known map[string]V) string {
	return lb.Nearest(name, slices.Collect(maps.Keys(known)))
}
