package health

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/daymark-lb/daymark/internal/core/announce"
	"github.com/daymark-lb/daymark/internal/core/lb"
	"github.com/daymark-lb/daymark/internal/core/proxyhealth"
	"github.com/daymark-lb/daymark/internal/netnstest"
)

func TestMain(m *testing.M) { os.Exit(netnstest.Main(m)) }

var web = lb.Key{Namespace: "shop", Name: "web"}

func healthPort(port uint16, endpoints int) announce.HealthPort {
	return announce.HealthPort{
		Port: port, Service: web, Health: announce.Health{LocalEndpoints: endpoints, NodeHealthy: true},
	}
}

// start runs a Server that tries ports at once and often, and returns how to end it.
func start(t *testing.T, cfg Config) (s *Server, end func()) {
	t.Helper()
	cfg.Delay, cfg.Retry, cfg.Grace = max(cfg.Delay, time.Nanosecond), 10*time.Millisecond, cmp.Or(cfg.Grace, 20*time.Millisecond)
	s = New(cfg)
	ctx, cancel := context.WithCancel(context.Background())
	var ended sync.WaitGroup
	ended.Go(func() {
		if err := s.Start(ctx); err != nil {
			t.Errorf("Start: %v", err)
		}
	})
	end = func() {
		cancel()
		ended.Wait()
	}
	t.Cleanup(end)
	netnstest.Eventually(t, "the server runs", func() error {
		s.portsMu.Lock()
		defer s.portsMu.Unlock()
		if !s.running {
			return errors.New("it does not")
		}
		return nil
	})
	return s, end
}

func set(t *testing.T, s *Server, ports ...announce.HealthPort) {
	t.Helper()
	if err := s.Set(t.Context(), ports, announce.HealthPaths{}, proxyhealth.Free); err != nil {
		t.Errorf("Set: %v", err)
	}
}

// get makes a request on a connection of its own.
func get(url string) (status int, header http.Header, body string, err error) {
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 2 * time.Second}
	response, err := client.Get(url)
	if err != nil {
		return 0, nil, "", err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	return response.StatusCode, response.Header, string(text), err
}

// awaitStatus waits until the port answers with a status, on an address of each family.
func awaitStatus(t *testing.T, port uint16, want int) {
	t.Helper()
	for _, host := range []string{"127.0.0.1", "[::1]"} {
		netnstest.Eventually(t, fmt.Sprintf("%s:%d answers %d", host, port, want), func() error {
			status, _, _, err := get(fmt.Sprintf("http://%s:%d/healthz", host, port))
			if err == nil && status != want {
				return fmt.Errorf("it answers %d", status)
			}
			return err
		})
	}
}

// awaitClosed waits until nobody listens on a port.
func awaitClosed(t *testing.T, port uint16) {
	t.Helper()
	netnstest.Eventually(t, fmt.Sprintf("nobody listens on %d", port), func() error {
		if status, _, _, err := get(fmt.Sprintf("http://127.0.0.1:%d/", port)); err == nil {
			return fmt.Errorf("it answers %d", status)
		}
		return nil
	})
}

func TestServer_AnswersAsKubeProxy(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		health announce.Health
		status int
		body   string
	}{
		"endpoints on a node that is well": {announce.Health{LocalEndpoints: 2, NodeHealthy: true}, 200, "2,true"},
		"no endpoints":                     {announce.Health{NodeHealthy: true}, 503, "0,true"},
		"a node that is not well":          {announce.Health{LocalEndpoints: 1}, 503, "1,false"},
	}
	s, _ := start(t, Config{Bind: "127.0.0.1:31999"})
	for name, test := range tests { // One after the other: they share the ports.
		port := announce.HealthPort{Port: 31000, Service: web, Health: test.health}
		if err := s.Set(t.Context(), []announce.HealthPort{port}, announce.NewHealthPaths(map[lb.Key]announce.Health{web: test.health}), proxyhealth.Free); err != nil {
			t.Fatal(err)
		}
		endpoints, healthy, _ := strings.Cut(test.body, ",")
		want := `{
	"service": {
		"namespace": "shop",
		"name": "web"
	},
	"localEndpoints": ` + endpoints + `,
	"serviceProxyHealthy": ` + healthy + `
}`
		awaitStatus(t, 31000, test.status)
		for _, url := range []string{"http://127.0.0.1:31000/anything", "http://127.0.0.1:31999/healthz/services/shop/web"} {
			status, header, body, err := get(url)
			if err != nil || status != test.status || body != want {
				t.Errorf("%s: %s: %d %v %s", name, url, status, err, body)
			}
			for key, value := range map[string]string{
				"Content-Type": "application/json", "X-Content-Type-Options": "nosniff", "X-Load-Balancing-Endpoint-Weight": endpoints,
			} {
				if header.Get(key) != value {
					t.Errorf("%s: %s: header %s is %q, not %q", name, url, key, header.Get(key), value)
				}
			}
		}
	}
	if status, _, body, err := get("http://127.0.0.1:31999/healthz/services/shop/none"); err != nil || status != 404 {
		t.Errorf("a Service that is not known: %d %v %s", status, err, body)
	}
}

func TestServer_AnswerChangesWithoutClosingThePort(t *testing.T) {
	t.Parallel()
	s, _ := start(t, Config{})
	set(t, s, healthPort(31001, 1))
	awaitStatus(t, 31001, 200)
	conn, err := net.Dial("tcp", "127.0.0.1:31001")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	answer := make([]byte, 12)
	for _, endpoints := range []int{1, 0, 3} {
		set(t, s, healthPort(31001, endpoints))
		if _, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		rest := make([]byte, 4096)
		n, err := conn.Read(rest)
		if err != nil {
			t.Fatalf("the connection was closed: %v", err)
		}
		copy(answer, rest[:n])
		if served := strings.HasSuffix(string(answer), "200"); served != (endpoints > 0) {
			t.Errorf("with %d endpoints the answer is %q", endpoints, answer)
		}
	}
}

func TestServer_LeavesThePortToAServiceProxy(t *testing.T) {
	t.Parallel()
	places := map[string]string{"on all addresses": ":31002", "on IPv4 only": "0.0.0.0:31002", "on IPv6 only": "[::]:31002"}
	for name, address := range places {
		network := map[string]string{"[::]:31002": "tcp6"}[address]
		if network == "" {
			network = "tcp"
		}
		proxy, err := net.Listen(network, address)
		if err != nil {
			t.Fatal(err)
		}
		s, end := start(t, Config{})
		set(t, s, healthPort(31002, 1))
		netnstest.Eventually(t, "the port is seen to be another's: "+name, func() error {
			if all := s.Status(); all[0].Served || !strings.Contains(all[0].LastError, "another process has the port") {
				return fmt.Errorf("%+v", all)
			}
			return nil
		})
		if err := proxy.Close(); err != nil {
			t.Fatal(err)
		}
		awaitStatus(t, 31002, 200)
		if all := s.Status(); !all[0].Served || all[0].LastError != "" || all[0].Service != web {
			t.Errorf("%s: %+v", name, all)
		}
		end()
		awaitClosed(t, 31002)
	}
}

// TestServer_ServiceProxyTriesFirst passes times of its own: only what is due is tried.
func TestServer_ServiceProxyTriesFirst(t *testing.T) {
	t.Parallel()
	s := New(Config{Delay: 5 * time.Second, Retry: 3 * time.Second})
	begin := time.Now()
	set(t, s, healthPort(31003, 1))
	t.Cleanup(s.closeAll)
	wait, ok := s.tryDue(t.Context(), begin.Add(time.Second))
	if !ok || wait < 3*time.Second || wait > 5*time.Second || s.Status()[0].Served {
		t.Errorf("after 1 s: next attempt in %s, %+v", wait, s.Status())
	}
	proxy, err := net.Listen("tcp", ":31003")
	if err != nil {
		t.Fatal(err)
	}
	if wait, ok := s.tryDue(t.Context(), begin.Add(6*time.Second)); !ok || wait != 3*time.Second || s.Status()[0].Served {
		t.Errorf("after 6 s: next attempt in %s, %+v", wait, s.Status())
	}
	if err := proxy.Close(); err != nil {
		t.Fatal(err)
	}
	if s.tryDue(t.Context(), begin.Add(8*time.Second)); s.Status()[0].Served {
		t.Error("tried before it was due")
	}
	if wait, ok := s.tryDue(t.Context(), begin.Add(10*time.Second)); !ok || wait != 10*time.Second || s.Status()[0].Served {
		t.Errorf("the port has just become free: next attempt in %s, %+v", wait, s.Status())
	}
	if _, ok := s.tryDue(t.Context(), begin.Add(21*time.Second)); ok || !s.Status()[0].Served {
		t.Errorf("the port has been free for 10 s: %+v", s.Status())
	}
}

// A service proxy that starts anew gets back the port that it had, and one whose ports were taken gets them at once.
func TestServer_GivesWayToAServiceProxyThatReturns(t *testing.T) {
	t.Parallel()
	s := New(Config{})
	now := time.Now()
	set(t, s, healthPort(31011, 1))
	t.Cleanup(s.closeAll)
	try := func(after time.Duration) {
		now = now.Add(after)
		s.tryDue(t.Context(), now)
	}
	listens := func() net.Listener {
		proxy, err := net.Listen("tcp4", "0.0.0.0:31011")
		if err != nil {
			t.Fatal("the service proxy does not get the port: ", err)
		}
		return proxy
	}
	proxy := listens()
	try(6 * time.Second)
	for range 3 { // restarts
		_ = proxy.Close()
		try(4 * time.Second) // sees that it is free
		proxy = listens()
		try(11 * time.Second)
	}
	_ = proxy.Close()
	try(4 * time.Second)
	if try(11 * time.Second); !s.Status()[0].Served {
		t.Fatalf("the proxy is gone: %+v", s.Status())
	}
	are := func(owner proxyhealth.Ports) {
		if err := s.Set(t.Context(), []announce.HealthPort{healthPort(31011, 1)}, announce.HealthPaths{}, owner); err != nil {
			t.Fatal(err)
		}
	}
	are(proxyhealth.ProxysOwn)
	proxy = listens()
	_ = proxy.Close()
	if try(time.Hour); s.Status()[0].Served {
		t.Error("the port is opened though it is left to the service proxy")
	}
	are(proxyhealth.Free)
	now = time.Now()
	if try(time.Second); !s.Status()[0].Served {
		t.Errorf("nobody serves the port: %+v", s.Status())
	}
}

// Where the health check of a service proxy is not found, one that returns is not seen: it must find the ports that it had, however long
// it was away.
func TestServer_WhereNoServiceProxyIsSeenItsPortsStayItsOwn(t *testing.T) {
	t.Parallel()
	s := New(Config{})
	now := time.Now()
	t.Cleanup(s.closeAll)
	are := func(owner proxyhealth.Ports) {
		if err := s.Set(t.Context(), []announce.HealthPort{healthPort(31013, 1), healthPort(31014, 1)}, announce.HealthPaths{}, owner); err != nil {
			t.Fatal(err)
		}
	}
	served := func(after time.Duration, want ...bool) {
		t.Helper()
		now = now.Add(after)
		s.tryDue(t.Context(), now)
		if all := s.Status(); all[0].Served != want[0] || all[1].Served != want[1] {
			t.Errorf("%+v, want %v", all, want)
		}
	}
	proxy, err := net.Listen("tcp4", "0.0.0.0:31013")
	if err != nil {
		t.Fatal(err)
	}
	are(proxyhealth.Unwatched)
	served(59*time.Second, false, false) // It may be about to start.
	served(2*time.Second, false, true)
	if err := proxy.Close(); err != nil {
		t.Fatal(err)
	}
	for range 100 {
		served(time.Minute, false, true)
	}
	if wait, due := s.tryDue(t.Context(), now); due {
		t.Errorf("it wakes in %s to try a port that it must not have", wait)
	}
	// It answers where it is looked for, and then not any more: its return will be seen.
	are(proxyhealth.ProxysOwn)
	served(time.Minute, false, false)
	are(proxyhealth.Free)
	served(time.Second, true, true)
}

func TestServer_ModeOnKeepsThePorts(t *testing.T) {
	t.Parallel()
	s, _ := start(t, Config{Mode: On})
	for _, owner := range []proxyhealth.Ports{proxyhealth.Unwatched, proxyhealth.ProxysOwn, proxyhealth.Free} {
		if err := s.Set(t.Context(), []announce.HealthPort{healthPort(31012, 1)}, announce.HealthPaths{}, owner); err != nil {
			t.Fatal(err)
		}
		awaitStatus(t, 31012, 200)
	}
}

func TestServer_ModeOnReportsAPortInUse(t *testing.T) {
	t.Parallel()
	proxy, err := net.Listen("tcp", ":31004")
	if err != nil {
		t.Fatal(err)
	}
	s, _ := start(t, Config{Mode: On, Delay: time.Hour}) // The delay is for auto.
	err = s.Set(t.Context(), []announce.HealthPort{healthPort(31004, 1), healthPort(31005, 1)}, announce.HealthPaths{}, proxyhealth.Free)
	if err == nil || !strings.Contains(err.Error(), "health-check port 31004 of Service shop/web: another process has the port") ||
		strings.Contains(err.Error(), "31005") {
		t.Errorf("Set returned %v", err)
	}
	awaitStatus(t, 31005, 200)
	if err := proxy.Close(); err != nil {
		t.Fatal(err)
	}
	awaitStatus(t, 31004, 200)
}

func TestServer_ModeOffServesNoPort(t *testing.T) {
	t.Parallel()
	s, _ := start(t, Config{Mode: Off})
	set(t, s, healthPort(31006, 1))
	if all := s.Status(); len(all) != 0 {
		t.Errorf("status %+v", all)
	}
	awaitClosed(t, 31006)
}

func TestServer_FixedPortInUseEndsStart(t *testing.T) {
	t.Parallel()
	other, err := net.Listen("tcp", "127.0.0.1:31007")
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	err = New(Config{Bind: "127.0.0.1:31007"}).Start(t.Context())
	if err == nil || !strings.Contains(err.Error(), "open the health port 127.0.0.1:31007") {
		t.Errorf("Start returned %v", err)
	}
}

func TestServer_CutsOffSlowClients(t *testing.T) {
	t.Parallel()
	s, _ := start(t, Config{})
	set(t, s, healthPort(31008, 1))
	awaitStatus(t, 31008, 200)
	var slow sync.WaitGroup
	for range 200 {
		conn, err := net.Dial("tcp", "127.0.0.1:31008")
		if err != nil {
			t.Fatal(err)
		}
		slow.Go(func() {
			defer conn.Close()
			_, _ = io.WriteString(conn, "GET / HT")
			_ = conn.SetReadDeadline(time.Now().Add(10 * time.Second))
			if _, err := io.ReadAll(conn); errors.Is(err, os.ErrDeadlineExceeded) {
				t.Error("a client that does not finish its request is not cut off")
			}
		})
	}
	awaitStatus(t, 31008, 200)
	slow.Wait()
}

// TestServer_ServesWhatWasSetLast: after any states in any order, exactly the ports of the last state are served.
func TestServer_ServesWhatWasSetLast(t *testing.T) {
	t.Parallel()
	s, end := start(t, Config{})
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	const first, last = 31100, 31110
	for range 60 {
		wanted := map[uint16]announce.HealthPort{}
		for port := uint16(first); port <= last; port++ {
			if random.IntN(2) == 0 {
				wanted[port] = healthPort(port, random.IntN(2))
			}
		}
		set(t, s, slices.Collect(maps.Values(wanted))...)
		if random.IntN(3) > 0 {
			continue // The next state comes at once.
		}
		for port := uint16(first); port <= last; port++ {
			want, ok := wanted[port]
			switch {
			case !ok:
				awaitClosed(t, port)
			case want.LocalEndpoints > 0:
				awaitStatus(t, port, 200)
			default:
				awaitStatus(t, port, 503)
			}
		}
	}
	end()
	for port := uint16(first); port <= last; port++ {
		awaitClosed(t, port)
	}
}

func TestServer_Metrics(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewPedanticRegistry()
	s, _ := start(t, Config{Registerer: registry})
	proxy, err := net.Listen("tcp", ":31010")
	if err != nil {
		t.Fatal(err)
	}
	defer proxy.Close()
	set(t, s, healthPort(31009, 1), healthPort(31010, 1))
	awaitStatus(t, 31009, 200)
	want := `
# HELP daymark_health_ports Health-check ports of Services, by state: served by this speaker, left to the process that has the port or may still open it, failed to open.
# TYPE daymark_health_ports gauge
daymark_health_ports{state="failed"} 0
daymark_health_ports{state="left"} 1
daymark_health_ports{state="served"} 1
`
	if err := testutil.GatherAndCompare(registry, strings.NewReader(want)); err != nil {
		t.Error(err)
	}
}
