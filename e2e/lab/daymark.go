package lab

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Namespace is where Daymark is installed.
const Namespace = "daymark-system"

// binariesEnv names the folder of the programs under test, from outside to inside.
const binariesEnv = "DAYMARK_LAB_BINARIES"

// plainEnv names the folder of the programs as they are installed, from outside to inside.
const plainEnv = "DAYMARK_LAB_PLAIN"

// BuildDaymark builds controller and speaker twice: as `make build` does, for UsePlainBinaries, and to be what is run
// otherwise, with the race detector, where there is the C compiler that it needs.
func BuildDaymark(ctx context.Context, progress io.Writer) error {
	programs := []string{"./controller", "./speaker"}
	plain, err := buildHere(ctx, "plain", append([]string{"-trimpath", "-ldflags=-s -w"}, programs...)...)
	if err != nil {
		return err
	}
	tested := plain
	if _, err := exec.LookPath("gcc"); err == nil {
		if tested, err = buildHere(ctx, "race", append([]string{"-race"}, programs...)...); err != nil {
			return err
		}
	} else {
		fmt.Fprintln(progress, "lab: no C compiler, so Daymark runs without the race detector")
	}
	return errors.Join(os.Setenv(plainEnv, plain), UseBinaries(tested))
}

// UseBinaries makes the programs in the folder what is run.
func UseBinaries(folder string) error {
	path, err := filepath.Abs(folder)
	if err != nil {
		return fmt.Errorf("find %s: %w", folder, err)
	}
	return os.Setenv(binariesEnv, path)
}

// buildHere builds programs of this module into a folder of the cache that is this checkout's own, where the linker finds
// them again when nothing has changed.
func buildHere(ctx context.Context, name string, arguments ...string) (string, error) {
	root, err := moduleRoot()
	if err != nil {
		return "", err
	}
	checkout := sha256.Sum256([]byte(root))
	folder, err := cacheFolder(filepath.Join("bin-"+hex.EncodeToString(checkout[:4]), name))
	if err != nil {
		return "", err
	}
	unlock, err := lock(folder + ".lock")
	if err != nil {
		return "", err
	}
	defer unlock()
	cmd := exec.CommandContext(ctx, "go", append([]string{"build", "-o", folder + "/"}, arguments...)...)
	cmd.Dir = root
	cmd.Env = os.Environ()
	if !slices.Contains(arguments, "-race") {
		cmd.Env = append(cmd.Env, "CGO_ENABLED=0")
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build %s: %w\n%s", strings.Join(arguments, " "), err, out)
	}
	return folder, nil
}

// InstallDaymark applies config/default and makes the identities that the programs run with: tokens of their service
// accounts, the speakers' bound to their nodes as a kubelet does it.
func (c *Cluster) InstallDaymark() {
	c.t.Helper()
	root, err := moduleRoot()
	c.must("install Daymark", err)
	c.Kubectl("apply", "-k", filepath.Join(root, "config", "default"))
	c.must("install Daymark", c.makeController())
	for _, n := range c.nodes {
		c.must("install Daymark", c.makeSpeaker(n))
	}
}

func (c *Cluster) makeController() error {
	kubeconfig, err := c.identity("daymark-controller", "controller", nil)
	if err != nil {
		return err
	}
	c.controller = newProgram(c.here, "controller", c.dir,
		filepath.Join(os.Getenv(binariesEnv), "controller"), "--kubeconfig", kubeconfig, "--namespace", Namespace)
	c.controller.env = raceEnv
	return nil
}

// speakerIdentity writes the kubeconfig of a speaker, with a token that is good for as long as the Node object is there.
func (c *Cluster) speakerIdentity(n *node) (kubeconfig string, err error) {
	object := &corev1.Node{}
	ctx, cancel := background()
	defer cancel()
	if err := c.api.Get(ctx, client.ObjectKey{Name: n.Name}, object); err != nil {
		return "", fmt.Errorf("read node %s: %w", n.Name, err)
	}
	bound := &authenticationv1.BoundObjectReference{APIVersion: "v1", Kind: "Node", Name: object.Name, UID: object.UID}
	return c.identity("daymark-speaker", "speaker-"+n.Name, bound)
}

func (c *Cluster) makeSpeaker(n *node) error {
	kubeconfig, err := c.speakerIdentity(n)
	if err != nil {
		return err
	}
	n.speaker = newProgram(n.Host, "speaker-"+n.Name, c.dir,
		filepath.Join(os.Getenv(binariesEnv), "speaker"), "--kubeconfig", kubeconfig, "--namespace", Namespace, "--node-name", n.Name)
	n.speaker.env = raceEnv
	return nil
}

// raceEnv lets a program go on after a race: the report in its log fails the test.
var raceEnv = []string{"GORACE=halt_on_error=0"}

// identity writes a kubeconfig with a token of the service account.
func (c *Cluster) identity(account, name string, bound *authenticationv1.BoundObjectReference) (string, error) {
	ctx, cancel := background()
	defer cancel()
	day := int64(24 * 60 * 60)
	request := &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{ExpirationSeconds: &day, BoundObjectRef: bound}}
	object := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: Namespace, Name: account}}
	if err := c.api.SubResource("token").Create(ctx, object, request); err != nil {
		return "", fmt.Errorf("ask for a token of %s: %w", account, err)
	}
	path := filepath.Join(c.dir, name+".kubeconfig")
	return path, c.plane.writeKubeconfig(path, request.Status.Token)
}

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

// Controller is Daymark's controller, which runs on the API server's host.
func (c *Cluster) Controller() Daemon { return Daemon{c.controller, c} }

// Speaker is Daymark's speaker on this node.
func (n Node) Speaker() Daemon { return Daemon{n.speaker, n.c} }

// RunDaymark runs one of Daymark's programs, "controller" or "speaker", to its end, on the API server's host.
func (c *Cluster) RunDaymark(ctx context.Context, program string, arguments ...string) (stdout, stderr string, status int) {
	c.t.Helper()
	cmd := exec.CommandContext(ctx, filepath.Join(os.Getenv(binariesEnv), program), arguments...)
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
		usual := p.argv[0]
		swap := func(path string) {
			c.must("stop "+p.Name, p.Stop())
			p.argv[0] = path
			c.must("start "+p.Name, p.Start())
		}
		c.t.Cleanup(func() { swap(usual) })
		swap(filepath.Join(os.Getenv(plainEnv), filepath.Base(usual)))
	}
}

// daymark is all programs of Daymark there are in this lab, the controller first.
func (w *world) daymark() (all []*Program) {
	if w.controller != nil {
		all = append(all, w.controller)
	}
	for _, n := range w.nodes {
		if n.speaker != nil {
			all = append(all, n.speaker)
		}
	}
	return all
}
