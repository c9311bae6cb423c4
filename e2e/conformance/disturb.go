package main

import (
	"errors"
	"fmt"
	"net/netip"
	"regexp"
	"strings"
	"syscall"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/daymark-lb/daymark/e2e/kubelet"
	"github.com/daymark-lb/daymark/e2e/lab/check"
	"github.com/daymark-lb/daymark/e2e/lab/probe"
)

// held is how many connections are kept open meanwhile.
const held = 50

// afterwards is how long is looked on when a disturbance is over.
const afterwards = 3 * time.Second

// disturbance is what happens to a node, or to a part of Daymark.
type disturbance struct {
	what string
	kind kind
	do   func(c *kubelet.Cluster, node string)
}

// kind of a disturbance, and what it may cost.
type kind int

const (
	// planned: an administrator does it on purpose, and in a way that lets programs end. No new connection may fail for it.
	planned kind = iota
	// orderly: programs are told to end, and nobody has told Kubernetes that they will not be back soon. New connections may fail for rebootSpan.
	orderly
	// crash: it costs what it costs.
	crash
)

// rebootSpan is for how long some new connections may fail when a node is rebooted.
const rebootSpan = time.Second

var disturbances = []disturbance{
	{"nothing, for 5 s", planned, func(*kubelet.Cluster, string) { time.Sleep(5 * time.Second) }},
	{"roll-out of the DaemonSet", planned, func(c *kubelet.Cluster, _ string) {
		c.Kubectl("--namespace", kubelet.Namespace, "rollout", "restart", "daemonset/daymark-speaker")
		c.RollOut("daemonset/daymark-speaker")
	}},
	{"`kubectl delete pod` of the speaker", planned, func(c *kubelet.Cluster, node string) { deleteSpeaker(c, node) }},
	{"the same with `--force --grace-period=0`", crash, func(c *kubelet.Cluster, node string) {
		deleteSpeaker(c, node, "--force", "--grace-period=0")
	}},
	{"kill -9 of the speaker", crash, func(c *kubelet.Cluster, node string) { signalSpeaker(c, node, syscall.SIGKILL) }},
	{"the speaker stopped for longer than its liveness probe", crash, func(c *kubelet.Cluster, node string) {
		signalSpeaker(c, node, syscall.SIGSTOP)
	}},
	{"kubelet restarted", planned, func(c *kubelet.Cluster, node string) { restart(c, node, "kubelet") }},
	{"containerd restarted", planned, func(c *kubelet.Cluster, node string) { restart(c, node, "containerd") }},
	{"roll-out of the controller", planned, func(c *kubelet.Cluster, _ string) {
		c.Kubectl("--namespace", kubelet.Namespace, "rollout", "restart", "deployment/daymark-controller")
		c.RollOut("deployment/daymark-controller")
	}},
	{"node drained", planned, func(c *kubelet.Cluster, node string) {
		c.Kubectl("drain", node, "--ignore-daemonsets", "--delete-emptydir-data", "--timeout=90s")
		c.Kubectl("uncordon", node)
	}},
	{"node without pods of the Services cordoned and rebooted", orderly, func(c *kubelet.Cluster, node string) {
		c.Kubectl("cordon", node)
		reboot(c, node)
		c.Kubectl("uncordon", node)
	}},
	{"the same, and nobody tells Kubernetes of the reboot", orderly, reboot},
	{"node deleted, and registered again 5 s later", crash, deleteNode},
}

func deleteSpeaker(c *kubelet.Cluster, node string, how ...string) {
	pod, err := c.Speaker(node)
	must(err)
	c.Kubectl(append([]string{"--namespace", kubelet.Namespace, "delete", "pod", pod.Name}, how...)...)
	c.RollOut("daemonset/daymark-speaker")
}

func signalSpeaker(c *kubelet.Cluster, node string, signal syscall.Signal) {
	before := c.Restarts(node)
	must(c.Node(node).Signal("speaker", signal))
	c.AwaitRestart(node, before)
}

// restart ends a program of a node, which starts it again, and waits until the node is ready with another.
func restart(c *kubelet.Cluster, node, program string) {
	m := c.Node(node)
	before, err := m.Processes(program)
	must(err)
	must(m.Signal(program, syscall.SIGTERM))
	c.Await("another "+program, func() error {
		now, err := m.Processes(program)
		if err == nil && (len(now) == 0 || now[0] == before[0]) {
			err = fmt.Errorf("%s runs %v, and before %v", node, now, before)
		}
		return err
	})
	c.AwaitReady(m)
}

// deleteNode deletes the object, which ends the node's pods, and registers it again as an administrator does: by a restart of kubelet.
func deleteNode(c *kubelet.Cluster, node string) {
	c.Kubectl("delete", "node", node)
	time.Sleep(5 * time.Second)
	m := c.Node(node)
	ranges := []string{m.PodsV4.String(), m.PodsV6.String()}
	ctx, cancel := check.Context()
	defer cancel()
	must(c.API.Create(ctx, &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: node}, Spec: corev1.NodeSpec{PodCIDR: ranges[0], PodCIDRs: ranges}}))
	restart(c, node, "kubelet")
	c.RollOut("daemonset/daymark-speaker")
}

// off is how long a node that reboots is away.
const off = 5 * time.Second

// reboot does what `systemctl reboot` does where the kubelet has no grace period: all programs are told to end at once, and when the
// speaker has ended the node is off the network and gone. It comes back with the disk that it had. The pods of the Services are on other
// nodes: kube-proxy sends connections to those of a node that is gone until Kubernetes finds out, whoever brought them there.
func reboot(c *kubelet.Cluster, node string) {
	c.Kubectl("label", "node", node, kubelet.NoWeb+"=true")
	c.Kubectl("wait", "--for=delete", "pod", "--selector=app=web", "--field-selector=spec.nodeName="+node, "--timeout=60s")
	time.Sleep(afterwards) // Every kube-proxy knows.
	m, before := c.Node(node), c.Restarts(node)
	must(m.ShutDown())
	c.Await("the speaker has ended", func() error {
		pids, err := m.Processes("speaker")
		if err == nil && len(pids) > 0 {
			err = fmt.Errorf("it is process %v", pids)
		}
		return err
	})
	c.Plug(node, false)
	must(m.Kill())
	time.Sleep(off)
	c.Plug(node, true)
	must(m.Start())
	c.AwaitRestart(node, before)
	c.AwaitReady(m)
	c.Kubectl("label", "node", node, kubelet.NoWeb+"-")
	c.Kubectl("rollout", "status", "daemonset/web", "--timeout=60s")
}

// must ends what is under way with the error.
func must(err error) {
	if err != nil {
		panic(failure{err})
	}
}

// runDisturbances writes what each costs into its section of the file. With an expression it makes those alone that match, and writes
// nothing.
func runDisturbances(t *narrator, file, only string) error {
	wanted, err := regexp.Compile(only)
	if err != nil {
		return fmt.Errorf("read the expression %q: %w", only, err)
	}
	c, version, lan, wan, err := serving(t)
	if err != nil {
		return err
	}
	var b strings.Builder
	b.WriteString("| what happens | took | BGP: new failed | held broken | layer 2: new failed, of these open already | held broken |\n|---|---|---|---|---|---|\n")
	var errs []error
	for _, d := range disturbances {
		if !wanted.MatchString(d.what) {
			continue
		}
		seen, err := disturb(t, c, d, lan, wan)
		if err != nil { // It was not done, so it cost nothing.
			errs = append(errs, fmt.Errorf("%s: %w", d.what, err))
			continue
		}
		if err := seen.wrong(d); err != nil {
			t.Logf("%s: %v", d.what, err)
			errs = append(errs, fmt.Errorf("%s: %w", d.what, err))
		}
		t.Logf("%s", seen.line(d))
		fmt.Fprintln(&b, seen.line(d))
	}
	if only != "" {
		return errors.Join(errs...)
	}
	fmt.Fprintf(&b, "\n%s, Daymark %s, Linux %s.\n", time.Now().UTC().Format("2006-01-02"), version, kernel())
	return errors.Join(append(errs, replaceSection(file, "disturbances", b.String()))...)
}

// cost is what clients saw of a disturbance.
type cost struct {
	took         time.Duration
	byBGP, byARP probe.Report
	// Of the connections that were held, why some broke.
	brokenByBGP, brokenByARP []error
	// straight is of connections to the own addresses of pods on the other nodes: what fails there is the machine's.
	straight probe.Report
}

// line of the table.
func (s cost) line(d disturbance) string {
	return fmt.Sprintf("| %s | %.1f s | %d of %d | %d of %d | %d of %d, %d | %d of %d |", d.what, s.took.Seconds(),
		s.byBGP.Failed(), len(s.byBGP.Attempts), len(s.brokenByBGP), held,
		s.byARP.Failed(), len(s.byARP.Attempts), len(s.byARP.Broken()), len(s.brokenByARP), held)
}

// wrong is what should not have been: connections that could not be opened during something planned, or for too long during a reboot, and by
// layer 2 open ones that broke though it was planned. By BGP now and then a few of these do, as docs/connections.md says. What is not answered in
// time while pods are not reached straight either does not count.
func (s cost) wrong(d disturbance) (err error) {
	if d.kind == crash {
		return nil
	}
	for _, way := range []struct {
		name   string
		report probe.Report
	}{{"BGP", s.byBGP}, {"layer 2", s.byARP}} {
		report, _ := way.report.Without(s.straight)
		if span := report.Span(); d.kind == orderly && span > rebootSpan { // others are served meanwhile
			err = errors.Join(err, fmt.Errorf("by %s new connections failed for %s, and may for %s: %w", way.name, span, rebootSpan, report.FirstError()))
		}
		if failed := report.Failed() - len(report.Broken()); d.kind == planned && failed > 0 {
			err = errors.Join(err, fmt.Errorf("by %s %d new connections failed, and none may: %w", way.name, failed, report.FirstError()))
		}
	}
	byARP, _ := s.byARP.Without(s.straight)
	if open := len(byARP.Broken()) + len(s.brokenByARP); d.kind == planned && open > 0 {
		err = errors.Join(err, fmt.Errorf("by layer 2 %d open connections broke, and none may", open))
	}
	return err
}

// disturb does it to the node that holds the address of layer 2.
func disturb(t *narrator, c *kubelet.Cluster, d disturbance, lan, wan netip.Addr) (seen cost, err error) {
	node := c.Client().Holder(lan)
	control := c.Control(node)
	near, far := c.Client().Probe(kubelet.URL(lan)), c.FarClient().Probe(kubelet.URL(wan))
	near.Forget() // or a client that has asked once would not see that nobody answers
	heldNear := kubelet.Hold(c.Client(), netip.AddrPortFrom(lan, 80).String(), held)
	heldFar := kubelet.Hold(c.FarClient(), netip.AddrPortFrom(wan, 80).String(), held)
	began := time.Now()
	err = t.tell(func() error { d.do(c, node); return nil })
	seen.took = time.Since(began)
	time.Sleep(afterwards)
	seen.byARP, seen.byBGP, seen.brokenByARP, seen.brokenByBGP = near.Stop(), far.Stop(), heldNear.Stop(), heldFar.Stop()
	seen.straight = control.Stop()
	for way, report := range map[string]probe.Report{"BGP": seen.byBGP, "layer 2": seen.byARP} {
		if first, last := report.FailedBetween(); report.Failed() > 0 {
			t.Logf("%s: by %s those failed that began between %.1f and %.1f s", d.what, way, first.Sub(began).Seconds(), last.Sub(began).Seconds())
		}
	}
	for _, first := range [][]error{
		{seen.byARP.FirstError(), seen.byBGP.FirstError()}, seen.brokenByARP[:min(1, len(seen.brokenByARP))], seen.brokenByBGP[:min(1, len(seen.brokenByBGP))],
	} {
		if err := errors.Join(first...); err != nil {
			t.Logf("%s: %v", d.what, err)
		}
	}
	return seen, err
}
