package node

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"time"

	"github.com/vishvananda/netlink"

	"github.com/daymark-lb/daymark/e2e/lab/build"
	"github.com/daymark-lb/daymark/e2e/lab/controlplane"
	"github.com/daymark-lb/daymark/e2e/lab/probe"
	"github.com/daymark-lb/daymark/e2e/lab/segment"
	"github.com/daymark-lb/daymark/internal/testnet"
)

// ProxyKind names the program that carries connections to Services from the nodes to the pods.
type ProxyKind string

// The service proxies the lab knows.
const (
	AnyProxy      ProxyKind = ""                    // kube-proxy where nft is installed, else the lab's own
	KubeProxy     ProxyKind = "kube-proxy"          // in nftables mode; it serves health-check ports too
	PacedProxy    ProxyKind = "kube-proxy-paced"    // the same, which writes its rules once a second at most, as it does unless told otherwise
	IPTablesProxy ProxyKind = "kube-proxy-iptables" // KubeProxy in iptables mode
	IPVSProxy     ProxyKind = "kube-proxy-ipvs"     // the same in IPVS mode
	OwnProxy      ProxyKind = "service-proxy"       // e2e/kube/proxy, which needs no program and leaves health-check ports to others
)

var iptables = []string{"iptables", "iptables-save", "iptables-restore", "ip6tables", "ip6tables-save", "ip6tables-restore"}

// programs are those that a kube-proxy uses.
func (k ProxyKind) programs() []string {
	switch k {
	case OwnProxy:
		return nil
	case IPTablesProxy:
		return iptables
	case IPVSProxy:
		return append([]string{"ipset"}, iptables...)
	default:
		return []string{"nft"}
	}
}

// mode of kube-proxy.
func (k ProxyKind) mode() string {
	switch k {
	case IPTablesProxy:
		return "iptables"
	case IPVSProxy:
		return "ipvs"
	default:
		return "nftables"
	}
}

// Installed tells whether the programs that it uses are on this machine.
func (k ProxyKind) Installed() bool { return testnet.Require(k.programs()...) == nil }

// InKernel says what the kernel lacks for it; nil: nothing.
func (k ProxyKind) InKernel() error {
	if k != IPVSProxy {
		return nil
	}
	if _, err := netlink.GenlFamilyGet("IPVS"); err != nil {
		return fmt.Errorf("the kernel has no IPVS: %w", err)
	}
	return nil
}

// OrBest is the kind itself, or for AnyProxy the best that can run here.
func (k ProxyKind) OrBest() ProxyKind {
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
mode: %[1]s
hostnameOverride: %[2]s
clientConnection: {kubeconfig: %[3]s}
detectLocalMode: NodeCIDR
conntrack: {maxPerCore: 0, min: 0, tcpEstablishedTimeout: 0s, tcpCloseWaitTimeout: 0s}
nftables: {minSyncPeriod: %[4]s, syncPeriod: 30s}
iptables: {minSyncPeriod: %[4]s, syncPeriod: 30s}
ipvs: {minSyncPeriod: %[4]s, syncPeriod: 30s, strictARP: true}
`

// pace is the least time from one writing of the rules to the next. Tests need not wait as long as a cluster may.
func (k ProxyKind) pace() time.Duration {
	if k == PacedProxy {
		return time.Second
	}
	return 100 * time.Millisecond
}

// StartProxy starts the node's service proxy, with its files in this folder.
func (n *Node) StartProxy(kind ProxyKind, plane *controlplane.ControlPlane, dir string) error {
	name := string(kind) + "-" + n.Name
	if kind == OwnProxy {
		n.Proxy = testnet.NewProcess(n.Namespace, name, dir,
			build.KubernetesProgram("service-proxy"), "-kubeconfig="+plane.Kubeconfig, "-node-name="+n.Name)
		return n.Proxy.Start()
	}
	config := filepath.Join(dir, name+".yaml")
	if err := os.WriteFile(config, fmt.Appendf(nil, kubeProxyConfig, kind.mode(), n.Name, plane.Kubeconfig, kind.pace()), 0o600); err != nil {
		return fmt.Errorf("configure kube-proxy: %w", err)
	}
	n.Proxy = testnet.NewProcess(n.Namespace, name, dir, build.KubernetesProgram("kube-proxy"), "--config="+config)
	n.Proxy.Env = []string{"PATH=" + os.Getenv("PATH") + ":/usr/sbin:/sbin"} // where nft and iptables are
	return n.Proxy.Start()
}

// AwaitProxy waits until the service proxy has programmed what there is; it asks from another host.
func (n *Node) AwaitProxy(from *segment.Host) error {
	_, err := testnet.Eventually(30*time.Second, func() error {
		_, err := probe.Page(context.Background(), from.Namespace, fmt.Sprintf("http://%s/healthz", netip.AddrPortFrom(n.V4, 10256)))
		return err
	})
	if err != nil {
		return fmt.Errorf("wait for the service proxy of %s: %w\n%s", n.Name, err, n.Proxy.Tail(10))
	}
	return nil
}
