// Package monitoring runs a real Prometheus and a real Alertmanager for a test, with rules and with programs to scrape that may be in
// any namespace. It decides nothing about the alerts.
package monitoring

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/daymark-lb/daymark/internal/testnet"
)

// Program is one that is run, by its name in Debian.
type Program string

// Programs that Start needs.
const (
	Prometheus   Program = "prometheus"
	Alertmanager Program = "prometheus-alertmanager"
)

// Installed tells whether the program is on this machine.
func (p Program) Installed() bool { return testnet.Require(string(p)) == nil }

// Target is a program to scrape.
type Target struct {
	// Name is its label instance, Node its label node; empty: it has none.
	Name, Node string
	// Metrics are what it serves now. An error means that it cannot be scraped.
	Metrics func() (string, error)
}

// Monitoring is a Prometheus with its Alertmanager.
type Monitoring struct {
	prometheus, alertmanager string
	notifications            *notifications
	targets                  *targets
	stop                     []func()
}

// Start starts both with a file of rules, below a folder, which is to be empty. What they listen on is on the loopback.
func Start(folder, rules string, scraped []Target) (*Monitoring, error) {
	m := &Monitoring{notifications: &notifications{}, targets: &targets{all: scraped}}
	scrapes, err := m.serve(m.targets)
	if err != nil {
		return nil, err
	}
	hook, err := m.serve(m.notifications)
	if err != nil {
		return nil, errors.Join(err, m.Stop())
	}
	if m.prometheus, err = freePort(); err == nil {
		m.alertmanager, err = freePort()
	}
	if err != nil {
		return nil, errors.Join(err, m.Stop())
	}
	files := map[string]string{
		"prometheus.yml":   prometheusConfig(rules, m.alertmanager, scrapes, scraped),
		"alertmanager.yml": alertmanagerConfig(hook),
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
			return nil, errors.Join(err, m.Stop())
		}
	}
	err = errors.Join(
		m.start(folder, Alertmanager, "--config.file="+folder+"/alertmanager.yml", "--storage.path="+folder+"/alertmanager",
			"--web.listen-address="+m.alertmanager, "--cluster.listen-address="),
		m.start(folder, Prometheus, "--config.file="+folder+"/prometheus.yml", "--storage.tsdb.path="+folder+"/prometheus",
			"--web.listen-address="+m.prometheus),
	)
	if err != nil {
		return nil, errors.Join(err, m.Stop())
	}
	return m, nil
}

// Stop ends everything.
func (m *Monitoring) Stop() error {
	for _, stop := range m.stop {
		stop()
	}
	return nil
}

// serve serves a handler at an address of the loopback.
func (m *Monitoring) serve(handler http.Handler) (address string, err error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	server := &http.Server{Handler: handler, ReadHeaderTimeout: time.Second}
	go func() { _ = server.Serve(listener) }()
	m.stop = append(m.stop, func() { _ = server.Close() })
	return listener.Addr().String(), nil
}

// start starts a program that writes into a log in the folder.
func (m *Monitoring) start(folder string, program Program, arguments ...string) error {
	log, err := os.Create(filepath.Join(folder, string(program)+".log"))
	if err != nil {
		return err
	}
	defer func() { _ = log.Close() }()
	command := exec.Command(string(program), arguments...)
	command.Stdout, command.Stderr = log, log
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := command.Start(); err != nil {
		return fmt.Errorf("start %s: %w", program, err)
	}
	m.stop = append(m.stop, func() {
		_ = command.Process.Kill()
		_ = command.Wait()
	})
	return nil
}

func freePort() (string, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return listener.Addr().String(), listener.Close()
}

// Series are how many series an expression gives now.
func (m *Monitoring) Series(expression string) (int, error) {
	var answer struct {
		Data struct{ Result []json.RawMessage }
	}
	err := m.get("/api/v1/query?query="+url.QueryEscape(expression), &answer)
	return len(answer.Data.Result), err
}

// Firing are the names of the alerts that fire now, each as often as it does.
func (m *Monitoring) Firing() (names []string, err error) {
	var answer struct {
		Data struct {
			Alerts []struct {
				Labels map[string]string
				State  string
			}
		}
	}
	if err := m.get("/api/v1/alerts", &answer); err != nil {
		return nil, err
	}
	for _, alert := range answer.Data.Alerts {
		if alert.State == "firing" {
			names = append(names, alert.Labels["alertname"])
		}
	}
	return names, nil
}

// get asks Prometheus.
func (m *Monitoring) get(path string, into any) error {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+m.prometheus+path, nil)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return fmt.Errorf("ask Prometheus: %w", err)
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		return errors.Join(err, fmt.Errorf("ask Prometheus for %s: %s %s", path, response.Status, text))
	}
	return json.Unmarshal(text, into)
}

// targets serves what each program serves, below its name.
type targets struct{ all []Target }

// ServeHTTP implements http.Handler.
func (s *targets) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	for _, target := range s.all {
		if strings.TrimPrefix(r.URL.Path, "/") != target.Name {
			continue
		}
		text, err := target.Metrics()
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
			return
		}
		_, _ = io.WriteString(w, text)
		return
	}
	http.NotFound(w, r)
}
