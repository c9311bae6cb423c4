// Package commandtest has commands talk to an API server without a kubeconfig. It is for tests alone. Its one job is that connection; it refuses
// to start the API server and to run the command.
package commandtest

import (
	"io"
	"os"

	"k8s.io/cli-runtime/pkg/genericiooptions"
	"k8s.io/client-go/rest"

	"github.com/daymark-lb/daymark/cli/env"
)

// Env is what a command has that talks to an API server and prints everything to out.
func Env(config *rest.Config, out io.Writer) *env.Env {
	e := env.New(genericiooptions.IOStreams{Out: out, ErrOut: out})
	none := os.DevNull
	e.System, e.Config.KubeConfig, e.Config.APIServer = "daymark-system", &none, &config.Host
	e.Config.WrapConfigFn = func(*rest.Config) *rest.Config { return rest.CopyConfig(config) }
	return e
}
