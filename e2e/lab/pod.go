package lab

import (
	"github.com/daymark-lb/daymark/e2e/lab/node"
)

// Pod is a pod with methods for tests: an HTTP server that answers with its own name, its node's and the address it sees
// the client by, as Answer.
type Pod struct {
	*node.Pod
	c *Cluster
}

// Pod starts a pod with the label app=<name> on a node, in the namespace default, and waits until it is reported ready. The
// test's end deletes it.
func (c *Cluster) Pod(name, node string) *Pod {
	c.t.Helper()
	return c.PodWith(name, node, map[string]string{"app": name})
}

// PodWith starts a pod with these labels.
func (c *Cluster) PodWith(name, on string, labels map[string]string) *Pod {
	c.t.Helper()
	p := &Pod{node.NewPod(c.plane, name, labels), c}
	c.t.Cleanup(p.Delete)
	c.must("start pod "+name, p.StartOn(c.Node(on).Node))
	return p
}

// MoveTo deletes the pod and starts it on another node, with other addresses.
func (p *Pod) MoveTo(node string) {
	p.c.t.Helper()
	p.Delete()
	p.c.must("start pod "+p.Name, p.StartOn(p.c.Node(node).Node))
}

// Delete deletes the pod with no time of grace and takes its network away; one that is gone already stays so.
func (p *Pod) Delete() {
	p.c.t.Helper()
	p.c.must("delete pod "+p.Name, p.Remove())
}

// Terminate deletes the pod with a time of grace, in which it goes on serving until the test deletes it.
func (p *Pod) Terminate() {
	p.c.t.Helper()
	p.c.must("terminate pod "+p.Name, p.Pod.Terminate())
}

// SetReady reports the pod ready or not.
func (p *Pod) SetReady(ready bool) {
	p.c.t.Helper()
	p.c.must("report pod "+p.Name, p.Report(ready))
}
