package lab

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	ctrllog "sigs.k8s.io/controller-runtime/pkg/log"
)

// world is the lab itself, which may serve several tests one after another.
type world struct {
	dir        string
	fabric     *fabric
	here       *Host // the API server's host, where we stand
	hosts      []*Host
	plane      *controlPlane
	api        client.Client
	nodes      []*node
	client     *Host
	farClient  *Host
	router     *Router
	stranger   *Host // made when first asked for
	controller *Program
	proxy      ProxyKind

	mu    sync.Mutex
	pods  map[string]*Pod
	steps []Step
}

func bringUp(s settings) (*world, error) {
	if s.nodes < 1 || s.nodes > 7 {
		return nil, fmt.Errorf("bring up %d nodes: the pod ranges are for 1 to 7", s.nodes)
	}
	dir, err := workFolder("cluster")
	if err != nil {
		return nil, err
	}
	w := &world{dir: dir, proxy: s.proxy, pods: map[string]*Pod{}}
	for _, step := range []struct {
		what string
		do   func() error
	}{
		{"network", func() error { return w.layNetwork(s.nodes) }},
		{"etcd and API server", w.startAPI},
		{"nodes", w.startNodes},
		{"router", func() error { return w.startRouter(s.router) }},
	} {
		began := time.Now()
		if err := step.do(); err != nil {
			return w, fmt.Errorf("%s: %w", step.what, err)
		}
		w.steps = append(w.steps, Step{step.what, time.Since(began)})
	}
	return w, nil
}

// layNetwork makes the segment and all hosts on and behind it.
func (w *world) layNetwork(nodes int) (err error) {
	if w.fabric, err = newFabric(); err != nil {
		return err
	}
	if w.here, err = hereAsHost("api"); err != nil {
		return err
	}
	if err := w.connect(w.here, onSegmentOf(APIServerV4)); err != nil {
		return err
	}
	router, err := w.join("router", onSegmentOf(RouterV4))
	if err != nil {
		return err
	}
	if err := router.sysctl(forwards); err != nil {
		return err
	}
	w.router = &Router{Host: router, dir: w.dir}
	if w.client, err = w.join("client", onSegmentOf(ClientV4)); err != nil {
		return err
	}
	for i := range nodes {
		if err := w.addNode(i + 1); err != nil {
			return err
		}
	}
	return w.layFarSide(router)
}

// layFarSide puts the far client behind the router.
func (w *world) layFarSide(router *Host) (err error) {
	if w.farClient, err = newHost("far"); err != nil {
		return err
	}
	w.hosts = append(w.hosts, w.farClient)
	here, there := farLink()
	w.farClient.V4, w.farClient.V6 = there[0].Addr(), there[1].Addr()
	return errors.Join(
		wire(w.farClient, "eth0", router, "eth1", macFor(FarClientV4)),
		router.addresses("eth1", here[:]...),
		w.farClient.addresses("eth0", there[:]...),
		w.farClient.route(everywhereV4, here[0].Addr(), "eth0", 0),
		w.farClient.route(everywhereV6, here[1].Addr(), "eth0", 0),
	)
}

// join makes a host on the segment.
func (w *world) join(name string, at segmentAddresses) (*Host, error) {
	h, err := newHost(name)
	if err != nil {
		return nil, err
	}
	err = w.connect(h, at)
	// Only now, when it will not change any more: others look at the hosts meanwhile.
	w.mu.Lock()
	defer w.mu.Unlock()
	w.hosts = append(slices.Clip(w.hosts), h)
	return h, err
}

// connect plugs a host in; everybody's way elsewhere is the router.
func (w *world) connect(h *Host, at segmentAddresses) error {
	if err := w.fabric.plug(h, at.v4, at.v6); err != nil {
		return err
	}
	if at.v4.Addr() == RouterV4 {
		return nil
	}
	gateway := onSegmentOf(RouterV4)
	return errors.Join(
		h.route(everywhereV4, gateway.v4.Addr(), "eth0", 0),
		h.route(everywhereV6, gateway.v6.Addr(), "eth0", 0),
	)
}

func (w *world) startAPI() (err error) {
	if w.plane, err = newControlPlane(APIServerV4); err != nil {
		return err
	}
	if err := w.plane.start(); err != nil {
		return err
	}
	if err := w.plane.managers.Start(); err != nil {
		return err
	}
	w.api, err = newAPIClient(w.plane.config)
	return err
}

func newAPIClient(config *rest.Config) (client.Client, error) {
	ctrllog.SetLogger(logr.Discard()) // or it complains of having none
	scheme := runtime.NewScheme()
	if err := clientgoscheme.AddToScheme(scheme); err != nil {
		return nil, fmt.Errorf("know the kinds: %w", err)
	}
	c, err := client.New(config, client.Options{Scheme: scheme})
	if err != nil {
		return nil, fmt.Errorf("make an API client: %w", err)
	}
	return c, nil
}

// takeDown ends all programs and removes all hosts; the work folder stays for Enter to remove.
func (w *world) takeDown() error {
	var errs []error
	for _, p := range w.programs() {
		errs = append(errs, p.Kill())
	}
	for _, pod := range w.pods {
		errs = append(errs, pod.down())
	}
	for _, h := range slices.Backward(w.hosts) {
		errs = append(errs, h.remove())
	}
	if w.here != nil {
		errs = append(errs, w.here.remove())
	}
	if w.fabric != nil {
		errs = append(errs, w.fabric.host.remove())
	}
	return errors.Join(errs...)
}

// programs are all that the lab may have started, those first that use others.
func (w *world) programs() (all []*Program) {
	if w.controller != nil {
		all = append(all, w.controller)
	}
	for _, n := range w.nodes {
		if n.speaker != nil {
			all = append(all, n.speaker)
		}
		all = append(all, n.proxy)
	}
	if w.router != nil {
		all = append(all, w.router.programs...)
	}
	if w.plane != nil {
		all = append(all, w.plane.managers, w.plane.apiserver, w.plane.etcd)
	}
	return slices.DeleteFunc(all, func(p *Program) bool { return p == nil })
}
