package chart

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/runtime"
)

// umbrella is a chart that has ours as a dependency with a condition, as umbrella charts and Argo CD have it.
func umbrella(t *testing.T) (folder string) {
	t.Helper()
	folder = t.TempDir()
	must(t, os.WriteFile(filepath.Join(folder, "Chart.yaml"), []byte(`apiVersion: v2
name: umbrella
version: 1.0.0
dependencies:
- {name: daymark, version: "*", repository: "", condition: daymark.enabled}
`), 0o600))
	must(t, os.CopyFS(filepath.Join(folder, "charts/daymark"), os.DirFS(root+"/config/chart")))
	return folder
}

func TestChart_IsADependencyOfAnother(t *testing.T) {
	parent := umbrella(t)
	for _, s := range sets(t) {
		if s.refused != "" {
			continue
		}
		t.Run(s.name, func(t *testing.T) {
			want, err := Render(folder, s.values)
			must(t, err)
			given := map[string]any{"enabled": true}
			for key, value := range s.values {
				given[key] = value
			}
			files, err := Render(parent, map[string]any{"global": map[string]any{"team": "network"}, "daymark": given})
			must(t, err)
			got := map[string]string{}
			for _, f := range files {
				got[strings.TrimPrefix(f.Name, "umbrella/charts/daymark/templates/")] = f.Text
			}
			for _, f := range want {
				if got[f.Name] != f.Text {
					t.Errorf("%s differs as a dependency:\n%s", f.Name, got[f.Name])
				}
			}
			if len(got) != len(want) {
				t.Errorf("%d files as a dependency, %d by itself", len(got), len(want))
			}
		})
	}
	if files, err := Render(parent, map[string]any{"daymark": map[string]any{"enabled": false}}); err != nil || len(files) > 0 {
		t.Errorf("left out by its condition it gives %d files: %v", len(files), err)
	}
}

// The schema takes the quantities that Kubernetes takes, and no others.
func TestSchema_TakesTheQuantitiesOfKubernetes(t *testing.T) {
	for _, text := range []string{
		"0", "1", "100m", "0.5", ".5", "1.", "1k", "1K", "1M", "1G", "1T", "1P", "1E", "524288Ki", "512Mi", "1.5Gi", "1Ti", "1Pi", "1Ei", "1ki", "1Mb", "1MB",
		"128e6", "1E3", "1e-3", "1e", "1.2.3", "1 Gi", "500u", "500n", "1mi", "one",
	} {
		_, wrong := resource.ParseQuantity(text)
		_, err := Render(folder, map[string]any{"speaker": map[string]any{"resources": map[string]any{"limits": map[string]any{"ephemeral-storage": text}}}})
		if (wrong == nil) != (err == nil) {
			t.Errorf("%q: Kubernetes says %v, the chart %v", text, wrong, err)
		}
	}
}

// What YAML reads as numbers arrives as what it is.
func TestChart_NumbersWithoutQuotesArrive(t *testing.T) {
	for _, s := range sets(t) {
		if s.name != "unquoted" {
			continue
		}
		files, err := Render(folder, s.values)
		must(t, err)
		all := byKey(objects(t, files))
		var speaker appsv1.DaemonSet
		must(t, runtime.DefaultUnstructuredConverter.FromUnstructured(all["DaemonSet/daymark-speaker"].Object, &speaker))
		c := &speaker.Spec.Template.Spec.Containers[0]
		if got := []string{c.Resources.Requests.Cpu().String(), c.Resources.Requests.Memory().String(), c.Resources.Limits.Memory().String()}; !reflect.DeepEqual(got, []string{"250m", "128M", "512M"}) {
			t.Errorf("the speaker has %v", got)
		}
		if image, err := name.NewTag(c.Image); err != nil || image.RegistryStr() != "[2001:db8::5]:5000" || image.RepositoryStr() != "mirror/speaker" {
			t.Errorf("image %s is %v: %v", c.Image, image, err)
		}
		var controller appsv1.Deployment
		must(t, runtime.DefaultUnstructuredConverter.FromUnstructured(all["Deployment/daymark-controller"].Object, &controller))
		flags := strings.Join(append(c.Args, controller.Spec.Template.Spec.Containers[0].Args...), " ")
		for _, want := range []string{"--l2-rebalance-after=0 ", "--proxy-health-url=0 ", "--pool-grace=0 "} {
			if !strings.Contains(flags+" ", want) {
				t.Errorf("the flags %s lack %s", flags, want)
			}
		}
		if limits := controller.Spec.Template.Spec.Containers[0].Resources.Limits; limits.Cpu().Value() != 2 || limits.Memory().Value() != 1<<30 {
			t.Errorf("the controller has %v", limits)
		}
		return
	}
	t.Fatal("no set has them")
}
