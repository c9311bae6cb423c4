package lab

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/netip"
	"os"
	"slices"
	"time"

	"github.com/vishvananda/netlink"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// PodPort is where the HTTP server of every pod listens.
const PodPort = 8080

// Pod is an HTTP server in a namespace of its own, with the object that a kubelet would report for it. It answers
// with its own name, its node's and the address it sees the client by, as Answer.
type Pod struct {
	Name, Namespace string
	V4, V6          netip.Addr

	c      *Cluster
	node   *node
	labels map[string]string
	host   *Host
	server *http.Server
}

// Pod starts a pod with the label app=<name> on a node, in the namespace default, and waits until it is reported ready. The
// test's end deletes it.
func (c *Cluster) Pod(name, node string) *Pod {
	c.t.Helper()
	return c.PodWith(name, node, map[string]string{"app": name})
}

// PodWith starts a pod with these labels.
func (c *Cluster) PodWith(name, node string, labels map[string]string) *Pod {
	c.t.Helper()
	p := &Pod{Name: name, Namespace: "default", c: c, labels: maps.Clone(labels)}
	c.t.Cleanup(p.Delete)
	p.startOn(c.Node(node).node)
	return p
}

// Node is the name of the node the pod is on.
func (p *Pod) Node() string { return p.node.Name }

// MoveTo deletes the pod and starts it on another node, with other addresses.
func (p *Pod) MoveTo(node string) {
	p.c.t.Helper()
	p.Delete()
	p.startOn(p.c.Node(node).node)
}

// Delete deletes the pod with no time of grace and takes its network away; one that is gone already stays so.
func (p *Pod) Delete() {
	p.c.t.Helper()
	ctx, cancel := background()
	defer cancel()
	object := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: p.Namespace, Name: p.Name}}
	err := client.IgnoreNotFound(p.c.api.Delete(ctx, object, client.GracePeriodSeconds(0)))
	p.c.must("delete pod "+p.Name, errors.Join(err, p.down()))
}

// SetReady reports the pod ready or not.
func (p *Pod) SetReady(ready bool) {
	p.c.t.Helper()
	p.c.must("report pod "+p.Name, p.report(ready))
}

func (p *Pod) startOn(n *node) {
	p.c.t.Helper()
	p.node = n
	p.c.must("start pod "+p.Name, errors.Join(p.up(), p.create()))
	p.c.must("report pod "+p.Name, p.report(true))
}

func (p *Pod) create() error {
	ctx, cancel := background()
	defer cancel()
	object := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: p.Namespace, Name: p.Name, Labels: p.labels},
		Spec: corev1.PodSpec{
			NodeName:   p.node.Name,
			Containers: []corev1.Container{{Name: "server", Image: "lab/server"}},
		},
	}
	if err := p.c.api.Create(ctx, object); err != nil {
		return fmt.Errorf("create the object: %w", err)
	}
	return nil
}

// report writes the status that a kubelet would write.
func (p *Pod) report(ready bool) error {
	ctx, cancel := background()
	defer cancel()
	is := corev1.ConditionFalse
	if ready {
		is = corev1.ConditionTrue
	}
	object := &corev1.Pod{}
	if err := p.c.api.Get(ctx, client.ObjectKey{Namespace: p.Namespace, Name: p.Name}, object); err != nil {
		return fmt.Errorf("read the object: %w", err)
	}
	now := metav1.Now()
	object.Status = corev1.PodStatus{
		Phase: corev1.PodRunning, StartTime: &now,
		HostIP: p.node.V4.String(), HostIPs: []corev1.HostIP{{IP: p.node.V4.String()}, {IP: p.node.V6.String()}},
		PodIP: p.V4.String(), PodIPs: []corev1.PodIP{{IP: p.V4.String()}, {IP: p.V6.String()}},
		Conditions: []corev1.PodCondition{
			{Type: corev1.PodScheduled, Status: corev1.ConditionTrue, LastTransitionTime: now},
			{Type: corev1.PodInitialized, Status: corev1.ConditionTrue, LastTransitionTime: now},
			{Type: corev1.ContainersReady, Status: is, LastTransitionTime: now},
			{Type: corev1.PodReady, Status: is, LastTransitionTime: now},
		},
		ContainerStatuses: []corev1.ContainerStatus{{
			Name: "server", Image: "lab/server", Ready: ready, Started: &ready,
			State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: now}},
		}},
	}
	if err := p.c.api.Status().Update(ctx, object); err != nil {
		return fmt.Errorf("write the status: %w", err)
	}
	return nil
}

// up gives the pod a namespace, addresses of its node's ranges, a route to it, and a server.
func (p *Pod) up() (err error) {
	n := p.node
	if p.V4, p.V6, err = p.c.podAddresses(n); err != nil {
		return err
	}
	if p.host, err = newHost("pod-" + p.Name); err != nil {
		return err
	}
	port := fmt.Sprintf("pod%d", n.given)
	err = errors.Join(
		wire(p.host, "eth0", n.Host, port, nil),
		n.sysctl(map[string]string{"ipv4/conf/" + port + "/proxy_arp": "1", "ipv4/neigh/" + port + "/proxy_delay": "0"}),
		n.addresses(port, netip.PrefixFrom(podGatewayV6, 64)),
		n.route(single(p.V4), netip.Addr{}, port, 0), n.route(single(p.V6), netip.Addr{}, port, 0),
		p.host.addresses("eth0", single(p.V4), single(p.V6)),
		p.host.route(everywhereV4, podGatewayV4, "eth0", int(netlink.FLAG_ONLINK)),
		p.host.route(everywhereV6, podGatewayV6, "eth0", 0),
	)
	if err != nil {
		return err
	}
	p.server, err = serve(p.host, p.Name, n.Name)
	p.c.mu.Lock()
	p.c.pods[p.Name] = p
	p.c.mu.Unlock()
	return err
}

// podAddresses are the next ones of the node that no pod has. They go round, so that one that was freed rests for as long
// as can be: connections to the pod that had it may still be around.
func (c *Cluster) podAddresses(n *node) (v4, v6 netip.Addr, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for range podsPerNode {
		v4, v6 = podAddresses(n.number, 1+n.given%podsPerNode)
		n.given++
		taken := slices.ContainsFunc(slices.Collect(maps.Values(c.pods)), func(p *Pod) bool { return p.V4 == v4 })
		if !taken {
			return v4, v6, nil
		}
	}
	return v4, v6, fmt.Errorf("%s has given all its %d pod addresses", n.Name, podsPerNode)
}

func (p *Pod) down() error {
	if p.host == nil {
		return nil
	}
	p.c.mu.Lock()
	delete(p.c.pods, p.Name)
	p.c.mu.Unlock()
	var errs []error
	if p.server != nil {
		errs = append(errs, p.server.Close())
	}
	errs = append(errs, p.host.remove())
	p.host, p.server = nil, nil
	return errors.Join(errs...)
}

func single(a netip.Addr) netip.Prefix { return netip.PrefixFrom(a, a.BitLen()) }

// serve runs the HTTP server of a pod until it is closed.
func serve(h *Host, pod, node string) (*http.Server, error) {
	ctx, cancel := background()
	defer cancel()
	listener, err := h.Listen(ctx, fmt.Sprintf(":%d", PodPort))
	if err != nil {
		return nil, fmt.Errorf("listen in pod %s: %w", pod, err)
	}
	server := &http.Server{
		ReadHeaderTimeout: 10 * time.Second,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			client, err := netip.ParseAddrPort(r.RemoteAddr)
			if err != nil {
				http.Error(w, err.Error(), http.StatusInternalServerError)
				return
			}
			fmt.Fprintln(w, Answer{Pod: pod, Node: node, Client: client.Addr().Unmap()})
		}),
	}
	go func() {
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			fmt.Fprintf(os.Stderr, "lab: pod %s stopped serving: %v\n", pod, err)
		}
	}()
	return server, nil
}
