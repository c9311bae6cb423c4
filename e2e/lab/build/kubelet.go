package build

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
)

// containerdVersion is what e2e/kubelet/containerd/go.mod requires. Debian's own is too old for this kubelet.
const containerdVersion = "v2.4.2"

const (
	containerdModule = "github.com/containerd/containerd/v2"
	containerdTags   = "urfave_cli_no_docs osusergo netgo static_build no_btrfs no_zfs no_devmapper"
	containerdFlags  = "-s -w -X " + containerdModule + "/version.Version=" + containerdVersion +
		" -X " + containerdModule + "/version.Package=" + containerdModule
)

// kubelet is kubelet and kube-scheduler.
var kubelet = module{
	name:     "kubelet-" + KubernetesVersion,
	env:      "DAYMARK_LAB_KUBELET",
	source:   "e2e/kube",
	inputs:   []string{"go.mod", "go.sum", "node/main.go"},
	notice:   "Building kubelet and kube-scheduler " + KubernetesVersion + " from source, once: 1 to 5 minutes.",
	packages: 2400,
	commands: [][]string{{"build", "node", "-ldflags", kubernetesFlags, "./node"}},
	links:    map[string]string{"kubelet": "node", "kube-scheduler": "node"},
}

var containerd = module{
	name:     "containerd-" + containerdVersion,
	env:      "DAYMARK_LAB_CONTAINERD",
	source:   "e2e/kubelet/containerd",
	inputs:   []string{"go.mod", "go.sum"},
	notice:   "Building containerd " + containerdVersion + " from source, once: 1 to 4 minutes.",
	packages: 1200,
	commands: [][]string{
		{"build", "", "-tags", containerdTags, "-ldflags", containerdFlags, containerdModule + "/cmd/containerd", containerdModule + "/cmd/ctr"},
		{"build", "", "-tags", containerdTags + " no_grpc", "-ldflags", containerdFlags, containerdModule + "/cmd/containerd-shim-runc-v2"},
	},
}

var registry = module{
	name:     "registry",
	env:      "DAYMARK_LAB_REGISTRY",
	source:   "e2e/kubelet/registry",
	inputs:   []string{"go.mod", "go.sum", "main.go", "folder.go", "pod/main.go"},
	notice:   "Building the lab's registry of images from source, once.",
	packages: 300,
	commands: [][]string{{"build", "registry", "-ldflags", "-s -w", "."}, {"build", "pod", "-ldflags", "-s -w", "./pod"}},
}

// suite is Kubernetes' own end-to-end tests of networks, and the program that their pods run.
var suite = module{
	name:     "suite-" + KubernetesVersion,
	env:      "DAYMARK_LAB_SUITE",
	source:   "e2e/kube",
	inputs:   []string{"go.mod", "go.sum", "suite/suite_test.go"},
	notice:   "Building Kubernetes' own tests from source, once: 2 to 6 minutes.",
	packages: 2200,
	commands: [][]string{
		{"test -c", "e2e.test", "-ldflags", kubernetesFlags, "./suite"},
		{"build", "agnhost", "-ldflags", "-s -w", "k8s.io/kubernetes/test/images/agnhost"},
	},
}

// Kubelet builds what real nodes need beside `Kubernetes`: kubelet, kube-scheduler, containerd, and a registry with its images.
func Kubelet(ctx context.Context, progress io.Writer) error {
	for _, m := range []module{kubelet, containerd, registry} {
		if err := m.build(ctx, progress); err != nil {
			return err
		}
	}
	return nil
}

// FindKubelet is Kubelet that builds nothing: when the cache lacks a part it returns an error that says what to do.
func FindKubelet() error {
	for _, m := range []module{kubelet, containerd, registry} {
		if m.missing() {
			return errors.New("find kubelet: it is not built: run `make test`, or `go run ./e2e/conformance build`, which takes 2 to 10 minutes once")
		}
	}
	return nil
}

// Suite builds Kubernetes' own tests of networks.
func Suite(ctx context.Context, progress io.Writer) error { return suite.build(ctx, progress) }

// SuiteProgram is the path of "e2e.test" or "agnhost", which `Suite` has built.
func SuiteProgram(name string) string { return suite.program(name) }

// RegistryProgram is the path of "registry", or of "pod", which every image of the lab's own runs.
func RegistryProgram(name string) string { return registry.program(name) }

// SchedulerProgram is the path of kube-scheduler.
func SchedulerProgram() string { return kubelet.program("kube-scheduler") }

// NodePath is the PATH of a node: its programs, those of the control plane, and the machine's own.
func NodePath() string {
	path := os.Getenv(kubelet.env)
	for _, folder := range []string{os.Getenv(containerd.env), KubernetesFolder(), os.Getenv("PATH"), "/usr/sbin", "/sbin"} {
		path += string(filepath.ListSeparator) + folder
	}
	return path
}
