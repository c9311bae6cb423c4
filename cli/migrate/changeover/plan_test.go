package changeover

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/yaml"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/cli/env"
	"github.com/daymark-lb/daymark/cli/goldentest"
)

func TestPlan_Prints(t *testing.T) {
	for name, status := range map[string]int{"start": 0, "blocked": env.ExitWrong, "underway": env.ExitWrong} {
		t.Run(name, func(t *testing.T) {
			out, remarks, got := newLiving(t, name).run("", "plan")
			if got != status {
				t.Errorf("status %d, want %d", got, status)
			}
			goldentest.Compare(t, name, fmt.Sprintf("%s--- stderr\n%s", out, remarks))
		})
	}
}

// An advertisement of Daymark that leaves out the label would leave the Service without a node once it has that label.
func TestPlan_CountsTheLabelThatIsWritten(t *testing.T) {
	l := newLiving(t, "start")
	for _, item := range l.Items {
		if a, is := item.(*v1beta1.L2Advertisement); is {
			if err := json.Unmarshal([]byte(`[{"matchExpressions":[{"key":"daymark.io/provider","operator":"NotIn","values":["daymark"]}]}]`),
				&a.Spec.ServiceSelectors); err != nil {
				t.Fatal(err)
			}
		}
	}
	l.says("", "plan", env.ExitWrong, "old/ready would not be announced")
}

// Where there was no MetalLB, or what is read has nothing of it, nothing has changed over, and nothing is to be uninstalled.
func TestPlan_SaysThatNothingOfMetalLBWasFound(t *testing.T) {
	const nothing = "nothing of MetalLB was found"
	l := newLiving(t, "start")
	l.Items = slices.DeleteFunc(l.Items, func(item runtime.Object) bool {
		s, is := item.(*corev1.Service)
		_, definition := item.(*apiextensionsv1.CustomResourceDefinition)
		return item.GetObjectKind().GroupVersionKind().Group == group || is && fromMetalLB(s) || definition
	})
	for range 2 {
		for _, words := range []string{"plan", "next --yes"} {
			l.says("", words, 0, nothing)
		}
		if out, _, _ := l.run("", "plan"); strings.Contains(out, "stop MetalLB") {
			t.Errorf("it says %s", out)
		}
		l.uninstalled = true
	}
	// An install without any pool is one.
	l = newLiving(t, "start")
	l.Items = slices.DeleteFunc(l.Items, func(item runtime.Object) bool {
		s, is := item.(*corev1.Service)
		return item.GetObjectKind().GroupVersionKind().Group == group || is && fromMetalLB(s)
	})
	l.Items = append(l.Items, &apiextensionsv1.CustomResourceDefinition{
		TypeMeta:   metav1.TypeMeta{APIVersion: "apiextensions.k8s.io/v1", Kind: "CustomResourceDefinition"},
		ObjectMeta: metav1.ObjectMeta{Name: l2Advertisements.Name()},
	})
	if out, remarks, _ := l.run("", "plan"); strings.Contains(remarks, nothing) || !strings.Contains(out, "stop MetalLB") {
		t.Errorf("it says %s%s", out, remarks)
	}
}

// An advertisement selects a Service by any of its selectors, so each must leave out what has changed over, and do no more.
func TestSelectors_EachLeavesOutTheLabel(t *testing.T) {
	const out = "{key: daymark.io/provider, operator: NotIn, values: [daymark]}"
	for have, want := range map[string]string{
		"{}":                       "[{matchExpressions: [" + out + "]}]",
		"{serviceSelectors: []}":   "[{matchExpressions: [" + out + "]}]",
		"{serviceSelectors: [{}]}": "[{matchExpressions: [" + out + "]}]",
		"{serviceSelectors: [{matchLabels: {a: b}}, {matchExpressions: [{key: c, operator: Exists}]}]}": "[{matchLabels: {a: b}, matchExpressions: [" +
			out + "]}, {matchExpressions: [{key: c, operator: Exists}, " + out + "]}]",
		"{serviceSelectors: [{matchExpressions: [" + out + "]}]}":                                                  "null",
		"{serviceSelectors: [{matchExpressions: [{key: daymark.io/provider, operator: DoesNotExist}]}]}":           "null",
		"{serviceSelectors: [{matchExpressions: [{key: daymark.io/provider, operator: In, values: [daymark]}]}]}":  "[{matchExpressions: [{key: daymark.io/provider, operator: In, values: [daymark]}, " + out + "]}]",
		"{serviceSelectors: [{matchExpressions: [{key: daymark.io/provider, operator: NotIn, values: [other]}]}]}": "[{matchExpressions: [{key: daymark.io/provider, operator: NotIn, values: [other]}, " + out + "]}]",
		"{serviceSelectors: [{matchLabels: {a: b}}, {matchExpressions: [" + out + "]}]}":                           "[{matchLabels: {a: b}, matchExpressions: [" + out + "]}, {matchExpressions: [" + out + "]}]",
	} {
		o := &unstructured.Unstructured{Object: map[string]any{"spec": parse(t, have)}}
		got := any(selectors(o))
		if selectors(o) == nil {
			got = nil
		}
		if !reflect.DeepEqual(got, parse(t, want)) {
			t.Errorf("%s: %v, want %s", have, got, want)
		}
	}
}

func parse(t *testing.T, text string) (value any) {
	t.Helper()
	if err := yaml.Unmarshal([]byte(text), &value); err != nil {
		t.Fatal(err)
	}
	return value
}
