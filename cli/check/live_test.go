package check

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"k8s.io/cli-runtime/pkg/genericiooptions"
	"k8s.io/client-go/rest"

	"github.com/daymark-lb/daymark/cli/env"
	"github.com/daymark-lb/daymark/e2e/lab"
)

func TestMain(m *testing.M) { lab.Main(m) }

// TestCommand_AsksTheAPIServer for the rights of the user: the administrator has them, and somebody else has none and sees nothing.
func TestCommand_AsksTheAPIServer(t *testing.T) {
	config := lab.ControlPlane(t)
	for _, test := range []struct {
		user, flag string
		wanted     []string
	}{
		{"", "--pre=true", []string{"passed  kubernetes-version, pod-security", ", rights\n"}},
		{"", "--pre=false", []string{"error   kinds: speakers.daymark.io: the API server does not know the kind"}},
		{"nobody", "--pre=true", []string{
			"error   rights: you may not create daemonsets.apps in namespace daymark-system", "not checked: ports-taken: you may not list pods",
		}},
	} {
		var out bytes.Buffer
		e := env.New(genericiooptions.IOStreams{Out: &out, ErrOut: &out})
		none := os.DevNull
		e.System, e.Config.KubeConfig, e.Config.APIServer = "daymark-system", &none, &config.Host
		e.Config.WrapConfigFn = func(*rest.Config) *rest.Config {
			as := rest.CopyConfig(config)
			as.Impersonate.UserName = test.user
			return as
		}
		c := New(e)
		c.SilenceUsage, c.SilenceErrors = true, true
		c.SetArgs([]string{test.flag})
		_ = c.ExecuteContext(t.Context())
		for _, text := range test.wanted {
			if !strings.Contains(out.String(), text) {
				t.Errorf("user %q, %s: %q is not in\n%s", test.user, test.flag, text, out.String())
			}
		}
	}
}
