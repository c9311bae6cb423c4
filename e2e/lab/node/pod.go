package node

import (
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/netip"
	"os"
	"time"

	"github.com/vishvananda/netlink"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/daymark-lb/daymark/e2e/lab/check"
	"github.com/daymark-lb/daymark/e2e/lab/controlplane"
	"github.com/daymark-lb/daymark/e2e/lab/probe"
	"github.com/daymark-lb/daymark/e2e/lab/segment"
	"github.com/daymark-lb/daymark/internal/testnet"
)

// PodPort is where the HTTP server of every pod listens, and where it answers datagrams.
const PodPort = 8080

// Pod is an HTTP server in a namespace of its own, with the object that a kubelet would report for it. It answers
// with its own name, its node's and the address it sees the client by, as probe.Answer, and does the same for each datagram.
type Pod struct {
	Name, Namespace string
	V4, V6          netip.Addr

	plane  *controlplane.ControlPlane
	node   *Node
	labels map[string]string
	host   *segment.Host
	server *http.Server
	socket net.PacketConn // answers datagrams
}

// NewPod is a pod in the namespace default that does not run yet.
func NewPod(plane *controlplane.ControlPlane, name string, labels map[string]string) *Pod {
	return &Pod{Name: name, Namespace: "default", plane: plane, labels: maps.Clone(labels)}
}

// Node is the name of the node the pod is on.
func (p *Pod) Node() string { return p.node.Name }

// Host is the pod's place in the network, nil while it does not run.
func (p *Pod) Host() *segment.Host { return p.host }

// StartOn starts the pod on a node and reports it ready.
func (p *Pod) StartOn(n *Node) error {
	p.node = n
	if err := errors.Join(p.up(), p.create()); err != nil {
		return err
	}
	return p.Report(true)
}

// Remove deletes the pod with no time of grace and takes its network away; one that is gone already stays so.
func (p *Pod) Remove() error { return errors.Join(p.delete(0), p.down()) }

// Terminate deletes the pod with a time of grace, in which it goes on serving until it is removed.
func (p *Pod) Terminate() error { return p.delete(time.Minute) }

func (p *Pod) delete(grace time.Duration) error {
	ctx, cancel := check.Context()
	defer cancel()
	object := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: p.Namespace, Name: p.Name}}
	return client.IgnoreNotFound(p.plane.API.Delete(ctx, object, client.GracePeriodSeconds(grace/time.Second)))
}

func (p *Pod) create() error {
	ctx, cancel := check.Context()
	defer cancel()
	object := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: p.Namespace, Name: p.Name, Labels: p.labels},
		Spec: corev1.PodSpec{
			NodeName:   p.node.Name,
			Containers: []corev1.Container{{Name: "server", Image: "lab/server"}},
		},
	}
	if err := p.plane.API.Create(ctx, object); err != nil {
		return fmt.Errorf("create the object: %w", err)
	}
	return nil
}

// Report writes the status that a kubelet would write.
func (p *Pod) Report(ready bool) error {
	ctx, cancel := check.Context()
	defer cancel()
	is := corev1.ConditionFalse
	if ready {
		is = corev1.ConditionTrue
	}
	object := &corev1.Pod{}
	if err := p.plane.API.Get(ctx, client.ObjectKey{Namespace: p.Namespace, Name: p.Name}, object); err != nil {
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
	if err := p.plane.API.Status().Update(ctx, object); err != nil {
		return fmt.Errorf("write the status: %w", err)
	}
	return nil
}

// up gives the pod a namespace, addresses of its node's ranges, a route to it, and a server.
func (p *Pod) up() (err error) {
	n := p.node
	port, err := n.allocate(p)
	if err != nil {
		return err
	}
	if p.host, err = segment.NewHost("pod-" + p.Name); err != nil {
		return err
	}
	err = errors.Join(
		testnet.Wire(p.host.Namespace, "eth0", n.Namespace, port, nil),
		n.SetKernel(map[string]string{"ipv4/conf/" + port + "/proxy_arp": "1", "ipv4/neigh/" + port + "/proxy_delay": "0"}),
		n.Address(port, netip.PrefixFrom(segment.PodGatewayV6, 64)),
		n.Route(segment.Single(p.V4), netip.Addr{}, port), n.Route(segment.Single(p.V6), netip.Addr{}, port),
		p.host.Address("eth0", segment.Single(p.V4), segment.Single(p.V6)),
		p.host.Route(segment.EverywhereV4, segment.PodGatewayV4, "eth0", netlink.FLAG_ONLINK),
		p.host.Route(segment.EverywhereV6, segment.PodGatewayV6, "eth0"),
	)
	if err != nil {
		return err
	}
	if p.server, err = serve(p.host, p.Name, n.Name); err != nil {
		return err
	}
	p.socket, err = answer(p.host, p.Name, n.Name)
	return err
}

func (p *Pod) down() error {
	if p.host == nil {
		return nil
	}
	p.node.free(p)
	var errs []error
	if p.server != nil {
		errs = append(errs, p.server.Close())
	}
	if p.socket != nil {
		errs = append(errs, p.socket.Close())
	}
	errs = append(errs, p.host.Remove())
	p.host, p.server, p.socket = nil, nil, nil
	return errors.Join(errs...)
}

// serve runs the HTTP server of a pod until it is closed.
func serve(h *segment.Host, pod, node string) (*http.Server, error) {
	ctx, cancel := check.Context()
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
			fmt.Fprintln(w, probe.Answer{Pod: pod, Node: node, Client: client.Addr().Unmap()})
		}),
	}
	go func() {
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			fmt.Fprintf(os.Stderr, "lab: pod %s stopped serving: %v\n", pod, err)
		}
	}()
	return server, nil
}

// answer answers each datagram to a pod until the socket is closed.
func answer(h *segment.Host, pod, node string) (socket net.PacketConn, err error) {
	ctx, cancel := check.Context()
	defer cancel()
	err = h.Do(func() (err error) {
		socket, err = (&net.ListenConfig{}).ListenPacket(ctx, "udp", fmt.Sprintf(":%d", PodPort))
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("listen for datagrams in pod %s: %w", pod, err)
	}
	go func() {
		buffer := make([]byte, 1500)
		for {
			_, from, err := socket.ReadFrom(buffer)
			if errors.Is(err, net.ErrClosed) {
				return
			}
			if udp, ok := from.(*net.UDPAddr); ok {
				_, _ = socket.WriteTo([]byte(probe.Answer{Pod: pod, Node: node, Client: udp.AddrPort().Addr().Unmap()}.String()), from)
			}
		}
	}()
	return socket, nil
}
