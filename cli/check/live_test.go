package check

import (
	"bytes"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/daymark-lb/daymark/cli/commandtest"
	"github.com/daymark-lb/daymark/cli/source"
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
		{"", "--pre=true", []string{"passed  kubernetes-version, pod-security", ", rights, flow-control\n"}},
		{"", "--pre=false", []string{
			"error   kinds: speakers.daymark.io: the API server does not know the kind",
			"error   daemon-rights: ServiceAccount daymark-system/daymark-controller: it may not patch services/status",
		}},
		{"nobody", "--pre=false", []string{"not seen: the rights of Daymark's programs: ", "not checked: daemon-rights: "}},
		{"nobody", "--pre=true", []string{
			"error   rights: you may not create daemonsets.apps in namespace daymark-system", "not checked: ports-taken: you may not list pods",
		}},
	} {
		out := look(t, config, test.user, test.flag)
		for _, text := range test.wanted {
			if !strings.Contains(out, text) {
				t.Errorf("user %q, %s: %q is not in\n%s", test.user, test.flag, text, out)
			}
		}
	}
}

// look at a cluster with the command, and return what it prints.
func look(t *testing.T, config *rest.Config, user, flag string) string {
	t.Helper()
	var out bytes.Buffer
	as := rest.CopyConfig(config)
	as.Impersonate.UserName = user
	c := New(commandtest.Env(as, &out))
	c.SilenceUsage, c.SilenceErrors = true, true
	c.SetArgs([]string{flag})
	_ = c.ExecuteContext(t.Context())
	return out.String()
}

// TestCommand_FindsTheRightsOfTheManifests: with the roles that the manifests have no right is missing, and each that is taken away is seen.
func TestCommand_FindsTheRightsOfTheManifests(t *testing.T) {
	config := lab.ControlPlane(t)
	api, err := client.New(config, client.Options{Scheme: source.Scheme})
	if err != nil {
		t.Fatal(err)
	}
	if err := api.Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "daymark-system"}}); err != nil {
		t.Fatal(err)
	}
	for _, program := range []string{"controller", "speaker"} {
		all, err := source.Open(filepath.Join("..", "..", "config", "rbac", program+".yaml"), now)
		if err != nil {
			t.Fatal(err)
		}
		for _, item := range all.Items {
			if err := api.Create(t.Context(), item.(client.Object)); err != nil {
				t.Fatal(err)
			}
		}
	}
	lab.Eventually(t, 30*time.Second, "the programs have their rights", func() error {
		if out := look(t, config, "", "--pre=false"); strings.Contains(out, "may not") || !strings.Contains(out, "daemon-rights") {
			return errors.New(out)
		}
		return nil
	})
	if err := api.Delete(t.Context(), &rbacv1.RoleBinding{ObjectMeta: metav1.ObjectMeta{Namespace: "daymark-system", Name: "daymark-speaker"}}); err != nil {
		t.Fatal(err)
	}
	lab.Eventually(t, 30*time.Second, "the speaker lacks rights", func() error {
		if out := look(t, config, "", "--pre=false"); !strings.Contains(out, "daymark-speaker: it may not get, list, watch secrets in namespace daymark-system") {
			return errors.New(out)
		}
		return nil
	})
}
