package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/daymark-lb/daymark/e2e/kubelet"
	"github.com/daymark-lb/daymark/e2e/kubelet/suite"
	"github.com/daymark-lb/daymark/e2e/lab/build"
	"github.com/daymark-lb/daymark/e2e/lab/check"
	"github.com/daymark-lb/daymark/e2e/lab/sandbox"
)

// jobs is how many tests run side by side.
const jobs = 9

// addFinalizer turns on what one of the tests is about, and is off unless asked for.
const addFinalizer = `[{"op": "add", "path": "/spec/template/spec/containers/0/args/-", "value": "--cleanup-finalizer"}]`

// runSuite runs Kubernetes' own tests in a variant, and writes what they say into its section of the file. If there is no file it runs
// those that match the focus, and only says it.
func runSuite(t *narrator, v variant, file, focus string) error {
	ctx := context.Background()
	folder, err := os.MkdirTemp("", "daymark-conformance-"+v.Name+"-")
	if err != nil {
		return err
	}
	names, err := suite.List(ctx, focus)
	if err != nil {
		return err
	}
	c, version, err := forSuite(ctx, t, v)
	if err != nil {
		return err
	}
	t.Logf("%d tests, %d at a time; whole outputs are in %s", len(names), jobs, folder)
	runner := suite.Runner{Cluster: c, Folder: folder, Jobs: jobs, Say: func(line string) { t.Logf("%s", line) }}
	results, err := runner.Run(names)
	if err != nil || file == "" {
		return err
	}
	return errors.Join(unexpected(v, results), replaceSection(file, v.Name, section(v, version, results)))
}

// unexpected are the tests that did not pass and could have.
func unexpected(v variant, results []suite.Result) (errs error) {
	for _, r := range results {
		if name := suite.Short(r.Test); r.Outcome != "pass" && !slices.Contains(v.cannotPass(), name) {
			errs = errors.Join(errs, fmt.Errorf("%s: %s %s", name, r.Outcome, r.Why))
		}
	}
	return errs
}

// forSuite starts a cluster with Daymark as the tests want it, and with the image of their pods.
func forSuite(ctx context.Context, t *narrator, v variant) (c *kubelet.Cluster, version string, err error) {
	kubelet.Need(t)
	release, err := kubelet.ReadRelease()
	if err != nil {
		return nil, "", err
	}
	folder, err := sandbox.NewFolder("agnhost")
	if err != nil {
		return nil, "", err
	}
	image, err := suite.Image(ctx, folder)
	if err != nil {
		return nil, "", err
	}
	c = kubelet.Start(t, kubelet.Settings{Images: append(release.Images, image), V6: v.V6, Proxy: v.Proxy})
	c.Install(release)
	c.Kubectl("--namespace", kubelet.Namespace, "patch", "deployment", "daymark-controller", "--type=json", "-p", addFinalizer)
	c.RollOut("deployment/daymark-controller")
	c.Apply(v.network())
	if v.Way == "bgp" {
		check.Eventually(t, time.Minute, "the router has a session with every node", c.Peered)
	}
	return c, release.Version, nil
}

// section is the results as a table, and how they came about.
func section(v variant, version string, results []suite.Result) string {
	var b strings.Builder
	passed := 0
	for _, r := range results {
		if r.Outcome == "pass" {
			passed++
		}
	}
	fmt.Fprintf(&b, "**%d of %d pass.** %s, Kubernetes %s, kube-proxy in %s mode, %s, Daymark %s, Linux %s, %d processors,\n%d tests at a time.\n\n",
		passed, len(results), time.Now().UTC().Format("2006-01-02"), build.KubernetesVersion, v.Proxy, v.family(), version, kernel(), runtime.NumCPU(), jobs)
	b.WriteString("| test | result | seconds |\n|---|---|---|\n")
	for _, r := range results {
		outcome := r.Outcome
		if r.Why != "" {
			outcome += ": " + strings.ReplaceAll(r.Why, "|", "\\|")
		}
		fmt.Fprintf(&b, "| %s | %s | %.0f |\n", suite.Short(r.Test), outcome, r.Took.Seconds())
	}
	return b.String()
}

func kernel() string {
	b, err := os.ReadFile("/proc/sys/kernel/osrelease")
	if err != nil {
		return "of unknown release"
	}
	return strings.TrimSpace(string(b))
}

// replaceSection replaces what is between the marks of a section.
func replaceSection(file, name, text string) error {
	b, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	begin, end := fmt.Sprintf("<!-- begin %s -->\n", name), fmt.Sprintf("<!-- end %s -->", name)
	before, rest, found := strings.Cut(string(b), begin)
	_, after, ended := strings.Cut(rest, end)
	if !found || !ended {
		return fmt.Errorf("%s has no section %q between %q and %q", file, name, strings.TrimSpace(begin), end)
	}
	return os.WriteFile(file, []byte(before+begin+text+end+after), 0o644)
}
