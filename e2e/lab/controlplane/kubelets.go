package controlplane

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net/netip"
	"os"
	"path/filepath"
	"time"

	"k8s.io/client-go/util/keyutil"

	"github.com/daymark-lb/daymark/e2e/lab/build"
	"github.com/daymark-lb/daymark/internal/testnet"
)

// NewForKubelets is New for a cluster whose nodes run real kubelets: all controllers run, and a scheduler, what asks for admission meets
// Kubernetes' own plugins, ServiceAccount, PodSecurity and NodeRestriction among them, and kubelets may do what the Node
// authorizer lets them.
func NewForKubelets(address netip.Addr, nodes []string) (*ControlPlane, error) {
	p, err := New(address)
	if err != nil {
		return nil, err
	}
	if err := errors.Join(p.writeNodeIdentities(nodes), p.writeClientIdentity()); err != nil {
		return nil, err
	}
	p.APIServer.Argv = append(apiserverCommand(p.dir, address, p.ports[0], p.ports[1]),
		"--authorization-mode=Node,RBAC", "--enable-admission-plugins=NodeRestriction", "--allow-privileged",
		"--kubelet-client-certificate="+p.ClientCertificate(), "--kubelet-client-key="+filepath.Join(p.dir, "client.key"))
	p.managers.Argv = append(p.managersCommand(),
		"--use-service-account-credentials", "--root-ca-file="+filepath.Join(p.dir, "apiserver.crt"),
		"--service-account-private-key-file="+filepath.Join(p.dir, "apiserver.key"))
	p.scheduler = testnet.NewProcess(p.here, "kube-scheduler", p.dir, build.SchedulerProgram(), "--kubeconfig="+p.Kubeconfig,
		"--authentication-kubeconfig="+p.Kubeconfig, "--authorization-kubeconfig="+p.Kubeconfig, "--leader-elect=false")
	return p, nil
}

// writeNodeIdentities adds the kubelets' tokens to those the API server knows.
func (p *ControlPlane) writeNodeIdentities(nodes []string) error {
	file, err := os.OpenFile(filepath.Join(p.dir, "tokens.csv"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	for _, node := range nodes {
		fmt.Fprintf(file, "%s,system:node:%s,%s,system:nodes\n", nodeToken(node), node, node)
	}
	return file.Close()
}

func nodeToken(node string) string { return "lab-" + node }

// WriteNodeKubeconfig writes the kubeconfig of a node's kubelet.
func (p *ControlPlane) WriteNodeKubeconfig(path, node string) error {
	return p.WriteKubeconfig(path, nodeToken(node))
}

// ClientCertificate is the file of the certificate with which the API server calls kubelets. It is its own authority.
func (p *ControlPlane) ClientCertificate() string { return filepath.Join(p.dir, "client.crt") }

// writeClientIdentity makes that certificate and its key.
func (p *ControlPlane) writeClientIdentity() error {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return fmt.Errorf("make a key: %w", err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		Subject:      pkix.Name{CommonName: "kube-apiserver", Organization: []string{"system:masters"}},
		NotBefore:    time.Now().Add(-time.Hour), NotAfter: time.Now().AddDate(0, 1, 0),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return fmt.Errorf("make a certificate: %w", err)
	}
	private, err := keyutil.MarshalPrivateKeyToPEM(key)
	if err != nil {
		return fmt.Errorf("write the key: %w", err)
	}
	return errors.Join(
		os.WriteFile(p.ClientCertificate(), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate}), 0o600),
		os.WriteFile(filepath.Join(p.dir, "client.key"), private, 0o600),
	)
}
