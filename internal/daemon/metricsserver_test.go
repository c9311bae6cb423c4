package daemon

import (
	"context"
	"crypto/tls"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/util/cert"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/daymark-lb/daymark/internal/testnet"
)

// writeCertificate writes a new certificate for a name into a folder.
func writeCertificate(t *testing.T, folder, name string) {
	t.Helper()
	certificate, key, err := cert.GenerateSelfSignedCertKey(name, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	err = errors.Join(os.WriteFile(filepath.Join(folder, "tls.key"), key, 0o600), os.WriteFile(filepath.Join(folder, "tls.crt"), certificate, 0o600))
	if err != nil {
		t.Fatal(err)
	}
}

func TestMetricsServer_HasTheCertificateThatIsThereNowAndHTTP1(t *testing.T) {
	folder := t.TempDir()
	writeCertificate(t, folder, "first.example")
	l := listeners{Metrics: "127.0.0.1:0", Pprof: "0", secure: true, certDir: folder}
	if err := l.validate(); err != nil {
		t.Fatal(err)
	}
	server, err := metricsserver.NewServer(l.MetricsServer(), &rest.Config{Host: "http://192.0.2.1"}, http.DefaultClient)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- server.Start(ctx) }()
	defer func() { stop(); <-ended }()
	bound, ok := server.(interface{ GetBindAddr() string })
	if !ok {
		t.Fatal("the server does not say where it listens")
	}
	client := &http.Client{Transport: &http.Transport{
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, ForceAttemptHTTP2: true, DisableKeepAlives: true,
	}}
	has := func(name string) error {
		answer, err := client.Get("https://" + bound.GetBindAddr() + "/metrics")
		if err != nil {
			return err
		}
		defer answer.Body.Close()
		if answer.ProtoMajor != 1 || answer.StatusCode != http.StatusUnauthorized {
			t.Errorf("%s %s", answer.Proto, answer.Status)
		}
		return answer.TLS.PeerCertificates[0].VerifyHostname(name)
	}
	for _, name := range []string{"first.example", "second.example"} {
		if _, err := testnet.Eventually(20*time.Second, func() error { return has(name) }); err != nil {
			t.Fatal(err)
		}
		writeCertificate(t, folder, "second.example")
	}
}
