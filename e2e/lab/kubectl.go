package lab

import (
	"context"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/daymark-lb/daymark/e2e/lab/controlplane"
)

// Kubectl runs kubectl as an administrator and returns what it printed.
func (c *Cluster) Kubectl(arguments ...string) string {
	c.t.Helper()
	out, err := c.TryKubectl("", arguments...)
	c.must("kubectl", err)
	return out
}

// TryKubectl is Kubectl that may fail: the error says what kubectl says.
func (c *Cluster) TryKubectl(stdin string, arguments ...string) (string, error) {
	return c.plane.Kubectl(stdin, arguments...)
}

// Apply applies manifests as `kubectl apply --server-side` does, in the namespace default unless they say another, and
// deletes them when the test ends. It is quicker than starting kubectl, and so measures better what follows.
func (c *Cluster) Apply(manifests string) {
	c.t.Helper()
	objects, err := controlplane.Parse(manifests)
	c.must("read manifests", err)
	for _, o := range objects {
		c.t.Cleanup(func() { c.must("delete what the test applied", c.delete(o)) })
		c.must("apply", c.plane.Apply(o))
	}
}

// delete deletes an object, a pool even while Services have addresses of it.
func (c *Cluster) delete(o *unstructured.Unstructured) error {
	err := c.plane.Delete(o)
	if err == nil || o.GetKind() != "IPAddressPool" {
		return err
	}
	allowed := o.DeepCopy()
	allowed.SetAnnotations(map[string]string{"daymark.io/allow-deletion": "true"})
	if err := c.plane.Apply(allowed); err != nil {
		return err
	}
	return c.plane.Delete(o)
}

// TryApply applies manifests, and returns the API server's error. Nothing deletes what it took.
func (c *Cluster) TryApply(manifests string) error {
	objects, err := controlplane.Parse(manifests)
	if err != nil {
		return err
	}
	for _, o := range objects {
		if err := c.plane.Apply(o); err != nil {
			return err
		}
	}
	return nil
}

// Delete deletes what the manifests name; what is gone already is as good.
func (c *Cluster) Delete(manifests string) {
	c.t.Helper()
	objects, err := controlplane.Parse(manifests)
	c.must("read manifests", err)
	for _, o := range objects {
		c.must("delete", c.plane.Delete(o))
	}
}

// Get reads an object of any kind, such as "daymark.io/v1beta1" "Speaker", and fails the test when there is none.
func (c *Cluster) Get(apiVersion, kind, name string) *unstructured.Unstructured {
	c.t.Helper()
	o, err := c.Look(apiVersion, kind, name)
	c.must("read "+kind+" "+name, err)
	return o
}

// Look is Get that may find nothing.
func (c *Cluster) Look(apiVersion, kind, name string) (*unstructured.Unstructured, error) {
	return c.plane.Look(apiVersion, kind, name)
}

// Store puts objects of one of Kubernetes' own kinds into etcd past the API server; see controlplane.Store.
func (c *Cluster) Store(ctx context.Context, folder string, objects []client.Object) {
	c.t.Helper()
	c.must("store "+folder, c.plane.Store(ctx, folder, objects))
}
