package kubelet

import (
	"errors"
	"fmt"
	"reflect"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/e2e/lab/check"
)

// Objects are all of Daymark's own kinds, as the API server has them now.
func (c *Cluster) Objects() (all []unstructured.Unstructured) {
	c.t.Helper()
	scheme := runtime.NewScheme()
	check.Must(c.t, "know the kinds", v1beta1.AddToScheme(scheme))
	ctx, cancel := check.Context()
	defer cancel()
	for kind, kindType := range scheme.KnownTypes(v1beta1.GroupVersion) {
		if !strings.HasSuffix(kind, "List") || kindType.PkgPath() != reflect.TypeFor[v1beta1.Speaker]().PkgPath() {
			continue
		}
		list := &unstructured.UnstructuredList{}
		list.SetGroupVersionKind(v1beta1.GroupVersion.WithKind(kind))
		check.Must(c.t, "list "+kind, c.API.List(ctx, list))
		all = append(all, list.Items...)
	}
	return all
}

// StillValid reports which of the objects, as they were, the definitions of now do not take, or take and drop something of.
func (c *Cluster) StillValid(objects []unstructured.Unstructured) error {
	return c.updated(objects, "Strict", func(was, now *unstructured.Unstructured) error {
		if !contains(now.Object["spec"], was.Object["spec"]) {
			return fmt.Errorf("it has %v, and had %v", now.Object["spec"], was.Object["spec"])
		}
		return nil
	})
}

// Taken reports which of the objects, as they were, the definitions of now do not take, even without what they do not know: those of an
// older version have fewer fields.
func (c *Cluster) Taken(objects []unstructured.Unstructured) error {
	return c.updated(objects, "Ignore", func(_, _ *unstructured.Unstructured) error { return nil })
}

// updated has the API server check that each object is as it was, with a level of field validation, and compares what it would keep.
func (c *Cluster) updated(objects []unstructured.Unstructured, level string, compare func(was, now *unstructured.Unstructured) error) (errs error) {
	ctx, cancel := check.Context()
	defer cancel()
	for i := range objects {
		was := &objects[i]
		now, current := was.DeepCopy(), was.DeepCopy()
		err := c.API.Get(ctx, client.ObjectKeyFromObject(was), current)
		if err == nil {
			now.SetResourceVersion(current.GetResourceVersion())
			err = c.API.Update(ctx, now, client.DryRunAll, client.FieldValidation(level))
		}
		if err == nil {
			err = compare(was, now)
		}
		if err != nil {
			errs = errors.Join(errs, fmt.Errorf("%s %s: %w", was.GetKind(), was.GetName(), err))
		}
	}
	return errs
}

// contains tells whether a value has all that another one has: a definition may add defaults.
func contains(now, was any) bool {
	before, ok := was.(map[string]any)
	if !ok {
		return reflect.DeepEqual(now, was)
	}
	fields, ok := now.(map[string]any)
	for name, value := range before {
		ok = ok && contains(fields[name], value)
	}
	return ok
}
