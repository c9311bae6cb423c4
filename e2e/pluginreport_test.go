package e2e_test

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/daymark-lb/daymark/e2e/lab"
)

// ages in what the plugin prints: how long something has been so.
var ages = regexp.MustCompile(`\b(\d+(ms|[smhd]))+\b`)

// answer of the plugin to a question, without ages.
func (p *plugin) answer(line string) string {
	p.t.Helper()
	stdout, stderr, status := p.run(line)
	return ages.ReplaceAllString(fmt.Sprintf("%s%s--- status %d", stdout, stderr, status), "AGE")
}

// TestPlugin_ReportsALivingCluster: check finds nothing in the way, a bundle answers as the cluster does, and a new
// Service for Pods that are there is tried and removed.
func TestPlugin_ReportsALivingCluster(t *testing.T) {
	cluster := daymark(t)
	p := buildPlugin(t, cluster)
	cluster.Pod("told", "n1")
	cluster.Apply(segmentPool("told", "192.0.2.210-192.0.2.211"))
	cluster.Apply(service("told", "told"))
	address, _ := cluster.Service("told").AwaitAddress()
	awaitHolder(t, cluster, address)
	awaitCondition(t, cluster.Service("told"), "daymark.io/Announced", "True")
	awaitMembers(t, cluster)

	t.Run("check", func(t *testing.T) { checks(t, p) })
	t.Run("bundle", func(t *testing.T) { bundles(t, p, address.String()) })
	t.Run("test", func(t *testing.T) { tries(t, p) })
}

func checks(t *testing.T, p *plugin) {
	t.Helper()
	lab.Eventually(t, waitTimeout, "check finds nothing in the way", func() error {
		stdout, stderr, _ := p.run("check -o json")
		var report struct {
			Findings []struct{ Check, Object, Message string }
			Passed   []string
			Skipped  []struct{ Check, Why string }
		}
		if err := json.Unmarshal([]byte(stdout), &report); err != nil {
			return fmt.Errorf("%w: %s%s", err, stdout, stderr)
		}
		if len(report.Findings) > 0 {
			return fmt.Errorf("it finds %+v", report.Findings)
		}
		for _, name := range []string{"kinds", "programs", "daemon-rights", "version-skew", "no-speaker", "gossip", "service-proxy", "clocks", "other-provider", "ports-taken"} {
			if !slices.Contains(report.Passed, name) {
				return fmt.Errorf("%s has not passed: %s%s", name, stdout, stderr)
			}
		}
		return nil
	})
}

// bundles: what commands say of a bundle is what they say of the cluster.
func bundles(t *testing.T, p *plugin, address string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "bundle.tgz")
	lab.Eventually(t, waitTimeout, "a bundle answers as the cluster does", func() error {
		if stdout, stderr, status := p.run("bundle -o " + file); status != 0 || stdout != file+"\n" {
			return fmt.Errorf("status %d: %s%s", status, stdout, stderr)
		}
		for _, question := range []string{"status", "problems", "explain told", "explain node n1", "explain pool told", "explain address " + address} {
			live, later := p.answer(question), p.answer(question+" --from "+file)
			if live != later {
				return fmt.Errorf("to %q the cluster answers\n%s\nand the bundle\n%s", question, live, later)
			}
		}
		return nil
	})
	if stdout, stderr, status := p.run("bundle --redact -o " + file); status != 0 {
		t.Fatalf("status %d: %s%s", status, stdout, stderr)
	}
	// The Service has the name of its pool, and so its pseudonym.
	for _, question := range []string{"status", "explain pool-1 -n default", "explain node node-1"} {
		if text := p.answer(question + " --from " + file); telling.MatchString(text) || !strings.Contains(text, "node-1") && question != "status" {
			t.Errorf("to %q a redacted bundle answers\n%s", question, text)
		}
	}
}

// telling names and addresses of the lab.
var telling = regexp.MustCompile(`\b(told|n[1-3]|192\.0\.2\.\d+)\b`)

// tries a Service for the Pod that is there.
func tries(t *testing.T, p *plugin) {
	t.Helper()
	stdout, stderr, status := p.run("test --backend told --pool told --timeout 30s")
	for _, wanted := range []string{"address    192.0.2.211", " on n1\n", "announced  192.0.2.211 by layer 2", "confirmed  held by n", "reached    192.0.2.211:80 by TCP"} {
		if !strings.Contains(stdout, wanted) || status != 0 || !strings.Contains(stderr, "removed Service") {
			t.Fatalf("it does not say %q, status %d:\n%s%s", wanted, status, stdout, stderr)
		}
	}
	if left := p.cluster.Kubectl("get", "services", "-o", "name"); strings.Contains(left, "daymark-test-") {
		t.Errorf("left are\n%s", left)
	}
	stdout, stderr, status = p.run("test --backend told --pool none --timeout 2s")
	if status != 1 || !strings.Contains(stdout, "failed") || !strings.Contains(stdout, "Pools, in the order in which they are asked") {
		t.Errorf("from a pool that is not there, status %d:\n%s%s", status, stdout, stderr)
	}
}
