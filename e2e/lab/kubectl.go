package lab

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Kubectl runs kubectl as an administrator and gives what it printed.
func (c *Cluster) Kubectl(arguments ...string) string {
	c.t.Helper()
	out, err := c.TryKubectl("", arguments...)
	c.must("kubectl", err)
	return out
}

// TryKubectl is Kubectl that may fail: the error says what kubectl said.
func (c *Cluster) TryKubectl(stdin string, arguments ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	argv := append([]string{kubernetesProgram("kubectl"), "--kubeconfig", c.plane.kubeconfig}, arguments...)
	return c.here.Run(ctx, stdin, argv...)
}

// Apply applies manifests as `kubectl apply --server-side` does, in the namespace default unless they say another, and
// deletes them when the test ends. It is quicker than starting kubectl, and so measures better what follows.
func (c *Cluster) Apply(manifests string) {
	c.t.Helper()
	objects, err := parse(manifests)
	c.must("read manifests", err)
	for _, o := range objects {
		c.t.Cleanup(func() { c.must("delete what the test applied", client.IgnoreNotFound(c.delete(o))) })
		c.must("apply", c.apply(o))
	}
}

// TryApply applies manifests, and gives what the API server says against them. Nothing deletes what it took.
func (c *Cluster) TryApply(manifests string) error {
	objects, err := parse(manifests)
	if err != nil {
		return err
	}
	for _, o := range objects {
		if err := c.apply(o); err != nil {
			return err
		}
	}
	return nil
}

// Delete deletes what the manifests name; what is gone already is as good.
func (c *Cluster) Delete(manifests string) {
	c.t.Helper()
	objects, err := parse(manifests)
	c.must("read manifests", err)
	for _, o := range objects {
		c.must("delete", client.IgnoreNotFound(c.delete(o)))
	}
}

// apply waits a moment for a kind that is not served yet: its definition may be just new.
func (c *Cluster) apply(object *unstructured.Unstructured) error {
	ctx, cancel := background()
	defer cancel()
	_, err := eventually(5*time.Second, func() error {
		_, err := c.api.RESTMapper().RESTMapping(object.GroupVersionKind().GroupKind())
		if meta.IsNoMatchError(err) {
			return err
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("apply %s %s: %w", object.GetKind(), object.GetName(), err)
	}
	configuration := client.ApplyConfigurationFromUnstructured(object.DeepCopy())
	if err := c.api.Apply(ctx, configuration, client.FieldOwner("lab"), client.ForceOwnership); err != nil {
		return fmt.Errorf("apply %s %s: %w", object.GetKind(), object.GetName(), err)
	}
	return nil
}

func (c *Cluster) delete(object *unstructured.Unstructured) error {
	ctx, cancel := background()
	defer cancel()
	return c.api.Delete(ctx, object.DeepCopy())
}

func parse(manifests string) (objects []*unstructured.Unstructured, err error) {
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

// Get reads an object of any kind, such as "daymark.io/v1beta1" "Speaker", and fails the test when there is none.
func (c *Cluster) Get(apiVersion, kind, name string) *unstructured.Unstructured {
	c.t.Helper()
	o, err := c.Look(apiVersion, kind, name)
	c.must("read "+kind+" "+name, err)
	return o
}

// Look is Get that may find nothing.
func (c *Cluster) Look(apiVersion, kind, name string) (*unstructured.Unstructured, error) {
	ctx, cancel := background()
	defer cancel()
	o := &unstructured.Unstructured{}
	o.SetAPIVersion(apiVersion)
	o.SetKind(kind)
	key := client.ObjectKey{Name: name}
	if namespaced[kind] {
		key.Namespace = "default"
	}
	return o, c.api.Get(ctx, key, o)
}
