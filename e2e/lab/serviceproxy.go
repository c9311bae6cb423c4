package lab

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"time"
)

// ProxyKind names the program that carries connections to Services from the nodes to the pods.
type ProxyKind string

// The service proxies the lab knows.
const (
	AnyProxy  ProxyKind = ""              // kube-proxy where nft is installed, else the lab's own
	KubeProxy ProxyKind = "kube-proxy"    // in nftables mode; it serves health-check ports too
	OwnProxy  ProxyKind = "service-proxy" // e2e/kube/proxy, which needs no program and leaves health-check ports to others
)

// WithProxy says which service proxy the nodes run; AnyProxy unless told.
func WithProxy(kind ProxyKind) Option { return func(s *settings) { s.proxy = kind } }

// Installed tells whether the program that it uses is on this machine.
func (k ProxyKind) Installed() bool {
	_, err := systemProgram("nft")
	return k == OwnProxy || err == nil
}

func (k ProxyKind) orBest() ProxyKind {
	if k == AnyProxy && !KubeProxy.Installed() {
		return OwnProxy
	}
	if k == AnyProxy {
		return KubeProxy
	}
	return k
}

const kubeProxyConfig = `apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
mode: nftables
hostnameOverride: %s
clientConnection: {kubeconfig: %s}
detectLocalMode: NodeCIDR
conntrack: {maxPerCore: 0, min: 0, tcpEstablishedTimeout: 0s, tcpCloseWaitTimeout: 0s}
nftables: {minSyncPeriod: 100ms, syncPeriod: 30s}
`

func (w *world) startProxy(n *node, kind ProxyKind) error {
	name := string(kind) + "-" + n.Name
	if kind == OwnProxy {
		n.proxy = newProgram(n.Host, name, w.dir, kubernetesProgram("service-proxy"), "-kubeconfig="+w.plane.kubeconfig, "-node-name="+n.Name)
		return n.proxy.Start()
	}
	config := filepath.Join(w.dir, name+".yaml")
	if err := os.WriteFile(config, fmt.Appendf(nil, kubeProxyConfig, n.Name, w.plane.kubeconfig), 0o600); err != nil {
		return fmt.Errorf("configure kube-proxy: %w", err)
	}
	n.proxy = newProgram(n.Host, name, w.dir, kubernetesProgram("kube-proxy"), "--config="+config)
	n.proxy.env = []string{"PATH=" + os.Getenv("PATH") + ":/usr/sbin:/sbin"} // where nft is
	return n.proxy.Start()
}

// proxiesReady waits until every service proxy has programmed what there is.
func (w *world) proxiesReady() error {
	for _, n := range w.nodes {
		_, err := eventually(30*time.Second, func() error {
			_, err := get(context.Background(), w.here, fmt.Sprintf("http://%s/healthz", netip.AddrPortFrom(n.V4, 10256)))
			return err
		})
		if err != nil {
			return fmt.Errorf("wait for the service proxy of %s: %w\n%s", n.Name, err, n.proxy.Tail(10))
		}
	}
	return nil
}

// ServiceProxy is the kind of service proxy that runs.
func (c *Cluster) ServiceProxy() ProxyKind { return c.proxy }
