package kubelet

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/daymark-lb/daymark/e2e/lab/build"
)

// Release is what is published: manifests, a chart, and images by the names that these have.
type Release struct {
	Version   string
	Manifests string // the file that kubectl applies
	Chart     string // the file that Helm installs
	Images    []Image
}

// Namespace is where the manifests put Daymark.
const Namespace = "daymark-system"

// ReadRelease reads what the preparation build.Release has made.
func ReadRelease() (Release, error) { return readRelease(build.ReleaseFolder()) }

// ReadPrevious reads what the preparation of build.Previous has made.
func ReadPrevious() (Release, error) { return readRelease(build.PreviousFolder()) }

func readRelease(folder string) (r Release, err error) {
	r.Manifests = filepath.Join(folder, "install.yaml")
	b, err := os.ReadFile(r.Manifests)
	if err != nil {
		return r, fmt.Errorf("read the release: %w", err)
	}
	// The first line is "# Daymark VERSION. ...", and a version has dots, too.
	head, _, _ := strings.Cut(string(b), ". ")
	r.Version = strings.TrimPrefix(head, "# Daymark ")
	r.Chart = filepath.Join(folder, "daymark-"+strings.TrimPrefix(r.Version, "v")+".tgz")
	layouts, err := filepath.Glob(filepath.Join(folder, "images", "*"))
	if err != nil {
		return r, err
	}
	for _, layout := range layouts {
		r.Images = append(r.Images, Image{Layout: layout})
	}
	return r, nil
}

// Install applies the manifests and waits until Daymark is ready on all nodes.
func (c *Cluster) Install(r Release) {
	c.t.Helper()
	c.Kubectl("apply", "-f", r.Manifests)
	c.RollOut("daemonset/daymark-speaker")
	c.RollOut("deployment/daymark-controller")
}
