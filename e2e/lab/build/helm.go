package build

import (
	"context"
	"io"
)

// helmVersion is what e2e/kubelet/helm/go.mod requires.
const helmVersion = "v4.3.1"

var helm = module{
	name:     "helm-" + helmVersion,
	env:      "DAYMARK_LAB_HELM",
	source:   "e2e/kubelet/helm",
	inputs:   []string{"go.mod", "go.sum"},
	notice:   "Building Helm " + helmVersion + " from source, once: 1 to 3 minutes.",
	packages: 1100,
	commands: [][]string{{"build", "helm", "-ldflags", "-s -w", "helm.sh/helm/v4/cmd/helm"}},
}

// Helm builds Helm.
func Helm(ctx context.Context, progress io.Writer) error { return helm.build(ctx, progress) }

// HelmProgram is the path of helm, which `Helm` has built.
func HelmProgram() string { return helm.program("helm") }
