// Package controlplane is the lab's Kubernetes without nodes: etcd, kube-apiserver, kube-controller-manager, kubectl, and
// objects read and written as an administrator. It refuses to play a kubelet: nodes and pods are made by package node.
package controlplane

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	certutil "k8s.io/client-go/util/cert"
	"sigs.k8s.io/controller-runtime/pkg/client"
	ctrllog "sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/daymark-lb/daymark/e2e/lab/build"
	"github.com/daymark-lb/daymark/e2e/lab/check"
	"github.com/daymark-lb/daymark/e2e/lab/sandbox"
	"github.com/daymark-lb/daymark/internal/testnet"
)

const (
	adminToken = "lab-admin"
	// The ranges of cluster IPs.
	servicesV4, servicesV6 = "198.18.0.0/16", "2001:db8:5e::/112"
)

// ControlPlane is etcd and kube-apiserver, and for a cluster kube-controller-manager, in this process's own network namespace.
type ControlPlane struct {
	Kubeconfig string // the administrator's
	Config     *rest.Config
	API        client.Client // the administrator's, once it has started
	APIServer  *testnet.Process

	dir       string
	here      *testnet.Namespace
	ports     []int // of API server, etcd, etcd's peers
	etcdURL   string
	etcd      *testnet.Process
	managers  *testnet.Process
	scheduler *testnet.Process // nil where kubelets are played
}

// ForTest starts etcd and kube-apiserver alone, for tests that need the API but no network, and returns an
// administrator's client configuration. It is stopped when the test ends. A package may run several at the same time.
func ForTest(t check.T) *rest.Config {
	t.Helper()
	sandbox.Need(t)
	p, err := New(netip.MustParseAddr("127.0.0.1"))
	if err == nil {
		t.Cleanup(func() { _ = p.Stop() })
		err = errors.Join(p.here.Up("lo"), p.Start())
	}
	if err != nil {
		t.Fatalf("bring up a control plane: %v", err)
	}
	return rest.CopyConfig(p.Config)
}

// New prepares a control plane that will listen on this address of this process's own namespace, and starts nothing yet.
func New(address netip.Addr) (*ControlPlane, error) {
	dir, err := sandbox.NewFolder("control")
	if err != nil {
		return nil, err
	}
	here, err := testnet.Current("api")
	if err != nil {
		return nil, err
	}
	ports, err := freePorts(3)
	if err != nil {
		return nil, err
	}
	p := &ControlPlane{
		dir: dir, here: here, ports: ports, etcdURL: fmt.Sprintf("http://127.0.0.1:%d", ports[1]), Kubeconfig: filepath.Join(dir, "admin.kubeconfig"),
	}
	if err := p.writeIdentity(address, ports[0]); err != nil {
		return nil, err
	}
	p.etcd = testnet.NewProcess(here, "etcd", dir, etcdCommand(dir, ports[1], ports[2])...)
	p.APIServer = testnet.NewProcess(here, "kube-apiserver", dir, append(apiserverCommand(dir, address, ports[0], ports[1]),
		"--authorization-mode=RBAC", "--endpoint-reconciler-type=none",
		"--disable-admission-plugins=ServiceAccount,TaintNodesByCondition")...) // the controllers that these plugins need do not run
	p.managers = testnet.NewProcess(here, "kube-controller-manager", dir,
		append(p.managersCommand(), "--use-service-account-credentials=false", "--controllers="+strings.Join(controllers, ","))...)
	return p, nil
}

func (p *ControlPlane) managersCommand() []string {
	return []string{
		build.KubernetesProgram("kube-controller-manager"), "--kubeconfig=" + p.Kubeconfig,
		"--authentication-kubeconfig=" + p.Kubeconfig, "--authorization-kubeconfig=" + p.Kubeconfig,
		"--leader-elect=false", "--allocate-node-cidrs=false", "--profiling=false",
	}
}

// controllers are those that Services and their endpoints, and the deletion of things, need. There is no scheduler and no
// kubelet, so those that make Pods are left out: the Pods would stay pending.
var controllers = []string{
	"endpointslice-controller", "garbage-collector-controller", "namespace-controller", "serviceaccount-controller",
}

func etcdCommand(dir string, clients, peers int) []string {
	clientURL, peerURL := fmt.Sprintf("http://127.0.0.1:%d", clients), fmt.Sprintf("http://127.0.0.1:%d", peers)
	return []string{
		build.KubernetesProgram("etcd"), "--name=lab", "--data-dir=" + filepath.Join(dir, "etcd"), "--unsafe-no-fsync",
		"--listen-client-urls=" + clientURL, "--advertise-client-urls=" + clientURL,
		"--listen-peer-urls=" + peerURL, "--initial-advertise-peer-urls=" + peerURL, "--initial-cluster=lab=" + peerURL,
		"--log-level=warn",
	}
}

// serviceRanges are those of a cluster whose API server has this address: where it is IPv6 the cluster has no other family.
func serviceRanges(address netip.Addr) string {
	if address.Is6() {
		return servicesV6
	}
	return servicesV4 + "," + servicesV6
}

func apiserverCommand(dir string, address netip.Addr, port, etcd int) []string {
	file := func(name string) string { return filepath.Join(dir, name) }
	return []string{
		build.KubernetesProgram("kube-apiserver"), fmt.Sprintf("--etcd-servers=http://127.0.0.1:%d", etcd),
		"--tls-cert-file=" + file("apiserver.crt"), "--tls-private-key-file=" + file("apiserver.key"),
		"--bind-address=" + address.String(), "--advertise-address=" + address.String(), "--secure-port=" + strconv.Itoa(port),
		"--token-auth-file=" + file("tokens.csv"), "--profiling=false",
		"--service-account-key-file=" + file("apiserver.key"), "--service-account-signing-key-file=" + file("apiserver.key"),
		"--service-account-issuer=https://lab.example", "--service-cluster-ip-range=" + serviceRanges(address),
		"--kubelet-preferred-address-types=InternalIP",
	}
}

// serverAddresses are by which the API server is called beside its own address: its Service's among them.
var serverAddresses = []net.IP{{127, 0, 0, 1}, {198, 18, 0, 1}, net.ParseIP("2001:db8:5e::1")}

// writeIdentity makes the server's certificate and key, the administrator's token and the kubeconfig that has both.
func (p *ControlPlane) writeIdentity(address netip.Addr, port int) error {
	cert, key, err := certutil.GenerateSelfSignedCertKey(address.String(), serverAddresses, nil)
	if err != nil {
		return fmt.Errorf("make a certificate: %w", err)
	}
	p.Config = &rest.Config{
		Host:            fmt.Sprintf("https://%s", netip.AddrPortFrom(address, uint16(port))),
		BearerToken:     adminToken,
		TLSClientConfig: rest.TLSClientConfig{CAData: cert},
		QPS:             -1, // no rate limit, so that measurements are not limited by the client
	}
	for name, content := range map[string][]byte{
		"apiserver.crt": cert, "apiserver.key": key, "tokens.csv": []byte(adminToken + ",admin,admin,system:masters\n"),
	} {
		if err := os.WriteFile(filepath.Join(p.dir, name), content, 0o600); err != nil {
			return fmt.Errorf("write %s: %w", name, err)
		}
	}
	return p.WriteKubeconfig(p.Kubeconfig, adminToken)
}

// WriteKubeconfig writes a kubeconfig with a token for the API server.
func (p *ControlPlane) WriteKubeconfig(path, token string) error {
	config := clientcmdapi.NewConfig()
	config.Clusters["lab"] = &clientcmdapi.Cluster{Server: p.Config.Host, CertificateAuthorityData: p.Config.CAData}
	config.AuthInfos["lab"] = &clientcmdapi.AuthInfo{Token: token}
	config.Contexts["lab"] = &clientcmdapi.Context{Cluster: "lab", AuthInfo: "lab"}
	config.CurrentContext = "lab"
	if err := clientcmd.WriteToFile(*config, path); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}

// Start starts etcd and kube-apiserver and waits until they serve.
func (p *ControlPlane) Start() error {
	if err := errors.Join(p.etcd.Start(), p.APIServer.Start()); err != nil { // the API server waits for etcd by itself
		return err
	}
	return p.WaitReady()
}

// WaitReady waits until the API server serves; its own first writes, roles above all, may still go on.
func (p *ControlPlane) WaitReady() error {
	httpClient, err := rest.HTTPClientFor(p.Config)
	if err != nil {
		return fmt.Errorf("make a client: %w", err)
	}
	_, err = testnet.Eventually(60*time.Second, func() error {
		response, err := httpClient.Get(p.Config.Host + "/readyz")
		if err != nil {
			return err
		}
		defer func() { _ = response.Body.Close() }()
		if response.StatusCode != 200 {
			return errors.New(response.Status)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("wait for the API server: %w\n%s", err, p.APIServer.Tail(10))
	}
	return nil
}

// Stop stops all of it at once.
func (p *ControlPlane) Stop() error {
	errs := []error{p.managers.Kill()}
	if p.scheduler != nil {
		errs = append(errs, p.scheduler.Kill())
	}
	return errors.Join(append(errs, p.APIServer.Kill(), p.etcd.Kill())...) // nothing of it is worth saving
}

// StartControllerManager starts kube-controller-manager, restarts it if it runs, and gives the administrator a client. Where there is
// a scheduler it does the same to that.
func (p *ControlPlane) StartControllerManager() error {
	if p.scheduler != nil {
		if err := errors.Join(p.scheduler.Kill(), p.scheduler.Start()); err != nil {
			return err
		}
	}
	if err := errors.Join(p.managers.Kill(), p.managers.Start()); err != nil || p.API != nil {
		return err
	}
	ctrllog.SetLogger(logr.Discard()) // or it complains of having none
	scheme := runtime.NewScheme()
	if err := clientgoscheme.AddToScheme(scheme); err != nil {
		return fmt.Errorf("register the API types: %w", err)
	}
	api, err := client.New(p.Config, client.Options{Scheme: scheme})
	if err != nil {
		return fmt.Errorf("make an API client: %w", err)
	}
	p.API = api
	return nil
}

func freePorts(n int) (ports []int, err error) {
	for range n {
		l, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
		if err != nil {
			return nil, fmt.Errorf("find a free port: %w", err)
		}
		defer func() { _ = l.Close() }() // only now, so that all are different
		ports = append(ports, l.Addr().(*net.TCPAddr).Port)
	}
	return ports, nil
}
