package simulate

import (
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
)

// A file that changes the policy and names no families changes these as well: the API server trims them or adds the other.
func TestEdit_FamiliesFollowThePolicyOfAServiceThatExists(t *testing.T) {
	v4, v6 := corev1.IPv4Protocol, corev1.IPv6Protocol
	for _, test := range []struct {
		has    []corev1.IPFamily
		policy string
		want   []corev1.IPFamily
	}{
		{[]corev1.IPFamily{v6, v4}, "SingleStack", []corev1.IPFamily{v6}},
		{[]corev1.IPFamily{v6}, "PreferDualStack", []corev1.IPFamily{v6, v4}},
		{[]corev1.IPFamily{v4, v6}, "RequireDualStack", []corev1.IPFamily{v4, v6}},
		{nil, "RequireDualStack", []corev1.IPFamily{v4, v6}},
	} {
		s := &corev1.Service{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Service"}, ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web"}}
		s.Spec.IPFamilies = test.has
		cidrs := &networkingv1.ServiceCIDR{Spec: networkingv1.ServiceCIDRSpec{CIDRs: []string{"10.96.0.0/16", "fd00:1::/112"}}}
		e := &edit{objects: []runtime.Object{s, cidrs}, places: map[identity]int{{"Service", "shop", "web"}: 0}, kinds: map[string]bool{}}
		document := &unstructured.Unstructured{Object: map[string]any{
			"apiVersion": "v1", "kind": "Service", "metadata": map[string]any{"namespace": "shop", "name": "web"},
			"spec": map[string]any{"ipFamilyPolicy": test.policy},
		}}
		if err := e.apply(t.Context(), document); err != nil {
			t.Fatal(err)
		}
		if got := e.objects[0].(*corev1.Service).Spec.IPFamilies; !slices.Equal(got, test.want) {
			t.Errorf("%v and %s make %v, want %v", test.has, test.policy, got, test.want)
		}
	}
}

// What is left out is not taken for an object of Daymark that has the same kind.
func TestEdit_NamesTheGroupOfWhatItIgnores(t *testing.T) {
	e := &edit{places: map[identity]int{}, kinds: map[string]bool{}}
	for _, object := range []map[string]any{
		{"apiVersion": "metallb.io/v1beta1", "kind": "IPAddressPool", "metadata": map[string]any{"name": "lan"}},
		{"apiVersion": "apps/v1", "kind": "Deployment", "metadata": map[string]any{"name": "web"}},
		{"apiVersion": "daymark.io/v1beta1", "kind": "Speaker", "metadata": map[string]any{"name": "n1"}},
	} {
		if err := e.apply(t.Context(), &unstructured.Unstructured{Object: object}); err != nil {
			t.Fatal(err)
		}
	}
	if want := []string{"IPAddressPool.metallb.io lan", "Deployment web", "Speaker n1"}; !slices.Equal(e.ignored, want) {
		t.Errorf("ignored are %q, want %q", e.ignored, want)
	}
}
