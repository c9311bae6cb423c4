package check

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/cli/source"
	"github.com/daymark-lb/daymark/cli/view"
)

// Who leaves Services without a class alone is no other provider of them.
func TestProviderOf_ThoseWhoServeServicesWithoutAClass(t *testing.T) {
	env := func(pairs ...string) (all []corev1.EnvVar) {
		for i := 0; i < len(pairs); i += 2 {
			all = append(all, corev1.EnvVar{Name: pairs[i], Value: pairs[i+1]})
		}
		return all
	}
	const vip, metallb = "ghcr.io/kube-vip/kube-vip:v1.0.0", "quay.io/metallb/controller:v0.15.2"
	for _, test := range []struct {
		name      string
		container corev1.Container
		want      string
	}{
		{"kube-vip for Services", corev1.Container{Image: vip, Env: env("cp_enable", "true", "svc_enable", "true")}, "kube-vip"},
		{"kube-vip for the control plane", corev1.Container{Image: vip, Env: env("cp_enable", "true")}, ""},
		{"kube-vip that is told so", corev1.Container{Image: vip, Env: env("svc_enable", "false")}, ""},
		{"kube-vip with a class", corev1.Container{Image: vip, Env: env("svc_enable", "true", "lb_class_only", "true")}, ""},
		{"kube-vip by its flag", corev1.Container{Image: vip, Args: []string{"manager", "--services"}}, "kube-vip"},
		{"kube-vip by its flag, before a command", corev1.Container{Image: vip, Args: []string{"--services", "manager"}}, "kube-vip"},
		{"kube-vip with a class, who knows", corev1.Container{Image: vip, Env: append(env("svc_enable", "true"), corev1.EnvVar{Name: "lb_class_only", ValueFrom: &corev1.EnvVarSource{}})}, "kube-vip"},
		{"kube-vip for Services, who knows", corev1.Container{Image: vip, Env: []corev1.EnvVar{{Name: "svc_enable", ValueFrom: &corev1.EnvVarSource{}}}}, "kube-vip"},
		{"MetalLB's router", corev1.Container{Image: "quay.io/metallb/frr-k8s:v0.0.21"}, ""},
		{"kube-vip, who knows", corev1.Container{Image: vip, EnvFrom: []corev1.EnvFromSource{{}}}, "kube-vip"},
		{"kube-vip's addresses", corev1.Container{Image: "ghcr.io/kube-vip/kube-vip-cloud-provider:v0.0.12"}, "kube-vip"},
		{"MetalLB", corev1.Container{Image: metallb, Args: []string{"--port=7472"}}, "MetalLB"},
		{"MetalLB with a class", corev1.Container{Image: metallb, Args: []string{"--port=7472", "--lb-class=metallb.io/metallb"}}, ""},
		{"MetalLB with an empty class", corev1.Container{Image: metallb, Args: []string{"--lb-class="}}, "MetalLB"},
	} {
		if got := providerOf(&corev1.PodSpec{Containers: []corev1.Container{test.container}}); got != test.want {
			t.Errorf("%s: %q", test.name, got)
		}
	}
}

// strictARP matters to layer 2 alone.
func TestStrictARP_WhereLayer2IsUsed(t *testing.T) {
	lan := &v1beta1.L2Advertisement{ObjectMeta: metav1.ObjectMeta{Name: "lan"}}
	proxy := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: proxyNamespace, Name: proxyName}, Data: map[string]string{"config.conf": "mode: ipvs"}}
	bgp := defaultValues()
	bgp.Speaker.Gossip = false
	for _, test := range []struct {
		name   string
		pre    bool
		values *values
		items  []runtime.Object
		want   Severity
	}{
		{"an L2Advertisement", false, nil, []runtime.Object{lan}, Error},
		{"BGP alone", false, nil, nil, ""},
		{"before an install", true, nil, nil, Warning},
		{"before one without gossip", true, bgp, nil, ""},
	} {
		in := &Input{Pre: test.pre, values: test.values, Objects: &source.Objects{Items: append(test.items, proxy)}}
		got := Severity("")
		for _, f := range strictARP(in) {
			got = f.Severity
		}
		if got != test.want {
			t.Errorf("%s: %q", test.name, got)
		}
	}
}

// Ports matter on nodes with a speaker, and containers that are started before the others and stay have some, too.
func TestPortsTaken_OnNodesOfSpeakers(t *testing.T) {
	always := corev1.ContainerRestartPolicyAlways
	sidecar := corev1.Container{RestartPolicy: &always, Ports: []corev1.ContainerPort{{HostPort: 7477, ContainerPort: 7477}}}
	node := func(name, system string) *corev1.Node {
		return &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{corev1.LabelOSStable: system}}}
	}
	pod := func(name string) *corev1.Pod {
		return &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name}, Spec: corev1.PodSpec{NodeName: name, InitContainers: []corev1.Container{sidecar}}}
	}
	objects := &source.Objects{Items: []runtime.Object{node("n1", "linux"), node("n2", "windows"), pod("n1"), pod("n2")}}
	found := portsTaken(&Input{Objects: objects, Cluster: view.New(view.Input{Objects: objects.Items}), System: "daymark-system"})
	if len(found) != 1 || !strings.Contains(found[0].Object, "shop/n1") {
		t.Errorf("%+v", found)
	}
}
