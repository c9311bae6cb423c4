package chart

import (
	"context"
	"fmt"
	"os/exec"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"helm.sh/helm/v4/pkg/action"
	helmchart "helm.sh/helm/v4/pkg/chart/v2"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	"helm.sh/helm/v4/pkg/cli"
	"helm.sh/helm/v4/pkg/kube"
	helmrelease "helm.sh/helm/v4/pkg/release"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/e2e/lab"
	"github.com/daymark-lb/daymark/e2e/lab/build"
)

const release = "daymark"

// helm is Helm itself, at an API server.
type helm struct {
	*cluster
	configuration *action.Configuration
	chart         *helmchart.Chart
}

func newHelm(t *testing.T) *helm {
	t.Helper()
	h := &helm{cluster: newAPI(t), configuration: action.NewConfiguration()}
	settings := cli.New()
	settings.KubeConfig = h.kubeconfig(t, "")
	must(t, h.configuration.Init(settings.RESTClientGetter(), Namespace, "secret"))
	var err error
	h.chart, err = loader.Load(folder)
	must(t, err)
	return h
}

func (h *helm) install(values map[string]any) error {
	install := action.NewInstall(h.configuration)
	install.ReleaseName, install.Namespace, install.Timeout, install.WaitStrategy = release, Namespace, timeout, kube.HookOnlyStrategy
	_, err := install.Run(h.chart, values)
	return err
}

// upgrade upgrades, and plays the kubelet for the Job that comes first.
func (h *helm) upgrade(t *testing.T, values map[string]any) error {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- h.runJob(ctx, "crds", h.kubeconfig(t, "crds")) }()
	upgrade := action.NewUpgrade(h.configuration)
	upgrade.Namespace, upgrade.Timeout, upgrade.WaitStrategy = Namespace, timeout, kube.HookOnlyStrategy
	_, err := upgrade.Run(release, h.chart, values)
	stop()
	if jobErr := <-ended; err == nil && jobErr != nil {
		return jobErr
	}
	return err
}

// runJob waits for a Job of a hook, does what its container would, and says that it is complete.
func (h *helm) runJob(ctx context.Context, name, kubeconfig string) error {
	var job *batchv1.Job
	for job = h.job(ctx, name); job == nil; job = h.job(ctx, name) {
		select {
		case <-ctx.Done():
			return fmt.Errorf("there was no Job: %w", ctx.Err())
		case <-time.After(20 * time.Millisecond):
		}
	}
	arguments := append(job.Spec.Template.Spec.Containers[0].Args, "--kubeconfig="+kubeconfig)
	if output, err := exec.CommandContext(ctx, build.DaymarkProgram("controller"), arguments...).CombinedOutput(); err != nil {
		return fmt.Errorf("the Job: %w: %s", err, output)
	}
	now := metav1.Now()
	job.Status = batchv1.JobStatus{StartTime: &now, CompletionTime: &now, Succeeded: 1, Conditions: []batchv1.JobCondition{
		{Type: batchv1.JobSuccessCriteriaMet, Status: corev1.ConditionTrue, LastTransitionTime: now},
		{Type: batchv1.JobComplete, Status: corev1.ConditionTrue, LastTransitionTime: now},
	}}
	return h.Status().Update(ctx, job)
}

// job is that of a hook, whose name ends in a sum; nil if there is none.
func (h *helm) job(ctx context.Context, name string) *batchv1.Job {
	var jobs batchv1.JobList
	if h.List(ctx, &jobs, client.InNamespace(Namespace)) != nil {
		return nil
	}
	for i := range jobs.Items {
		if strings.HasPrefix(jobs.Items[i].Name, "daymark-"+name+"-") {
			return &jobs.Items[i]
		}
	}
	return nil
}

func (h *helm) rollBack(version int) error {
	back := action.NewRollback(h.configuration)
	back.Version, back.Timeout, back.WaitStrategy = version, timeout, kube.HookOnlyStrategy
	return back.Run(release)
}

func (h *helm) uninstall() error {
	uninstall := action.NewUninstall(h.configuration)
	uninstall.Timeout, uninstall.WaitStrategy = timeout, kube.HookOnlyStrategy
	_, err := uninstall.Run(release)
	return err
}

const lan = "pools: [{name: lan, spec: {addresses: [192.0.2.0/28]}}]\nl2Advertisements: [{name: lan}]\n"

func TestHelm_RefusesWhatTheClusterCannotRun(t *testing.T) {
	h := newHelm(t)
	says := func(err error, want string) {
		t.Helper()
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("it says %v, want %q", err, want)
		}
	}
	// The API server of this test listens on the loopback interface, so it does not publish that itself.
	must(t, h.Create(t.Context(), &discoveryv1.EndpointSlice{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "kubernetes"}, AddressType: discoveryv1.AddressTypeIPv4,
		Endpoints: []discoveryv1.Endpoint{{Addresses: []string{"192.0.2.9"}}}, Ports: []discoveryv1.EndpointPort{{Port: ptr.To[int32](9443)}},
	}))
	says(h.install(parse(t, "networkPolicy: {apiServerPorts: [6443]}")), "the API server listens on port 9443, which networkPolicy.apiServerPorts does not have: add it there")
	listens := parse(t, "networkPolicy: {apiServerPorts: [9443]}")
	space := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: Namespace}}
	must(t, h.Get(t.Context(), client.ObjectKeyFromObject(space), space))
	space.Labels["pod-security.kubernetes.io/enforce"] = "baseline"
	must(t, h.Update(t.Context(), space))
	says(h.install(listens), "namespace daymark-system enforces the Pod Security level baseline, and the speaker needs the network of the nodes: kubectl label namespace")
	space.Labels["pod-security.kubernetes.io/enforce"] = "privileged"
	must(t, h.Update(t.Context(), space))
	must(t, h.install(listens))
}

// TestHelm_FromInstallToUninstall has pools in the values of the first install. In between the definitions change, and a field that only
// the new ones have is used at once.
func TestHelm_FromInstallToUninstall(t *testing.T) {
	h := newHelm(t)
	must(t, h.install(parse(t, lan)))
	h.served(t)
	h.has(t, "daymark.io/v1beta1", "IPAddressPool", "lan", true)
	h.has(t, "apps/v1", "DaemonSet", "daymark-speaker", true)

	h.forgetField(t, "drain")
	must(t, h.upgrade(t, parse(t, "pools: [{name: lan, spec: {addresses: [192.0.2.0/28], drain: true}}]\n")))
	pool := object("daymark.io/v1beta1", "IPAddressPool")
	must(t, h.Get(t.Context(), client.ObjectKey{Name: "lan"}, pool))
	if drain, _, _ := unstructured.NestedBool(pool.Object, "spec", "drain"); !drain {
		t.Error("the field of the new definition is lost")
	}
	h.has(t, "daymark.io/v1beta1", "L2Advertisement", "lan", true) // it is kept, though it is in the values no more
	h.has(t, "rbac.authorization.k8s.io/v1", "ClusterRole", "daymark-crds", false)
	if job := h.job(t.Context(), "crds"); job != nil {
		t.Errorf("the Job %s is left", job.Name)
	}

	must(t, h.rollBack(1))
	must(t, h.Get(t.Context(), client.ObjectKey{Name: "lan"}, pool))
	if drain, _, _ := unstructured.NestedBool(pool.Object, "spec", "drain"); drain {
		t.Error("it was not rolled back")
	}

	must(t, h.uninstall())
	h.has(t, "daymark.io/v1beta1", "IPAddressPool", "lan", true)
	h.has(t, "daymark.io/v1beta1", "L2Advertisement", "lan", true)
	h.has(t, "apiextensions.k8s.io/v1", "CustomResourceDefinition", "ipaddresspools.daymark.io", true)
	h.ownsNothingMore(t)
	h.servedStill(t)

	must(t, h.install(parse(t, lan))) // what stayed is taken over
	must(t, h.uninstall())
}

// Helm labels no namespace, so the user is told what to do, and no more when it is done.
func TestHelm_SaysWhichLabelTheNamespaceLacks(t *testing.T) {
	h := newHelm(t)
	const command = "kubectl label --overwrite namespace daymark-system "
	for _, c := range []struct {
		name, want string
		labels     map[string]string
	}{
		{"it has none", command + "pod-security.kubernetes.io/enforce=privileged\n", nil},
		{"it is there", "", map[string]string{"pod-security.kubernetes.io/enforce": "privileged"}},
	} {
		space := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: Namespace}}
		must(t, h.Get(t.Context(), client.ObjectKeyFromObject(space), space))
		space.Labels = c.labels
		must(t, h.Update(t.Context(), space))
		notes := h.notes(t)
		if c.want == "" && strings.Contains(notes, "kubectl label") || !strings.Contains(notes, c.want) {
			t.Errorf("%s: it says %q, want %q", c.name, notes, c.want)
		}
	}
}

// The Secret of a BGPPeer is guarded where Helm installs, without a label.
func TestHelm_GuardsSecretsOfTheNamespace(t *testing.T) {
	h := newHelm(t)
	must(t, h.install(parse(t, "bgpPeers: [{name: tor, spec: {myASN: 64512, peerASN: 64513, peerAddress: 192.0.2.1, passwordSecret: {name: tor, key: password}}}]\n")))
	guarded := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: Namespace, Name: "tor"}, StringData: map[string]string{"password": "secret"}}
	other := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: metav1.NamespaceDefault, Name: "tor"}}
	must(t, h.Create(t.Context(), guarded))
	must(t, h.Create(t.Context(), other))
	lab.Eventually(t, timeout, "its deletion is refused", func() error {
		err := h.Delete(t.Context(), guarded, client.DryRunAll)
		if err == nil || !strings.Contains(err.Error(), "BGPPeer tor has its password in Secret tor") {
			return fmt.Errorf("the deletion: %w", err)
		}
		return nil
	})
	must(t, h.Delete(t.Context(), other, client.DryRunAll))
}

// notes are what Helm says at the end of an installation, which is not made.
func (h *helm) notes(t *testing.T) string {
	t.Helper()
	install := action.NewInstall(h.configuration)
	install.ReleaseName, install.Namespace, install.Timeout, install.DryRunStrategy = release, Namespace, timeout, action.DryRunServer
	made, err := install.Run(h.chart, nil)
	must(t, err)
	accessor, err := helmrelease.NewAccessor(made)
	must(t, err)
	return accessor.Notes()
}

// What was installed by kubectl is taken over, and no Pod restarts.
func TestHelm_TakesOverFromManifests(t *testing.T) {
	h := newHelm(t)
	files, err := Render(folder, parse(t, ""))
	must(t, err)
	h.apply(t, slices.DeleteFunc(objects(t, files), IsHook)...)
	before := h.specs(t)
	install := action.NewInstall(h.configuration)
	install.ReleaseName, install.Namespace, install.Timeout, install.WaitStrategy = release, Namespace, timeout, kube.HookOnlyStrategy
	install.TakeOwnership, install.ForceConflicts = true, true
	_, err = install.Run(h.chart, parse(t, ""))
	must(t, err)
	for name, spec := range h.specs(t) {
		if !reflect.DeepEqual(spec, before[name]) {
			t.Errorf("%s was\n%v\nand is\n%v", name, before[name], spec)
		}
	}
}

// specs are those of the programs.
func (h *helm) specs(t *testing.T) map[string]any {
	t.Helper()
	found := map[string]any{}
	for name, kind := range map[string]string{"daymark-speaker": "DaemonSet", "daymark-controller": "Deployment"} {
		o := object("apps/v1", kind)
		must(t, h.Get(t.Context(), client.ObjectKey{Namespace: Namespace, Name: name}, o))
		found[name] = o.Object["spec"]
	}
	return found
}

// Objects that are to go with the release go, also when Services have their addresses.
func TestHelm_UninstallsPoolsInUseIfAsked(t *testing.T) {
	h := newHelm(t)
	must(t, h.install(parse(t, "keepObjects: false\n"+lan)))
	other := parsed(t, "apiVersion: daymark.io/v1beta1\nkind: IPAddressPool\nmetadata: {name: other}\nspec: {addresses: [192.0.2.16/28]}\n")
	h.apply(t, other)
	for _, name := range []string{"lan", "other"} {
		pool := object("daymark.io/v1beta1", "IPAddressPool")
		must(t, h.Get(t.Context(), client.ObjectKey{Name: name}, pool))
		must(t, unstructured.SetNestedField(pool.Object, map[string]any{"ipv4": map[string]any{"assigned": int64(1), "available": "15"}}, "status"))
		must(t, h.Status().Update(t.Context(), pool))
	}
	lab.Eventually(t, timeout, "a pool in use is protected", func() error {
		if err := h.Delete(t.Context(), other.DeepCopy(), client.DryRunAll); !apierrors.IsForbidden(err) {
			return errNotYet
		}
		return nil
	})
	must(t, h.uninstall())
	h.has(t, "daymark.io/v1beta1", "IPAddressPool", "lan", false)
	h.has(t, "apiextensions.k8s.io/v1", "CustomResourceDefinition", "ipaddresspools.daymark.io", true)
}

// TestHelm_UninstallLeavesNoFinalizer plays the kubelet for the Job that comes first, and the garbage collector for the Deployment, whose Pods
// it says have ended. The Job has the rights of the chart and no others.
func TestHelm_UninstallLeavesNoFinalizer(t *testing.T) {
	h := newHelm(t)
	must(t, h.install(parse(t, "controller: {cleanupFinalizer: true}\n"+lan)))
	h.served(t)
	s, key := &corev1.Service{}, client.ObjectKey{Namespace: "default", Name: "web"}
	must(t, h.Get(t.Context(), key, s))
	s.Finalizers = []string{v1beta1.FinalizerCleanup}
	must(t, h.Update(t.Context(), s))
	s.Status.Conditions = []metav1.Condition{{
		Type: v1beta1.ConditionProvenance, Status: metav1.ConditionTrue, Reason: "Allocated", LastTransitionTime: metav1.Now(),
		Message: "class=" + v1beta1.LoadBalancerClass + " finalizer 192.0.2.1=lan",
	}}
	must(t, h.Status().Update(t.Context(), s))

	ctx, stop := context.WithCancel(t.Context())
	ended, collected := make(chan error, 1), make(chan error, 1)
	go func() { ended <- h.runJob(ctx, "uninstall", h.kubeconfig(t, "uninstall")) }()
	go func() { collected <- h.collect(ctx) }()
	must(t, h.uninstall())
	stop()
	must(t, <-ended)
	must(t, <-collected)
	must(t, h.Get(t.Context(), key, s))
	if len(s.Finalizers) > 0 || !strings.HasSuffix(s.Status.Conditions[0].Message, "daymark 192.0.2.1=lan") {
		t.Errorf("it has %v, %+v", s.Finalizers, s.Status.Conditions)
	}
	h.servedStill(t)
	h.ownsNothingMore(t)
	for _, kind := range []string{"ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding"} {
		h.has(t, "rbac.authorization.k8s.io/v1", kind, "daymark-uninstall", false)
	}
	if job := h.job(t.Context(), "uninstall"); job != nil {
		t.Errorf("the Job %s is left", job.Name)
	}
	h.has(t, "v1", "ServiceAccount", "daymark-uninstall", false)
}

// collect lets the Deployment of the controllers go when it waits for its Pods.
func (h *helm) collect(ctx context.Context) error {
	controllers, key := &appsv1.Deployment{}, client.ObjectKey{Namespace: Namespace, Name: "daymark-controller"}
	for h.Get(ctx, key, controllers) != nil || !slices.Contains(controllers.Finalizers, metav1.FinalizerDeleteDependents) {
		select {
		case <-ctx.Done():
			return fmt.Errorf("the Deployment was not deleted with its Pods first: %w", ctx.Err())
		case <-time.After(20 * time.Millisecond):
		}
	}
	controllers.Finalizers = nil
	return h.Update(ctx, controllers)
}

// served makes a Service that has an address and conditions of ours, and an object of another provider.
func (h *helm) served(t *testing.T) {
	t.Helper()
	s := &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "web"},
		Spec:       corev1.ServiceSpec{Type: corev1.ServiceTypeLoadBalancer, Ports: []corev1.ServicePort{{Port: 80}}},
	}
	must(t, h.Create(t.Context(), s))
	s.Status.LoadBalancer.Ingress = []corev1.LoadBalancerIngress{{IP: "192.0.2.1"}}
	must(t, h.Status().Update(t.Context(), s))
	h.standIn(t, "metallb.io", "IPAddressPool", "ipaddresspools", apiextensionsv1.NamespaceScoped)
	theirs := object("metallb.io/v1", "IPAddressPool")
	theirs.SetNamespace("default")
	theirs.SetName("lan")
	h.apply(t, theirs)
}

// servedStill fails the test if anything of that has changed.
func (h *helm) servedStill(t *testing.T) {
	t.Helper()
	s := &corev1.Service{}
	must(t, h.Get(t.Context(), client.ObjectKey{Namespace: "default", Name: "web"}, s))
	if len(s.Status.LoadBalancer.Ingress) != 1 {
		t.Error("the Service has lost its address")
	}
	must(t, h.Get(t.Context(), client.ObjectKey{Namespace: "default", Name: "lan"}, object("metallb.io/v1", "IPAddressPool")))
}

// ownsNothingMore fails the test if something of the release is left.
func (h *helm) ownsNothingMore(t *testing.T) {
	t.Helper()
	files, err := Render(folder, nil)
	must(t, err)
	for _, object := range objects(t, files) {
		h.has(t, object.GetAPIVersion(), object.GetKind(), object.GetName(), false)
	}
}

// has waits until there is an object, or is none.
func (h *helm) has(t *testing.T, version, kind, name string, want bool) {
	t.Helper()
	o := object(version, kind)
	key := client.ObjectKey{Name: name}
	if namespaced, err := h.IsObjectNamespaced(o); err == nil && namespaced {
		key.Namespace = Namespace
	}
	lab.Eventually(t, timeout, fmt.Sprintf("%s %s is there: %t", kind, name, want), func() error {
		err := h.Get(t.Context(), key, o)
		if err != nil && !apierrors.IsNotFound(err) {
			return err
		}
		if (err == nil) != want {
			return errNotYet
		}
		return nil
	})
}

// forgetField makes the definition of IPAddressPool one of an older version, that does not have a field.
func (h *helm) forgetField(t *testing.T, field string) {
	t.Helper()
	definition := &apiextensionsv1.CustomResourceDefinition{}
	must(t, h.Get(t.Context(), client.ObjectKey{Name: "ipaddresspools.daymark.io"}, definition))
	delete(definition.Spec.Versions[0].Schema.OpenAPIV3Schema.Properties["spec"].Properties, field)
	must(t, h.Update(t.Context(), definition))
}

func parsed(t *testing.T, text string) *unstructured.Unstructured {
	t.Helper()
	return objects(t, []File{{"text", text}})[0]
}

func object(version, kind string) *unstructured.Unstructured {
	o := &unstructured.Unstructured{}
	o.SetGroupVersionKind(schema.FromAPIVersionAndKind(version, kind))
	return o
}
