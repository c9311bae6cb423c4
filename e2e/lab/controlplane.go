package lab

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
	"testing"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	certutil "k8s.io/client-go/util/cert"
)

const adminToken = "lab-admin"

// controlPlane is etcd and kube-apiserver, and for a cluster kube-controller-manager, in this process's own namespace.
type controlPlane struct {
	dir        string
	kubeconfig string // the administrator's
	config     *rest.Config
	etcd       *Program
	apiserver  *Program
	managers   *Program
}

// ControlPlane starts etcd and kube-apiserver alone, for tests that need the API but no network, and gives an
// administrator's way to it. It is stopped when the test ends. A package may run several at the same time.
func ControlPlane(t T) *rest.Config {
	t.Helper()
	needLab(t)
	plane, err := newControlPlane(netip.MustParseAddr("127.0.0.1"))
	if err == nil {
		t.Cleanup(func() { _ = plane.stop() })
		err = plane.start()
	}
	if err != nil {
		t.Fatalf("bring up a control plane: %v", err)
	}
	return rest.CopyConfig(plane.config)
}

// needLab skips the test with -short and fails it when TestMain does not call Main.
func needLab(t T) {
	t.Helper()
	switch {
	case Inside():
	case testing.Short():
		t.Skipf("needs namespaces of its own: run without -short")
	default:
		t.Fatalf("needs namespaces of its own: TestMain must call lab.Main")
	}
}

func newControlPlane(address netip.Addr) (*controlPlane, error) {
	dir, err := workFolder("control")
	if err != nil {
		return nil, err
	}
	here, err := hereAsHost("api")
	if err != nil {
		return nil, err
	}
	ports, err := freePorts(3)
	if err != nil {
		return nil, err
	}
	p := &controlPlane{dir: dir, kubeconfig: filepath.Join(dir, "admin.kubeconfig")}
	if err := p.writeIdentity(address, ports[0]); err != nil {
		return nil, err
	}
	p.etcd = newProgram(here, "etcd", dir, etcdCommand(dir, ports[1], ports[2])...)
	p.apiserver = newProgram(here, "kube-apiserver", dir, apiserverCommand(dir, address, ports[0], ports[1])...)
	p.managers = newProgram(here, "kube-controller-manager", dir,
		kubernetesProgram("kube-controller-manager"), "--kubeconfig="+p.kubeconfig,
		"--authentication-kubeconfig="+p.kubeconfig, "--authorization-kubeconfig="+p.kubeconfig,
		"--use-service-account-credentials=false", "--leader-elect=false", "--allocate-node-cidrs=false", "--profiling=false",
		"--controllers="+strings.Join(controllers, ","))
	return p, nil
}

// controllers are those that Services and their endpoints, and the deletion of things, need. There is no scheduler and no
// kubelet, so what makes Pods is left out: they would only be pending.
var controllers = []string{
	"endpointslice-controller", "garbage-collector-controller", "namespace-controller", "serviceaccount-controller",
}

func etcdCommand(dir string, clients, peers int) []string {
	client, peer := fmt.Sprintf("http://127.0.0.1:%d", clients), fmt.Sprintf("http://127.0.0.1:%d", peers)
	return []string{
		kubernetesProgram("etcd"), "--name=lab", "--data-dir=" + filepath.Join(dir, "etcd"), "--unsafe-no-fsync",
		"--listen-client-urls=" + client, "--advertise-client-urls=" + client,
		"--listen-peer-urls=" + peer, "--initial-advertise-peer-urls=" + peer, "--initial-cluster=lab=" + peer,
		"--log-level=warn",
	}
}

func apiserverCommand(dir string, address netip.Addr, port, etcd int) []string {
	file := func(name string) string { return filepath.Join(dir, name) }
	return []string{
		kubernetesProgram("kube-apiserver"), fmt.Sprintf("--etcd-servers=http://127.0.0.1:%d", etcd),
		"--tls-cert-file=" + file("apiserver.crt"), "--tls-private-key-file=" + file("apiserver.key"),
		"--bind-address=" + address.String(), "--advertise-address=" + address.String(), "--secure-port=" + strconv.Itoa(port),
		"--token-auth-file=" + file("tokens.csv"), "--authorization-mode=RBAC",
		"--service-account-key-file=" + file("apiserver.key"), "--service-account-signing-key-file=" + file("apiserver.key"),
		"--service-account-issuer=https://lab.example", "--service-cluster-ip-range=" + serviceRanges,
		"--endpoint-reconciler-type=none", "--profiling=false",
		"--disable-admission-plugins=ServiceAccount,TaintNodesByCondition", // nobody plays the controllers these count on
	}
}

// writeIdentity makes the server's certificate and key, the administrator's token and the kubeconfig that has both.
func (p *controlPlane) writeIdentity(address netip.Addr, port int) error {
	cert, key, err := certutil.GenerateSelfSignedCertKey(address.String(), []net.IP{{127, 0, 0, 1}, {198, 18, 0, 1}}, nil)
	if err != nil {
		return fmt.Errorf("make a certificate: %w", err)
	}
	p.config = &rest.Config{
		Host:            fmt.Sprintf("https://%s", netip.AddrPortFrom(address, uint16(port))),
		BearerToken:     adminToken,
		TLSClientConfig: rest.TLSClientConfig{CAData: cert},
		QPS:             -1, // the lab is no bottleneck to measure by
	}
	for name, content := range map[string][]byte{
		"apiserver.crt": cert, "apiserver.key": key, "tokens.csv": []byte(adminToken + ",admin,admin,system:masters\n"),
	} {
		if err := os.WriteFile(filepath.Join(p.dir, name), content, 0o600); err != nil {
			return fmt.Errorf("write %s: %w", name, err)
		}
	}
	return p.writeKubeconfig(p.kubeconfig, adminToken)
}

// writeKubeconfig makes a way to the API server for whoever has the token.
func (p *controlPlane) writeKubeconfig(path, token string) error {
	config := clientcmdapi.NewConfig()
	config.Clusters["lab"] = &clientcmdapi.Cluster{Server: p.config.Host, CertificateAuthorityData: p.config.CAData}
	config.AuthInfos["lab"] = &clientcmdapi.AuthInfo{Token: token}
	config.Contexts["lab"] = &clientcmdapi.Context{Cluster: "lab", AuthInfo: "lab"}
	config.CurrentContext = "lab"
	if err := clientcmd.WriteToFile(*config, path); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}

func (p *controlPlane) start() error {
	if err := errors.Join(p.etcd.Start(), p.apiserver.Start()); err != nil { // the API server waits for etcd by itself
		return err
	}
	return p.ready()
}

// ready waits until the API server serves; its own first writes, roles above all, may still go on.
func (p *controlPlane) ready() error {
	client, err := rest.HTTPClientFor(p.config)
	if err != nil {
		return fmt.Errorf("make a client: %w", err)
	}
	_, err = eventually(60*time.Second, func() error {
		response, err := client.Get(p.config.Host + "/readyz")
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
		return fmt.Errorf("wait for the API server: %w\n%s", err, p.apiserver.Tail(10))
	}
	return nil
}

func (p *controlPlane) stop() error {
	return errors.Join(p.managers.Kill(), p.apiserver.Kill(), p.etcd.Kill()) // nothing of it is worth saving
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
