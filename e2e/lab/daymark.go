package lab

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/daymark-lb/daymark/e2e/lab/build"
	"github.com/daymark-lb/daymark/e2e/lab/check"
	"github.com/daymark-lb/daymark/internal/testnet"
)

// Namespace is where Daymark is installed.
const Namespace = "daymark-system"

// InstallDaymark applies config/default and makes the identities that the programs run with: tokens of their service
// accounts, the speakers' bound to their nodes as a kubelet does it.
func (c *Cluster) InstallDaymark() {
	c.t.Helper()
	root, err := build.ModuleRoot()
	c.must("install Daymark", err)
	c.Kubectl("apply", "-k", filepath.Join(root, "config", "default"))
	c.playWorkloads()
	c.must("install Daymark", c.makeController())
	for _, n := range c.nodes {
		c.must("install Daymark", c.makeSpeaker(n))
	}
}

// playWorkloads gives the Deployment and the DaemonSet the image of the programs that the lab runs in the place of Pods, and the status
// that their controllers would write.
func (c *Cluster) playWorkloads() {
	c.t.Helper()
	ctx, cancel := check.Context()
	defer cancel()
	says, _, _ := c.RunDaymark(ctx, "controller", "--version")
	version, _, _ := strings.Cut(strings.TrimPrefix(says, "controller version "), " ")
	c.Kubectl("-n", Namespace, "set", "image", "deployment/daymark-controller", "controller=controller:"+version)
	c.Kubectl("-n", Namespace, "set", "image", "daemonset/daymark-speaker", "speaker=speaker:"+version)
	c.Kubectl("-n", Namespace, "scale", "deployment/daymark-controller", "--replicas=1")
	c.Kubectl("-n", Namespace, "patch", "deployment/daymark-controller", "--subresource=status", "-p",
		`{"status": {"replicas": 1, "readyReplicas": 1, "availableReplicas": 1, "updatedReplicas": 1}}`)
	c.Kubectl("-n", Namespace, "patch", "daemonset/daymark-speaker", "--subresource=status", "-p", fmt.Sprintf(
		`{"status": {"currentNumberScheduled": %[1]d, "desiredNumberScheduled": %[1]d, "numberReady": %[1]d, "numberAvailable": %[1]d}}`, len(c.nodes)))
}

func (c *Cluster) makeController() error {
	kubeconfig, err := c.plane.Identity(Namespace, "daymark-controller", "controller", nil)
	if err != nil {
		return err
	}
	c.controller = testnet.NewProcess(c.here.Namespace, "controller", c.dir,
		build.DaymarkProgram("controller"), "--kubeconfig", kubeconfig, "--namespace", Namespace)
	c.controller.Env = raceEnv
	return nil
}

// Replica is a second controller, on the client's host, which waits until the first is gone. It runs from the first time on that it is
// asked for.
func (c *Cluster) Replica() Daemon {
	c.t.Helper()
	if c.replica == nil {
		kubeconfig, err := c.plane.Identity(Namespace, "daymark-controller", "replica", nil)
		c.must("make a replica", err)
		c.replica = testnet.NewProcess(c.client.Namespace, "replica", c.dir, slices.Concat(c.controller.Argv[:1], []string{
			"--kubeconfig", kubeconfig, "--namespace", Namespace,
		})...)
		c.replica.Env = raceEnv
		c.must("start a replica", c.replica.Start())
	}
	return Daemon{c.replica, c}
}

// speakerIdentity writes the kubeconfig of a speaker, with a token that is good for as long as the Node object is there.
func (c *Cluster) speakerIdentity(n *nodeParts) (kubeconfig string, err error) {
	object := &corev1.Node{}
	ctx, cancel := check.Context()
	defer cancel()
	if err := c.API().Get(ctx, client.ObjectKey{Name: n.Name}, object); err != nil {
		return "", fmt.Errorf("read node %s: %w", n.Name, err)
	}
	bound := &authenticationv1.BoundObjectReference{APIVersion: "v1", Kind: "Node", Name: object.Name, UID: object.UID}
	return c.plane.Identity(Namespace, "daymark-speaker", "speaker-"+n.Name, bound)
}

func (c *Cluster) makeSpeaker(n *nodeParts) error {
	kubeconfig, err := c.speakerIdentity(n)
	if err != nil {
		return err
	}
	n.speaker = testnet.NewProcess(n.Namespace, "speaker-"+n.Name, c.dir,
		build.DaymarkProgram("speaker"), "--kubeconfig", kubeconfig, "--namespace", Namespace, "--node-name", n.Name)
	n.speaker.Env = raceEnv
	return nil
}

// raceEnv lets a program go on after a race: the report in its log fails the test.
var raceEnv = []string{"GORACE=halt_on_error=0"}

// StartDaymark starts the controller and a speaker on every node, those that do not run.
func (c *Cluster) StartDaymark() {
	c.t.Helper()
	var errs []error
	for _, p := range c.daymark() {
		if !p.Running() {
			errs = append(errs, p.Start())
		}
	}
	c.must("start Daymark", errors.Join(errs...))
}

// EnsureDaymark installs and starts Daymark as far as that is not done yet.
func (c *Cluster) EnsureDaymark() {
	c.t.Helper()
	if c.controller == nil {
		c.InstallDaymark()
	}
	c.StartDaymark()
}

// APIServer is kube-apiserver.
func (c *Cluster) APIServer() Daemon { return Daemon{c.plane.APIServer, c} }

// Controller is Daymark's controller, which runs on the API server's host.
func (c *Cluster) Controller() Daemon { return Daemon{c.controller, c} }

// Speaker is Daymark's speaker on this node.
func (n Node) Speaker() Daemon { return Daemon{n.speaker, n.c} }

// RunDaymark runs one of Daymark's programs, "controller" or "speaker", to its end, on the API server's host.
func (c *Cluster) RunDaymark(ctx context.Context, program string, arguments ...string) (stdout, stderr string, status int) {
	c.t.Helper()
	cmd := exec.CommandContext(ctx, build.DaymarkProgram(program), arguments...)
	var out, diagnosis strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &diagnosis
	err := cmd.Run()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		c.must("run "+program, err)
	}
	return out.String(), diagnosis.String(), cmd.ProcessState.ExitCode()
}

// UsePlainBinaries has Daymark run without the race detector until the test ends.
func (c *Cluster) UsePlainBinaries() {
	c.t.Helper()
	for _, p := range c.daymark() {
		usual := p.Argv[0]
		swap := func(path string) {
			c.must("stop "+p.Name, p.Stop())
			p.Argv[0] = path
			c.must("start "+p.Name, p.Start())
		}
		c.t.Cleanup(func() { swap(usual) })
		swap(build.PlainDaymarkProgram(filepath.Base(usual)))
	}
}

// daymark is all programs of Daymark there are in this lab, the controller first.
func (p *parts) daymark() (all []*testnet.Process) {
	all = append(all, p.controller, p.replica)
	for _, n := range p.nodes {
		all = append(all, n.speaker)
	}
	return slices.DeleteFunc(all, func(process *testnet.Process) bool { return process == nil })
}
