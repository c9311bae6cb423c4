package kubelet

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/daymark-lb/daymark/e2e/lab/build"
	"github.com/daymark-lb/daymark/e2e/lab/check"
)

// Administrator is somebody with a release, kubectl and Helm, who does what a page of the documentation says.
type Administrator struct {
	Chart string // the name of the chart's file, which stands in pages for daymark-1.2.3.tgz

	cluster *Cluster
	folder  string // with the chart, config/chart, install.yaml and values.yaml, which the commands name
}

// Administrator unpacks a release. The values are for its chart.
func (c *Cluster) Administrator(r Release, values string) Administrator {
	c.t.Helper()
	a := Administrator{filepath.Base(r.Chart), c, filepath.Join(c.dir, "administrator", r.Version)}
	check.Must(c.t, "unpack the release", a.unpack(r, values))
	return a
}

func (a Administrator) unpack(r Release, values string) error {
	if err := os.MkdirAll(filepath.Join(a.folder, "config"), 0o755); err != nil {
		return err
	}
	_, err := a.sh("tar -xzf " + r.Chart + " -C config && mv config/daymark config/chart && cp " + r.Manifests + " install.yaml && cp " + r.Chart + " .")
	return errors.Join(err, os.WriteFile(filepath.Join(a.folder, "values.yaml"), []byte(values), 0o600))
}

// Do runs a command that a page of the documentation has, word for word, and returns what it printed. Words are pairs of one that stands
// for something in the page, such as NAME, and what it stands for.
func (a Administrator) Do(page, command string, words ...string) string {
	a.cluster.t.Helper()
	check.Must(a.cluster.t, "look into "+page, Says(page, command))
	command = strings.NewReplacer(words...).Replace(command)
	out, err := a.sh(command)
	check.Must(a.cluster.t, command, err)
	return out
}

// sh runs a command in the folder, for three minutes at most.
func (a Administrator) sh(command string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	path := strings.Join([]string{filepath.Dir(build.HelmProgram()), build.KubernetesFolder(), os.Getenv("PATH")}, string(filepath.ListSeparator))
	return a.cluster.here.Run(ctx, "", "env", "--chdir="+a.folder, "PATH="+path, "KUBECONFIG="+a.cluster.Kubeconfig, "HOME="+a.folder, "sh", "-euc", command)
}

// Says reports a page that has no line with the command alone.
func Says(page, command string) error {
	root, err := build.ModuleRoot()
	if err != nil {
		return err
	}
	b, err := os.ReadFile(filepath.Join(root, page))
	if err != nil {
		return err
	}
	alone := func(line string) bool { return strings.HasPrefix(line, "    ") && strings.TrimSpace(line) == command }
	if !slices.ContainsFunc(strings.Split(string(b), "\n"), alone) {
		return fmt.Errorf("%s does not have the command `%s`", page, command)
	}
	return nil
}
