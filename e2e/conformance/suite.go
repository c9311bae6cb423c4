package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/daymark-lb/daymark/e2e/kubelet"
	"github.com/daymark-lb/daymark/e2e/kubelet/suite"
	"github.com/daymark-lb/daymark/e2e/lab/build"
	"github.com/daymark-lb/daymark/e2e/lab/check"
)

// networks are what an administrator writes for each way to announce.
var networks = map[string]string{
	"layer2": `
apiVersion: daymark.io/v1beta1
kind: IPAddressPool
metadata: {name: lan}
spec: {addresses: [192.0.2.200-192.0.2.250]}
---
apiVersion: daymark.io/v1beta1
kind: L2Advertisement
metadata: {name: lan}
spec: {ipAddressPools: [lan]}
`,
	"bgp": `
apiVersion: daymark.io/v1beta1
kind: IPAddressPool
metadata: {name: wan}
spec: {addresses: [203.0.113.0/25]}
---
apiVersion: daymark.io/v1beta1
kind: BGPAdvertisement
metadata: {name: wan}
spec: {ipAddressPools: [wan]}
---
apiVersion: daymark.io/v1beta1
kind: BGPPeer
metadata: {name: router}
spec: {myASN: 64512, peerASN: 64513, peerAddress: 192.0.2.1}
`,
}

// jobs is how many tests run side by side.
const jobs = 9

// addFinalizer turns on what one of the tests is about, and is off unless asked for.
const addFinalizer = `[{"op": "add", "path": "/spec/template/spec/containers/0/args/-", "value": "--cleanup-finalizer"}]`

// runSuite runs Kubernetes' own tests by one way to announce, and writes what they say into its section of the file.
func runSuite(t *narrator, way, file string) error {
	kubelet.Need(t)
	ctx := context.Background()
	release, err := kubelet.ReadRelease()
	if err != nil {
		return err
	}
	folder, err := os.MkdirTemp("", "daymark-conformance-"+way+"-")
	if err != nil {
		return err
	}
	image, err := suite.Image(ctx, filepath.Join(folder, "agnhost"))
	if err != nil {
		return err
	}
	c := kubelet.Start(t, kubelet.Settings{Images: append(release.Images, image)})
	c.Install(release)
	c.Kubectl("--namespace", kubelet.Namespace, "patch", "deployment", "daymark-controller", "--type=json", "-p", addFinalizer)
	c.RollOut("deployment/daymark-controller")
	c.Apply(networks[way])
	if way == "bgp" {
		check.Eventually(t, time.Minute, "the router has a session with every node", c.Peered)
	}
	names, err := suite.List(ctx, suite.Focus)
	if err != nil {
		return err
	}
	t.Logf("%d tests, %d at a time; whole outputs are in %s", len(names), jobs, folder)
	runner := suite.Runner{Cluster: c, Folder: filepath.Join(folder, "output"), Jobs: jobs, Say: func(line string) { t.Logf("%s", line) }}
	results, err := runner.Run(names)
	if err != nil {
		return err
	}
	return replaceSection(file, way, section(release.Version, results))
}

// section is the results as a table, and how they came about.
func section(version string, results []suite.Result) string {
	var b strings.Builder
	passed := 0
	for _, r := range results {
		if r.Outcome == "pass" {
			passed++
		}
	}
	fmt.Fprintf(&b, "**%d of %d pass.** %s, Kubernetes %s, kube-proxy in nftables mode, IPv4, Daymark %s, Linux %s, %d processors,\n%d tests at a time.\n\n",
		passed, len(results), time.Now().UTC().Format("2006-01-02"), build.KubernetesVersion, version, kernel(), runtime.NumCPU(), jobs)
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
