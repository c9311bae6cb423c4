package build

import (
	"context"
	"errors"
	"io"
	"os"
)

// KubernetesVersion is what e2e/kube/go.mod requires.
const KubernetesVersion = "v1.37.1"

const componentVersion = "k8s.io/component-base/version"

// kubernetesFlags strip the programs of Kubernetes, and tell them their version.
const kubernetesFlags = "-s -w -X " + componentVersion + ".gitVersion=" + KubernetesVersion +
	" -X " + componentVersion + ".gitMajor=1 -X " + componentVersion + ".gitMinor=37"

var kubernetes = module{
	name:     "kube-" + KubernetesVersion,
	env:      "DAYMARK_LAB_KUBERNETES",
	source:   "e2e/kube",
	inputs:   []string{"main.go", "go.mod", "go.sum", "proxy/proxy.go", "proxy/kernel.go"},
	notice:   "Building Kubernetes " + KubernetesVersion + " and etcd from source, once: 2 to 10 minutes.",
	packages: 2450,
	commands: [][]string{{"build", "kube", "-ldflags", kubernetesFlags, "."}},
	links: map[string]string{
		"etcd": "kube", "kube-apiserver": "kube", "kube-controller-manager": "kube", "kube-proxy": "kube", "kubectl": "kube",
		"service-proxy": "kube",
	},
}

// KubernetesProgram is the path of one of the programs that `Kubernetes` has built.
func KubernetesProgram(name string) string { return kubernetes.program(name) }

// KubernetesFolder is where etcd, kubectl and the others are, for whoever wants them on the PATH.
func KubernetesFolder() string { return os.Getenv(kubernetes.env) }

// Kubernetes builds etcd and Kubernetes from their modules into the cache folder, once.
func Kubernetes(ctx context.Context, progress io.Writer) error {
	return kubernetes.build(ctx, progress)
}

// FindKubernetes is Kubernetes that builds nothing: when the cache has none it returns an error that says what to do.
func FindKubernetes() error {
	if kubernetes.missing() {
		return errors.New("find Kubernetes: it is not built: run `make test`, or `go run ./e2e/demo build`, which takes 2 to 10 minutes once")
	}
	return nil
}
