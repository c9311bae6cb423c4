package chart

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"helm.sh/helm/v4/pkg/action"
	"helm.sh/helm/v4/pkg/chart/common"
	"helm.sh/helm/v4/pkg/engine"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/discovery"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/daymark-lb/daymark/e2e/lab"
	"github.com/daymark-lb/daymark/e2e/lab/build"
)

const timeout = 2 * time.Minute

var errNotYet = errors.New("not yet")

func TestMain(m *testing.M) { lab.Main(m, buildPrograms) }

// buildPrograms builds controller and speaker as they are installed, where `make build` does.
func buildPrograms(ctx context.Context, _ io.Writer) error {
	command := exec.CommandContext(ctx, "go", "build", "-trimpath", "-o", "bin/", "./controller", "./speaker")
	command.Dir, command.Env = root, append(os.Environ(), "CGO_ENABLED=0")
	if output, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("build the programs: %w: %s", err, output)
	}
	return lab.UseBinaries(root + "/bin")
}

// cluster is a real API server, with Daymark's kinds and stand-ins for those of the Prometheus operator and of OpenShift.
type cluster struct {
	client.Client
	config *rest.Config
}

// newAPI has none of our kinds yet.
func newAPI(t *testing.T) *cluster {
	t.Helper()
	c := &cluster{config: lab.ControlPlane(t)}
	scheme := runtime.NewScheme()
	must(t, errors.Join(clientgoscheme.AddToScheme(scheme), apiextensionsv1.AddToScheme(scheme)))
	api, err := client.New(c.config, client.Options{Scheme: scheme})
	must(t, err)
	c.Client = client.WithFieldValidation(client.WithFieldOwner(api, "test"), "Strict")
	must(t, c.Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: Namespace}}))
	return c
}

func newCluster(t *testing.T) *cluster {
	t.Helper()
	c := newAPI(t)
	files, err := filepath.Glob(folder + "/crds/*.yaml")
	must(t, err)
	for _, file := range files {
		c.apply(t, objects(t, []File{{file, read(t, file)}})...)
	}
	c.standIn(t, "monitoring.coreos.com", "PodMonitor", "podmonitors", apiextensionsv1.NamespaceScoped)
	c.standIn(t, "monitoring.coreos.com", "PrometheusRule", "prometheusrules", apiextensionsv1.NamespaceScoped)
	c.standIn(t, "security.openshift.io", "SecurityContextConstraints", "securitycontextconstraints", apiextensionsv1.ClusterScoped)
	return c
}

// standIn makes a kind that takes everything.
func (c *cluster) standIn(t *testing.T, group, kind, plural string, scope apiextensionsv1.ResourceScope) {
	t.Helper()
	everything := &apiextensionsv1.CustomResourceValidation{
		OpenAPIV3Schema: &apiextensionsv1.JSONSchemaProps{Type: "object", XPreserveUnknownFields: ptr.To(true)},
	}
	must(t, c.Create(t.Context(), &apiextensionsv1.CustomResourceDefinition{
		ObjectMeta: metav1.ObjectMeta{Name: plural + "." + group},
		Spec: apiextensionsv1.CustomResourceDefinitionSpec{
			Group: group, Scope: scope, Names: apiextensionsv1.CustomResourceDefinitionNames{Kind: kind, Plural: plural, Singular: strings.ToLower(kind)},
			Versions: []apiextensionsv1.CustomResourceDefinitionVersion{{Name: "v1", Served: true, Storage: true, Schema: everything}},
		},
	}))
}

// apply applies objects on the server's side, as soon as their kinds are served.
func (c *cluster) apply(t *testing.T, objects ...*unstructured.Unstructured) {
	t.Helper()
	for _, object := range objects {
		lab.Eventually(t, timeout, "apply "+object.GetKind()+" "+object.GetName(), func() error {
			return c.Apply(t.Context(), client.ApplyConfigurationFromUnstructured(object.DeepCopy()), client.ForceOwnership)
		})
	}
}

func TestChart_SetsAreAppliedAndStarted(t *testing.T) {
	c := newCluster(t)
	for _, s := range sets(t) {
		if s.refused != "" {
			continue
		}
		t.Run(s.name, func(t *testing.T) {
			all := objects(t, c.render(t, withPort(s.values, c.config)))
			for _, object := range all {
				lab.Eventually(t, timeout, "try "+object.GetKind()+" "+object.GetName(), func() error {
					return c.Apply(t.Context(), client.ApplyConfigurationFromUnstructured(object.DeepCopy()), client.ForceOwnership, client.DryRunAll)
				})
			}
			c.apply(t, all...)
			c.starts(t, byKey(all)["Deployment/daymark-controller"], "/readyz")
			c.starts(t, byKey(all)["DaemonSet/daymark-speaker"], "/healthz")
			c.remove(t, all)
		})
	}
}

// Who applies what `helm template` makes applies it again with other values, and of the next version: nothing is in the way that cannot be changed.
func TestChart_IsAppliedAgainWithOtherValues(t *testing.T) {
	c := newCluster(t)
	for _, values := range []string{
		"controller: {cleanupFinalizer: true}", "controller: {cleanupFinalizer: true}",
		"controller: {cleanupFinalizer: true, tolerations: [{operator: Exists}]}\nimage: {registry: registry.example.org/mirror}\n",
	} {
		files, err := Render(folder, parse(t, values))
		must(t, err)
		for _, object := range objects(t, files) {
			if err := c.Apply(t.Context(), client.ApplyConfigurationFromUnstructured(object), client.ForceOwnership); err != nil {
				t.Errorf("%s: %v", values, err)
			}
		}
	}
}

// Where Helm made a release before, nothing of what `helm template` prints uninstalls it: `helm install` alone keeps the Job that does.
func TestChart_TemplateUninstallsNothing(t *testing.T) {
	values := parse(t, "controller: {cleanupFinalizer: true}")
	made, err := Render(folder, values)
	must(t, err)
	for _, object := range objects(t, made) {
		if object.GetAnnotations()["helm.sh/hook"] == "pre-delete" {
			t.Errorf("helm template prints %s %s, which uninstalls", object.GetKind(), object.GetName())
		}
	}
	made, err = Render(folder, parse(t, "controller: {cleanupFinalizer: true}\ncrds: {upgrade: false}"))
	must(t, err)
	for _, object := range objects(t, made) {
		if IsHook(object) || object.GetKind() == "Job" {
			t.Errorf("without the Job of the definitions helm template prints %s %s", object.GetKind(), object.GetName())
		}
	}
	kept := false
	for _, object := range objects(t, newAPI(t).render(t, values)) {
		kept = kept || object.GetKind() == "Job" && object.GetAnnotations()["helm.sh/hook"] == "pre-delete"
	}
	if !kept {
		t.Error("helm install does not keep the Job")
	}
}

// render is Render at a cluster that templates look at, as at `helm install`.
func (c *cluster) render(t *testing.T, values map[string]any) []File {
	t.Helper()
	asked, err := discovery.NewDiscoveryClientForConfig(c.config)
	must(t, err)
	can := common.DefaultCapabilities.Copy()
	can.APIVersions, err = action.GetVersionSet(asked)
	must(t, err)
	e := engine.New(c.config)
	e.Strict = true
	files, err := render(e, can, folder, values)
	must(t, err)
	return files
}

// withPort adds the port of the API server, which is any here, to those that the controller may reach, if values limit them.
func withPort(values map[string]any, config *rest.Config) map[string]any {
	given, _ := values["networkPolicy"].(map[string]any)
	ports, _ := given["apiServerPorts"].([]any)
	if len(ports) == 0 {
		return values
	}
	var port int
	_, _ = fmt.Sscanf(config.Host[strings.LastIndex(config.Host, ":"):], ":%d", &port)
	more, policy := maps.Clone(values), maps.Clone(given)
	policy["apiServerPorts"] = append(slices.Clone(ports), int64(port))
	more["networkPolicy"] = policy
	return more
}

// remove deletes what uninstalling would, and the objects of our kinds.
func (c *cluster) remove(t *testing.T, objects []*unstructured.Unstructured) {
	t.Helper()
	for _, object := range slices.Backward(objects) { // The policies first: they protect objects that others name.
		// Nobody collects garbage here: a Job that orphans its pods would stay.
		must(t, client.IgnoreNotFound(c.Delete(t.Context(), object.DeepCopy(), client.PropagationPolicy(metav1.DeletePropagationBackground))))
	}
}

// starts starts the program of a DaemonSet or Deployment with the arguments that it has there, and waits until a probe says yes.
func (c *cluster) starts(t *testing.T, object *unstructured.Unstructured, path string) {
	t.Helper()
	containers, _, err := unstructured.NestedSlice(object.Object, "spec", "template", "spec", "containers")
	must(t, err)
	container := containers[0].(map[string]any)
	name := container["name"].(string)
	arguments := []string{"--kubeconfig=" + c.kubeconfig(t, name)}
	port := ""
	for _, argument := range container["args"].([]any) {
		text := strings.NewReplacer("$(NAMESPACE)", Namespace, "$(NODE_ADDRESS)", "127.0.0.1").Replace(argument.(string))
		if bind, found := strings.CutPrefix(text, "--health-bind-address=:"); found {
			port = bind
		}
		arguments = append(arguments, text)
	}
	ctx, stop := context.WithCancel(t.Context())
	program := exec.CommandContext(ctx, build.DaymarkProgram(name), arguments...)
	program.Env = append(program.Environ(), "NODE_NAME=n1", "POD_NAME=")
	var log strings.Builder
	program.Stderr = &log
	must(t, program.Start())
	defer func() { stop(); _ = program.Wait() }()
	lab.Eventually(t, timeout, name+" says yes to "+path, func() error {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://127.0.0.1:"+port+path, http.NoBody)
		must(t, err)
		answer, err := http.DefaultClient.Do(request)
		if err != nil {
			return err
		}
		defer answer.Body.Close()
		if answer.StatusCode != http.StatusOK {
			return errors.New(answer.Status)
		}
		return nil
	})
}

// kubeconfig is that of the service account of a program, and of an administrator without one.
func (c *cluster) kubeconfig(t *testing.T, program string) string {
	t.Helper()
	user := &clientcmdapi.AuthInfo{Token: c.config.BearerToken}
	if program != "" {
		user.Impersonate, user.ImpersonateGroups = account(program).user, account(program).groups
	}
	if program == "speaker" {
		user.ImpersonateUserExtra = map[string][]string{"authentication.kubernetes.io/node-name": {"n1"}}
	}
	file := filepath.Join(t.TempDir(), "kubeconfig")
	must(t, clientcmd.WriteToFile(clientcmdapi.Config{
		Clusters:  map[string]*clientcmdapi.Cluster{"c": {Server: c.config.Host, CertificateAuthorityData: c.config.CAData, CertificateAuthority: c.config.CAFile}},
		AuthInfos: map[string]*clientcmdapi.AuthInfo{"u": user}, Contexts: map[string]*clientcmdapi.Context{"x": {Cluster: "c", AuthInfo: "u"}}, CurrentContext: "x",
	}, file))
	return file
}

// identity is who asks the API server for something.
type identity struct {
	user   string
	groups []string
}

func account(name string) identity {
	return identity{"system:serviceaccount:" + Namespace + ":daymark-" + name, []string{"system:serviceaccounts", "system:authenticated"}}
}

// may reports whether somebody may do something: "verb group/resource[/subresource] [namespace] [name]".
func (c *cluster) may(t *testing.T, who identity, what string) bool {
	t.Helper()
	fields := append(strings.Fields(what), "", "")
	group, resource, _ := strings.Cut(fields[1], "/")
	resource, sub, _ := strings.Cut(resource, "/")
	review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
		User: who.user, Groups: who.groups,
		ResourceAttributes: &authorizationv1.ResourceAttributes{
			Verb: fields[0], Group: group, Resource: resource, Subresource: sub, Namespace: strings.Trim(fields[2], "-"), Name: fields[3],
		},
	}}
	must(t, c.Create(t.Context(), review))
	return review.Status.Allowed
}
