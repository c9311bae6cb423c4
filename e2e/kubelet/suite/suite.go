// Package suite runs Kubernetes' own tests of LoadBalancer Services, unmodified, against a lab, and reports what they say. It refuses
// to skip a test, or to judge one itself.
package suite

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/daymark-lb/daymark/e2e/kubelet"
	"github.com/daymark-lb/daymark/e2e/lab/build"
	"github.com/daymark-lb/daymark/internal/testnet"
)

// FocusLoadBalancers is the tests of Services of type LoadBalancer, test/e2e/network/loadbalancer.go.
const FocusLoadBalancers = `\[Feature:LoadBalancer\]`

// FocusServices is those of test/e2e/network/service.go that concern a provider: that make a Service of type LoadBalancer and look at its
// status, ports or health check, and those of external addresses and of endpoints that end, for which a provider sends traffic.
const FocusServices = `\] Services should (` +
	`complete a service status lifecycle` +
	`|serve endpoints on same port and different protocol` + // two: for internal traffic on Type LoadBalancer, and of a cluster IP
	`|implement NodePort and HealthCheckNodePort correctly` +
	`|fail health check node port if there are only terminating endpoints` +
	`|fallback to (local )?terminating endpoints when there are no ready endpoints with external` +
	`|be possible to connect to a service via ExternalIP)`

// Result is what became of a test.
type Result struct {
	Test    string
	Outcome string // pass, skip or FAIL
	Why     string // it did not pass, in the suite's words
	Took    time.Duration
}

// Runner runs tests against a cluster.
type Runner struct {
	Cluster *kubelet.Cluster
	Folder  string            // of the tests' whole outputs
	Jobs    int               // how many tests run side by side: most of their time is waiting
	Say     func(line string) // what has ended
}

var listed = regexp.MustCompile(`(?m)\.go:\d+: (.*\S)`)

// List returns the names of the tests that match, sorted.
func List(ctx context.Context, focus string) ([]string, error) {
	expression, err := regexp.Compile(focus)
	if err != nil {
		return nil, err
	}
	out, err := exec.CommandContext(ctx, build.SuiteProgram("e2e.test"), "--list-tests", "--provider=skeleton").Output()
	if err != nil {
		return nil, fmt.Errorf("list the tests: %w", err)
	}
	var names []string
	for _, match := range listed.FindAllSubmatch(out, -1) {
		if expression.Match(match[1]) {
			names = append(names, string(match[1]))
		}
	}
	slices.Sort(names)
	if names = slices.Compact(names); len(names) == 0 {
		return nil, fmt.Errorf("no test matches %q", focus)
	}
	return names, nil
}

// Run runs the tests, each in a process of its own, those that take the longest first, and returns their results by name.
func (r Runner) Run(names []string) ([]Result, error) {
	if err := os.MkdirAll(r.Folder, 0o755); err != nil {
		return nil, err
	}
	names = slices.Clone(names)
	slices.SortStableFunc(names, func(a, b string) int { return cmp.Compare(waits(b), waits(a)) })
	slots := make(chan struct{}, r.Jobs)
	results, errs := make([]Result, len(names)), make([]error, len(names))
	var running sync.WaitGroup
	for i, name := range names {
		slots <- struct{}{}
		running.Go(func() {
			defer func() { <-slots }()
			results[i], errs[i] = r.one(i, name)
			r.Say(results[i].String())
		})
	}
	running.Wait()
	slices.SortFunc(results, func(a, b Result) int { return strings.Compare(a.Test, b.Test) })
	return results, errors.Join(errs...)
}

// waits is how long a test waits, about: that in which pods are rolled takes 16 minutes, a switch of affinity some.
func waits(name string) int {
	return slices.IndexFunc([]string{"", "affinity", "finalizer", "rolling"}, func(word string) bool {
		return word != "" && strings.Contains(name, word)
	})
}

func (r Result) String() string {
	line := fmt.Sprintf("%s %5.0f s  %s", r.Outcome, r.Took.Seconds(), r.Test)
	if r.Why != "" {
		line += "\n             " + r.Why
	}
	return line
}

// one runs one test, from the client behind the router.
func (r Runner) one(number int, name string) (Result, error) {
	began := time.Now()
	p := testnet.NewProcess(r.Cluster.FarClient().Namespace, fmt.Sprintf("test-%02d", number), r.Folder, build.SuiteProgram("e2e.test"),
		"--provider=skeleton", "--kubeconfig="+r.Cluster.Kubeconfig, "--kubectl-path="+build.KubernetesProgram("kubectl"),
		fmt.Sprintf("--num-nodes=%d", len(r.Cluster.Nodes)), "--minStartupPods=0", "--disable-log-dump", "--dump-logs-on-failure=false",
		"--ginkgo.timeout=2h", "--ginkgo.no-color", "--ginkgo.v", "--ginkgo.focus="+regexp.QuoteMeta(name)+"$",
		"--report-dir="+filepath.Join(r.Folder, fmt.Sprintf("%02d", number)))
	if err := p.Start(); err != nil {
		return Result{}, err
	}
	status, err := p.Exit(context.Background())
	if err != nil {
		return Result{}, err
	}
	result := Result{Test: name, Took: time.Since(began)}
	result.Outcome, result.Why = judge(status, p.Output())
	return result, nil
}

var reason = regexp.MustCompile(`(?m)^ *\[(FAILED|SKIPPED|TIMEDOUT|INTERRUPTED)\] (.*)$`)

// judge reads the output of a process that ran one test.
func judge(status int, output string) (outcome, why string) {
	if status == 0 && strings.Contains(output, "1 Passed") {
		return "pass", ""
	}
	match := reason.FindStringSubmatch(output)
	if match == nil {
		return "FAIL", fmt.Sprintf("it ended with status %d", status)
	}
	if status == 0 && match[1] == "SKIPPED" {
		return "skip", strings.TrimSpace(match[2])
	}
	return "FAIL", strings.TrimSpace(match[2])
}

var labels = regexp.MustCompile(`\[(?:sig-network|Feature:LoadBalancer|Slow|LinuxOnly)\] ?`)

// Short is a test's name without what it has in common with the others.
func Short(name string) string {
	short := strings.TrimSpace(labels.ReplaceAllString(name, ""))
	return strings.TrimPrefix(short, "LoadBalancers ")
}
