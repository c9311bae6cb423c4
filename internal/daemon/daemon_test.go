package daemon

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/spf13/pflag"

	"github.com/daymark-lb/daymark/internal/version"
)

func TestExecute_ExitStatus(t *testing.T) {
	for _, test := range []struct {
		name   string
		args   []string
		check  error
		run    error
		status int
		say    string
	}{
		{name: "a program that ends well says nothing", status: 0},
		{name: "a flag that does not exist", args: []string{"--nonsense"}, status: 2, say: "unknown flag: --nonsense"},
		{name: "a flag whose value is none", args: []string{"--serve-classless=perhaps"}, status: 2, say: "serve-classless"},
		{name: "an argument", args: []string{"start"}, status: 2, say: `unknown argument "start"`},
		{name: "a log level that does not exist", args: []string{"--log-level=loud"}, status: 2, say: "--log-level must be"},
		{name: "an address without a port", args: []string{"--metrics-bind-address=localhost"}, status: 2, say: "--metrics-bind-address must be address:port or 0"},
		{name: "a port too large", args: []string{"--metrics-bind-address=:99999"}, status: 2, say: "--metrics-bind-address must be address:port or 0"},
		{name: "a format of the log that does not exist", args: []string{"--log-format=xml"}, status: 2, say: "--log-format must be text or json"},
		{name: "profiles for everybody", args: []string{"--pprof-bind-address=:6060"}, status: 2, say: "--pprof-bind-address must be on the loopback"},
		{name: "profiles on the node's address", args: []string{"--pprof-bind-address=192.0.2.1:6060"}, status: 2, say: "--pprof-bind-address must be on the loopback"},
		{name: "profiles on the loopback", args: []string{"--pprof-bind-address=localhost:6060"}},
		{name: "profiles on the loopback by IPv6", args: []string{"--pprof-bind-address=[::1]:6060"}},
		{name: "a certificate without TLS", args: []string{"--metrics-cert-dir=/tmp"}, status: 2, say: "--metrics-cert-dir needs --metrics-secure"},
		{name: "a certificate that is not there", args: []string{"--metrics-secure", "--metrics-cert-dir=/nowhere"}, status: 2, say: "--metrics-cert-dir: open /nowhere/tls.crt: no such file"},
		{name: "a kubeconfig that is not there", args: []string{"--kubeconfig=/nowhere"}, status: 2, say: "--kubeconfig: stat /nowhere: no such file"},
		{name: "an empty class", args: []string{"--load-balancer-class="}, status: 2, say: "--load-balancer-class must not be empty"},
		{name: "an empty namespace", args: []string{"--namespace="}, status: 2, say: "--namespace must not be empty"},
		{name: "what the program itself finds wrong", check: errors.New("--node-name is missing"), status: 2, say: "--node-name is missing"},
		{
			name: "a port that another program has", run: fmt.Errorf("serve: %w", &net.OpError{Op: "listen", Err: os.NewSyscallError("bind", syscall.EADDRINUSE)}),
			status: 1, say: "address already in use: another program has that port, which `ss -lntup` on the node names: stop it, or change the port",
		},
		{name: "a program that fails", run: errors.New("no API server"), status: 1, say: "test: no API server"},
	} {
		t.Run(test.name, func(t *testing.T) {
			var stderr bytes.Buffer
			program := Program{
				Name: "test", Metrics: ":1", Health: "0", Flags: func(*pflag.FlagSet) {},
				Validate: func() error { return test.check },
				Run:      func(context.Context, *Flags, *slog.Logger) error { return test.run },
			}
			if status := execute(t.Context(), program, test.args, io.Discard, &stderr); status != test.status {
				t.Errorf("exit status %d, want %d", status, test.status)
			}
			text := stderr.String()
			if !strings.Contains(text, test.say) {
				t.Errorf("stderr %q does not say %q", text, test.say)
			}
			if lines := strings.Count(text, "\n"); test.say != "" && lines != 1 || test.say == "" && lines != 0 {
				t.Errorf("%d lines on stderr: %q", lines, text)
			}
		})
	}
}

// asDaemon in the environment makes this test's process a daemon, which logs when its stdin ends, and then says on stdout that it goes on.
const asDaemon = "DAYMARK_TEST_AS_DAEMON"

func TestMain_GoesOnWhenNobodyReadsItsLog(t *testing.T) {
	if os.Getenv(asDaemon) != "" {
		os.Args = os.Args[:1]
		Main(Program{
			Name: "daemon", Metrics: "0", Health: "0", Flags: func(*pflag.FlagSet) {}, Validate: func() error { return nil },
			Run: func(_ context.Context, _ *Flags, log *slog.Logger) error {
				if _, err := io.ReadAll(os.Stdin); err != nil {
					return err
				}
				log.Info("nobody reads this")
				log.Info("and not this")
				_, err := os.Stdout.WriteString("it goes on")
				return err
			},
		})
	}
	daemon := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$")
	daemon.Env = append(os.Environ(), asDaemon+"=1")
	var said strings.Builder
	daemon.Stdout = &said
	stdin, err := daemon.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stderr, err := daemon.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := daemon.Start(); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(stderr.Close(), stdin.Close()); err != nil {
		t.Error(err)
	}
	if err := daemon.Wait(); err != nil || said.String() != "it goes on" {
		t.Errorf("it says %q, and ends with %v", said.String(), err)
	}
}

func TestExecute_HandsFlagsToTheProgram(t *testing.T) {
	var got Flags
	program := Program{
		Name: "test", Metrics: ":1", Health: ":2", Flags: func(*pflag.FlagSet) {}, Validate: func() error { return nil },
		Run: func(_ context.Context, f *Flags, _ *slog.Logger) error { got = *f; return nil },
	}
	args := []string{"--namespace=lb", "--health-bind-address=0", "--load-balancer-class=example.com/x", "--serve-classless=false"}
	if status := execute(t.Context(), program, args, io.Discard, io.Discard); status != 0 {
		t.Fatalf("exit status %d", status)
	}
	if got.Namespace != "lb" || got.Metrics != ":1" || got.Health != "0" || got.Classes.Name != "example.com/x" || got.Classes.Classless {
		t.Errorf("handed %+v", got)
	}
}

func TestExecute_LogsJSONWhenAsked(t *testing.T) {
	var stderr bytes.Buffer
	program := Program{
		Name: "test", Metrics: "0", Health: "0", Flags: func(*pflag.FlagSet) {}, Validate: func() error { return nil },
		Run: func(_ context.Context, _ *Flags, log *slog.Logger) error {
			log.Info("it begins", "node", "n1")
			log.Debug("not asked for")
			return nil
		},
	}
	execute(t.Context(), program, []string{"--log-format=json"}, io.Discard, &stderr)
	var line map[string]any
	if err := json.Unmarshal(stderr.Bytes(), &line); err != nil || line["msg"] != "it begins" || line["node"] != "n1" || line["level"] != "INFO" {
		t.Errorf("%q: %v", stderr.String(), err)
	}
}

func TestExecute_TaskInsteadOfTheDaemon(t *testing.T) {
	var got string
	program := Program{
		Name: "test", Flags: func(*pflag.FlagSet) {}, Validate: func() error { return errors.New("not asked for") },
		Run: func(context.Context, *Flags, *slog.Logger) error { return errors.New("not to be run") },
		Tasks: []Task{{Name: "task", Run: func(_ context.Context, f *Flags, _ *slog.Logger) error {
			got = f.Kubeconfig + " " + f.Namespace
			return nil
		}}},
	}
	if status := execute(t.Context(), program, []string{"task", "--kubeconfig=x", "--namespace=y"}, io.Discard, io.Discard); status != 0 || got != "x y" {
		t.Errorf("exit status %d, it got %q", status, got)
	}
	for _, args := range [][]string{{"task", "more"}, {"task", "--metrics-bind-address=0"}, {"tusk"}} {
		if status := execute(t.Context(), program, args, io.Discard, io.Discard); status == 0 {
			t.Errorf("%q is taken", args)
		}
	}
}

func TestExecute_Version(t *testing.T) {
	program := Program{
		Name: "test", Metrics: "0", Health: "0", Flags: func(*pflag.FlagSet) {}, Validate: func() error { return errors.New("not asked for") },
		Run: func(context.Context, *Flags, *slog.Logger) error { return errors.New("not to be run") },
	}
	var stdout, stderr bytes.Buffer
	if status := execute(t.Context(), program, []string{"--version"}, &stdout, &stderr); status != 0 || stderr.Len() > 0 {
		t.Errorf("exit status %d, stderr %q", status, stderr.String())
	}
	if want := "test version " + version.Get().String() + "\n"; stdout.String() != want {
		t.Errorf("stdout %q, want %q", stdout.String(), want)
	}
}

func TestBuildInfo_IsAMetric(t *testing.T) {
	registry := prometheus.NewRegistry()
	info := version.Info{Version: "v0.1.0", Revision: "abc", Date: "2026-11-26", Go: "go1.26.0"}
	for range 2 { // the second time must not fail
		if err := registerMetrics(registry, info); err != nil {
			t.Fatal(err)
		}
	}
	want := `# HELP daymark_build_info The build that runs, in labels. The value is always 1.
# TYPE daymark_build_info gauge
daymark_build_info{goversion="go1.26.0",revision="abc",version="v0.1.0"} 1
`
	if err := testutil.GatherAndCompare(registry, strings.NewReader(want), "daymark_build_info"); err != nil {
		t.Error(err)
	}
}
