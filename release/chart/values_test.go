package chart

import (
	"slices"
	"strings"
	"testing"

	"helm.sh/helm/v4/pkg/chart/common"
	"helm.sh/helm/v4/pkg/chart/common/util"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	"helm.sh/helm/v4/pkg/engine"
	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/runtime"
)

// A name may be figures or a word that YAML takes for a truth value, and the user's labels and annotations count.
func TestChart_NamesAndLabelsStayWhatTheyAre(t *testing.T) {
	for _, s := range sets(t) {
		if s.name != "odd-names" {
			continue
		}
		files, err := Render(folder, s.values)
		must(t, err)
		all := byKey(objects(t, files))
		pool := all["IPAddressPool/12"]
		if pool == nil || pool.GetLabels()["app.kubernetes.io/name"] != "network" || pool.GetAnnotations()["note"] != "1e3" ||
			pool.GetAnnotations()["helm.sh/resource-policy"] != "" {
			t.Errorf("the pool is %v", pool)
		}
		if all["L2Advertisement/yes"] == nil {
			t.Error("the advertisement yes is missing")
		}
		for key, want := range map[string]string{"PodMonitor/daymark": "network", "PrometheusRule/daymark": "", "ConfigMap/daymark-dashboard-daymark": "network"} {
			if name := all[key].GetLabels()["app.kubernetes.io/name"]; name != want {
				t.Errorf("%s has the name %q, not %q", key, name, want)
			}
		}
		var speaker appsv1.DaemonSet
		must(t, runtime.DefaultUnstructuredConverter.FromUnstructured(all["DaemonSet/daymark-speaker"].Object, &speaker))
		pod := speaker.Spec.Template.Spec
		if pod.PriorityClassName != "on" || pod.ImagePullSecrets[0].Name != "07" || pod.NodeSelector["kubernetes.io/os"] != "linux" || pod.Tolerations != nil {
			t.Errorf("the speaker has %q, %v, %v, %v", pod.PriorityClassName, pod.ImagePullSecrets, pod.NodeSelector, pod.Tolerations)
		}
		return
	}
	t.Fatal("no set has them")
}

// What Helm keeps the others keep that prune, unless it is said of an object that it is not kept.
func TestChart_NobodyPrunesWhatIsKept(t *testing.T) {
	const pool = "pools: [{name: lan, spec: {addresses: [192.0.2.0/28]}}, {name: other, annotations: {helm.sh/resource-policy: \"\"}, spec: {addresses: [192.0.2.16/28]}}]"
	for _, of := range []struct {
		values, helm, argoCD, flux string
	}{
		{pool, "keep", "Prune=false", "disabled"},
		{"keepObjects: false\n" + pool, "", "", ""},
	} {
		files, err := Render(folder, parse(t, of.values))
		must(t, err)
		all := byKey(objects(t, files))
		says := func(name, helm, argoCD, flux string) {
			t.Helper()
			notes := all["IPAddressPool/"+name].GetAnnotations()
			for key, want := range map[string]string{"helm.sh/resource-policy": helm, "argocd.argoproj.io/sync-options": argoCD, "kustomize.toolkit.fluxcd.io/prune": flux} {
				if notes[key] != want {
					t.Errorf("%s: the pool %s has %s: %q, not %q", of.values, name, key, notes[key], want)
				}
			}
		}
		says("lan", of.helm, of.argoCD, of.flux)
		says("other", "", "", "")
	}
}

func TestChart_NamespaceMayBeFigures(t *testing.T) {
	c, err := loader.Load(folder)
	must(t, err)
	can := common.DefaultCapabilities.Copy()
	can.APIVersions = append(slices.Clone(can.APIVersions), "v1/Service") // as with a cluster
	values, err := util.ToRenderValues(c, parse(t, "controller: {cleanupFinalizer: true}\nspeaker: {trace: true}\nopenshift: {enabled: true}\n"+
		"monitoring: {secure: true, podMonitor: {enabled: true, tokenSecret: a}, prometheusRule: {enabled: true}, dashboards: {enabled: true}}"),
		common.ReleaseOptions{Name: release, Namespace: "12", IsInstall: true}, can)
	must(t, err)
	texts, err := engine.Engine{}.RenderWithContext(t.Context(), c, values)
	must(t, err)
	for name, text := range texts {
		if strings.Contains(text, "namespace: 12\n") || strings.Contains(text, "name: 12}") {
			t.Errorf("%s has the namespace as a number", name)
		}
	}
}

func TestChart_ComparesQuantitiesAsKubernetesDoes(t *testing.T) {
	quantities := []string{"0", "1", "1000m", "1001m", "999u", ".5", "1e3", "1k", "1Ki", "1.5Gi", "1610612736", "1Ei", "1E"}
	for _, request := range quantities {
		for _, limit := range quantities {
			of := func(text string) map[string]any { return map[string]any{"memory": text} }
			_, err := Render(folder, map[string]any{"speaker": map[string]any{"resources": map[string]any{"requests": of(request), "limits": of(limit)}}})
			left, right := resource.MustParse(request), resource.MustParse(limit)
			if more := left.Cmp(right) > 0; more != (err != nil) {
				t.Errorf("%s requested and a limit of %s: %v", request, limit, err)
			}
		}
	}
}

func TestNotes_SayWhatIsMissing(t *testing.T) {
	c, err := loader.Load(folder)
	must(t, err)
	const none, silent, class, port = "no addresses to give yet", "Nothing in the values announces", "loadBalancerClass: example.org/lb, and no others", "TCP and UDP port 7477"
	for _, of := range []struct {
		name, values string
		says, not    []string
	}{
		{"nothing is given", "{}", []string{"is installed in namespace daymark-system", none, port, "/tree/v0.0.0-dev/docs\n"}, []string{silent, "no others"}},
		{"a pool alone", "pools: [{name: lan, spec: {addresses: [192.0.2.0/28]}}]", []string{silent}, []string{none}},
		{"a pool and an advertisement", lan, []string{port}, []string{none, silent}},
		{"no gossip, and a class", "speaker: {gossip: false}\nserveClassless: false\nloadBalancerClass: example.org/lb", []string{class}, []string{"TCP and UDP"}},
	} {
		values, err := util.ToRenderValues(c, parse(t, of.values), common.ReleaseOptions{Name: release, Namespace: Namespace, IsInstall: true}, nil)
		must(t, err)
		texts, err := engine.Engine{}.RenderWithContext(t.Context(), c, values)
		must(t, err)
		notes := texts["daymark/templates/NOTES.txt"]
		for _, want := range of.says {
			if !strings.Contains(notes, want) {
				t.Errorf("%s: it does not say %q:\n%s", of.name, want, notes)
			}
		}
		for _, other := range of.not {
			if strings.Contains(notes, other) {
				t.Errorf("%s: it says %q:\n%s", of.name, other, notes)
			}
		}
	}
}
