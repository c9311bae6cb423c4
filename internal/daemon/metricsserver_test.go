package daemon

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/util/cert"

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
	server, err := l.metricsServer(&rest.Config{Host: "http://192.0.2.1"}, http.DefaultClient, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- server.Start(ctx) }()
	defer func() { stop(); <-ended }()
	client := &http.Client{Transport: &http.Transport{
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, ForceAttemptHTTP2: true, DisableKeepAlives: true,
	}}
	has := func(name string) error {
		answer, err := client.Get("https://" + server.Listener.Addr().String() + "/metrics")
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

// The node has neither the address yet nor, then, the port free; the program goes on and says so.
func TestMetricsServer_WaitsForItsAddress(t *testing.T) {
	other, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	for _, test := range []struct{ name, bind, says string }{
		{"an address that the node does not have", "192.0.2.1:7475", "no interface of the node has that address, which `ip address` on the node shows"},
		{"a port that another program has", other.Addr().String(), "another program has that port"},
	} {
		t.Run(test.name, func(t *testing.T) {
			l := listeners{Metrics: test.bind, Pprof: "0"}
			log := &logged{}
			server, err := l.metricsServer(&rest.Config{}, http.DefaultClient, slog.New(slog.NewTextHandler(log, nil)))
			if err != nil {
				t.Fatal(err)
			}
			late := server.Listener.(*lateListener) //nolint:forcetypeassert // without TLS it is
			late.interval = time.Millisecond
			ctx, stop := context.WithCancel(t.Context())
			ended := make(chan error, 1)
			go func() { ended <- server.Start(ctx) }()
			if _, err := testnet.Eventually(20*time.Second, func() error { return log.says(test.says) }); err != nil {
				t.Fatal(err)
			}
			if test.bind == other.Addr().String() {
				_ = other.Close()
				if _, err := testnet.Eventually(20*time.Second, func() error { return get("http://" + test.bind + "/metrics") }); err != nil {
					t.Error(err)
				}
			}
			stop()
			if err := <-ended; err != nil {
				t.Errorf("it ends with %v", err)
			}
			if times := strings.Count(log.String(), "cannot listen"); times != 1 {
				t.Errorf("it is said %d times: %s", times, log)
			}
		})
	}
}

func TestProbes_WaitForTheirAddress(t *testing.T) {
	log := &logged{}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- fine.Serve("192.0.2.1:7473", slog.New(slog.NewTextHandler(log, nil))).Start(ctx) }()
	if _, err := testnet.Eventually(20*time.Second, func() error { return log.says("no interface of the node has that address") }); err != nil {
		t.Error(err)
	}
	stop()
	if err := <-ended; err != nil {
		t.Errorf("it ends with %v", err)
	}
}

// logged is a log that may be read while it is written.
type logged struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// says returns nil when the log has some words.
func (l *logged) says(words string) error {
	if text := l.String(); !strings.Contains(text, words) {
		return errors.New("the log says: " + text)
	}
	return nil
}
