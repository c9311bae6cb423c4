package controlplane

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/daymark-lb/daymark/e2e/lab/build"
	"github.com/daymark-lb/daymark/e2e/lab/check"
	"github.com/daymark-lb/daymark/internal/testnet"
)

// Kubectl runs kubectl as an administrator and returns what it printed; the error says what kubectl says.
func (p *ControlPlane) Kubectl(stdin string, arguments ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	argv := append([]string{build.KubernetesProgram("kubectl"), "--kubeconfig", p.Kubeconfig}, arguments...)
	return p.here.Run(ctx, stdin, argv...)
}

// Apply applies an object as `kubectl apply --server-side` does. It waits a moment for a kind that is not served yet: its
// definition may be new.
func (p *ControlPlane) Apply(object *unstructured.Unstructured) error {
	ctx, cancel := check.Context()
	defer cancel()
	_, err := testnet.Eventually(5*time.Second, func() error {
		_, err := p.API.RESTMapper().RESTMapping(object.GroupVersionKind().GroupKind())
		if meta.IsNoMatchError(err) {
			return err
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("apply %s %s: %w", object.GetKind(), object.GetName(), err)
	}
	configuration := client.ApplyConfigurationFromUnstructured(object.DeepCopy())
	if err := p.API.Apply(ctx, configuration, client.FieldOwner("lab"), client.ForceOwnership); err != nil {
		return fmt.Errorf("apply %s %s: %w", object.GetKind(), object.GetName(), err)
	}
	return nil
}

// Delete deletes an object; one that is gone already is no error.
func (p *ControlPlane) Delete(object *unstructured.Unstructured) error {
	ctx, cancel := check.Context()
	defer cancel()
	if slices.Contains([]string{"IPAddressPool", "BFDProfile", "Community", "Secret"}, object.GetKind()) {
		// The pool counts a Service that is gone for up to a second, the API server remembers who named the others as long, and what is
		// in use is not deleted unless that is asked for.
		allow := client.RawPatch(types.MergePatchType, []byte(`{"metadata":{"annotations":{"daymark.io/allow-deletion":"true"}}}`))
		if err := p.API.Patch(ctx, object.DeepCopy(), allow); client.IgnoreNotFound(err) != nil {
			return err
		}
	}
	return client.IgnoreNotFound(p.API.Delete(ctx, object.DeepCopy()))
}

// Parse reads manifests. Objects of a kind that lives in namespaces are in the namespace default unless they say another.
func Parse(manifests string) (objects []*unstructured.Unstructured, err error) {
	decoder := yaml.NewYAMLOrJSONDecoder(strings.NewReader(manifests), 4096)
	for {
		o := &unstructured.Unstructured{}
		err := decoder.Decode(&o.Object)
		switch {
		case errors.Is(err, io.EOF):
			return objects, nil
		case err != nil:
			return nil, fmt.Errorf("read a manifest: %w", err)
		case len(o.Object) == 0:
			continue
		}
		if o.GetNamespace() == "" && namespaced[o.GetKind()] {
			o.SetNamespace("default")
		}
		objects = append(objects, o)
	}
}

// namespaced are the kinds that tests use and that live in namespaces; all of Daymark's own are cluster-scoped.
var namespaced = map[string]bool{"Service": true, "Secret": true, "ConfigMap": true, "Pod": true, "EndpointSlice": true}

// Look reads an object of any kind, such as "daymark.io/v1beta1" "Speaker".
func (p *ControlPlane) Look(apiVersion, kind, name string) (*unstructured.Unstructured, error) {
	ctx, cancel := check.Context()
	defer cancel()
	o := &unstructured.Unstructured{}
	o.SetAPIVersion(apiVersion)
	o.SetKind(kind)
	key := client.ObjectKey{Name: name}
	if namespaced[kind] {
		key.Namespace = "default"
	}
	return o, p.API.Get(ctx, key, o)
}
