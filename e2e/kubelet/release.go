package kubelet

import (
	"errors"
	"path/filepath"

	"github.com/daymark-lb/daymark/e2e/lab/build"
	"github.com/daymark-lb/daymark/e2e/lab/sandbox"
)

// Release is what is published: manifests, and images by the names that these have.
type Release struct {
	Version   string
	Manifests []string // what tells kubectl apply of them: "-f", "install.yaml"
	Images    []Image
}

// Namespace is where the manifests put Daymark.
const Namespace = "daymark-system"

// TreeRelease makes a release of this checkout: config/default, and the programs that the preparation build.Daymark has built.
func TreeRelease() (r Release, err error) {
	root, err := build.ModuleRoot()
	if err != nil {
		return r, err
	}
	dir, err := sandbox.NewFolder("release")
	if err != nil {
		return r, err
	}
	r.Version = "of this checkout"
	r.Manifests = []string{"-k", filepath.Join(root, "config", "default")}
	for _, program := range []string{"controller", "speaker"} {
		image, e := programImage(filepath.Join(dir, program), build.PlainDaymarkProgram(program))
		image.Name = "ghcr.io/daymark-lb/" + program + ":v0.0.0-dev" // as config/ names them
		r.Images, err = append(r.Images, image), errors.Join(err, e)
	}
	return r, err
}

// Install applies the manifests and waits until Daymark is ready on all nodes.
func (c *Cluster) Install(r Release) {
	c.t.Helper()
	c.Kubectl(append([]string{"apply"}, r.Manifests...)...)
	c.RollOut("daemonset/daymark-speaker")
	c.RollOut("deployment/daymark-controller")
}
