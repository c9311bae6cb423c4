package lab

import (
	"errors"
	"fmt"
	"net/netip"
	"path/filepath"
	"slices"
	"time"

	"github.com/daymark-lb/daymark/e2e/lab/controlplane"
	"github.com/daymark-lb/daymark/e2e/lab/node"
	"github.com/daymark-lb/daymark/e2e/lab/router"
	"github.com/daymark-lb/daymark/e2e/lab/sandbox"
	"github.com/daymark-lb/daymark/e2e/lab/segment"
	"github.com/daymark-lb/daymark/internal/testnet"
)

// parts are the lab itself, which may serve several tests one after another.
type parts struct {
	dir        string
	network    *segment.Segment
	here       *segment.Host // the API server's host, which this process is on
	plane      *controlplane.ControlPlane
	nodes      []*nodeParts
	client     *segment.Host
	farClient  *segment.Host
	router     *router.Router
	foreign    *segment.Host // made when first asked for
	crowd      *segment.Host // made when first asked for, with its clients
	members    []segment.CrowdMember
	controller *testnet.Process // Daymark's, once it is installed
	replica    *testnet.Process // of the controller, made when first asked for
	proxy      ProxyKind
	steps      []Step
}

func bringUp(s settings) (*parts, error) {
	if s.nodes < 1 || s.nodes > 7 {
		return nil, fmt.Errorf("bring up %d nodes: the pod ranges are for 1 to 7", s.nodes)
	}
	dir, err := sandbox.NewFolder("cluster")
	if err != nil {
		return nil, err
	}
	p := &parts{dir: dir, proxy: s.proxy}
	for _, step := range []struct {
		what string
		do   func() error
	}{
		{"network", func() error { return p.layNetwork(s.nodes) }},
		{"etcd and API server", p.startPlane},
		{"nodes", p.startNodes},
		{"router", func() error { return p.router.Replace(s.router, RouterSettings{}) }},
	} {
		began := time.Now()
		if err := step.do(); err != nil {
			return p, fmt.Errorf("%s: %w", step.what, err)
		}
		p.steps = append(p.steps, Step{step.what, time.Since(began)})
	}
	return p, nil
}

// layNetwork makes the segment and all hosts on and behind it.
func (p *parts) layNetwork(nodes int) (err error) {
	if p.network, err = segment.New(); err != nil {
		return err
	}
	if p.here, err = p.network.JoinCurrent("api", APIServerV4); err != nil {
		return err
	}
	routerHost, err := p.network.Join("router", RouterV4)
	if err != nil {
		return err
	}
	if err := routerHost.SetKernel(segment.Forwarding); err != nil {
		return err
	}
	if p.client, err = p.network.Join("client", ClientV4); err != nil {
		return err
	}
	var others []*node.Node
	for i := range nodes {
		n, err := node.New(p.network, i+1, others)
		if err != nil {
			return err
		}
		others, p.nodes = append(others, n), append(p.nodes, &nodeParts{Node: n})
	}
	if p.router, err = router.New(routerHost, filepath.Join(p.dir, "router"), p.nodeAddresses()); err != nil {
		return err
	}
	p.farClient, err = p.network.LayFarSide(routerHost)
	return err
}

func (p *parts) nodeAddresses() (all []netip.Addr) {
	for _, n := range p.nodes {
		all = append(all, n.V4)
	}
	return all
}

func (p *parts) nodeHosts() (all []*segment.Host) {
	for _, n := range p.nodes {
		all = append(all, n.Host)
	}
	return all
}

func (p *parts) startPlane() (err error) {
	if p.plane, err = controlplane.New(APIServerV4); err != nil {
		return err
	}
	if err := p.plane.Start(); err != nil {
		return err
	}
	return p.plane.StartControllerManager()
}

// startNodes writes the Node objects and starts the service proxies.
func (p *parts) startNodes() error {
	for _, n := range p.nodes {
		if err := n.Register(p.plane); err != nil {
			return err
		}
		if err := n.StartProxy(p.proxy, p.plane, p.dir); err != nil {
			return err
		}
	}
	_, err := testnet.Eventually(30*time.Second, func() error {
		_, err := p.plane.Look("v1", "Namespace", "default")
		return err
	})
	if err != nil {
		return fmt.Errorf("wait for the default namespace: %w", err)
	}
	for _, n := range p.nodes {
		if err := n.AwaitProxy(p.here); err != nil {
			return err
		}
	}
	return nil
}

// takeDown ends all programs, those first that use others, and removes all hosts; the work folder stays for Enter to remove.
func (p *parts) takeDown() error {
	var errs []error
	for _, process := range p.processes() {
		errs = append(errs, process.Kill())
	}
	if p.plane != nil {
		errs = append(errs, p.plane.Stop())
	}
	for _, n := range p.nodes {
		errs = append(errs, n.RemovePods())
	}
	if p.network != nil {
		errs = append(errs, p.network.Remove())
	}
	return errors.Join(errs...)
}

// processes are all that may run, but for the control plane.
func (p *parts) processes() (all []*testnet.Process) {
	all = append(all, p.controller, p.replica)
	for _, n := range p.nodes {
		all = append(all, n.speaker, n.Proxy)
	}
	if p.router != nil {
		all = append(all, p.router.Processes()...)
	}
	return slices.DeleteFunc(all, func(process *testnet.Process) bool { return process == nil })
}
