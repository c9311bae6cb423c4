package reconcile

import (
	"errors"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/e2e/lab"
	"github.com/daymark-lb/daymark/internal/testnet"
)

func TestDropFinalizers_IsForWhoRunsTheJobToUninstall(t *testing.T) {
	for _, test := range []struct {
		name        string
		annotations map[string]string
		want        bool
	}{
		{"kubectl", map[string]string{"kubectl.kubernetes.io/last-applied-configuration": "{}"}, false},
		{"Helm", map[string]string{"meta.helm.sh/release-name": "daymark", "meta.helm.sh/release-namespace": "daymark-system"}, true},
		{"Argo CD", map[string]string{"argocd.argoproj.io/tracking-id": "daymark:apps/Deployment:daymark-system/daymark-controller"}, true},
		{"nobody", nil, false},
	} {
		controllers := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Annotations: test.annotations}}
		if got := madeByHookRunner(controllers); got != test.want {
			t.Errorf("made by %s: %t", test.name, got)
		}
	}
}

// TestDropFinalizers is what the Job before `helm uninstall` does. The controllers' Deployment is one without Pods.
func TestDropFinalizers(t *testing.T) {
	c := newCluster(t)
	must(t, client.IgnoreAlreadyExists(c.Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: daymarkNamespace}})))
	c.pool(t, "lan", "192.0.2.0/28")
	r := c.start(t, withFinalizer)
	c.service(t, "web")
	c.addresses(t, "web", "192.0.2.0")
	c.service(t, "going")
	c.finalizer(t, "going", true)
	r.stop()
	must(t, c.Delete(t.Context(), c.finalizer(t, "going", true)))
	foreign := c.service(t, "foreign", func(s *corev1.Service) {
		class := "example.com/other"
		s.Spec.LoadBalancerClass, s.Finalizers = &class, []string{v1beta1.FinalizerCleanup}
	})
	replicas, labels := int32(0), map[string]string{"a": "b"}
	controllers := &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Namespace: daymarkNamespace, Name: controllerDeployment},
		Spec: appsv1.DeploymentSpec{
			Replicas: &replicas, Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: labels}, Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "a", Image: "a"}}},
			},
		},
	}
	must(t, c.Create(t.Context(), controllers))
	// The Job may have been applied with all else that `helm template` prints.
	must(t, DropFinalizers(t.Context(), c.config, daymarkNamespace, slog.New(slog.DiscardHandler)))
	c.finalizer(t, "web", true)
	must(t, c.Get(t.Context(), client.ObjectKeyFromObject(controllers), controllers))
	if controllers.DeletionTimestamp != nil {
		t.Error("controllers that Helm did not install are deleted")
	}
	controllers.Annotations = map[string]string{"meta.helm.sh/release-name": "daymark"}
	must(t, c.Update(t.Context(), controllers))

	var collecting sync.WaitGroup
	collecting.Go(func() { c.collectGarbage(t) })
	defer collecting.Wait()
	for range 2 { // The second time there is nothing to do.
		must(t, DropFinalizers(t.Context(), c.config, daymarkNamespace, slog.New(slog.DiscardHandler)))
		web := c.finalizer(t, "web", false)
		if got := ips(web); !slices.Equal(got, []string{"192.0.2.0"}) {
			t.Errorf("it has %v", got)
		}
		c.says(t, web, v1beta1.ConditionProvenance, "True Allocated: class="+v1beta1.LoadBalancerClass+" 192.0.2.0=lan")
		c.gone(t, "going")
		c.finalizer(t, foreign.Name, true)
		err := c.Get(t.Context(), client.ObjectKey{Namespace: daymarkNamespace, Name: controllerDeployment}, &appsv1.Deployment{})
		if !apierrors.IsNotFound(err) {
			t.Errorf("the controllers are there: %v", err)
		}
	}
	must(t, c.Delete(t.Context(), c.finalizer(t, "web", false)))
	c.gone(t, "web")
	lab.Eventually(t, time.Second, "who is not Daymark's keeps its finalizer", func() error {
		return c.Get(t.Context(), client.ObjectKeyFromObject(foreign), foreign)
	})
}

// collectGarbage lets the Deployment go when it is deleted and its Pods would have ended. No Service may have lost its finalizer before.
func (c *testCluster) collectGarbage(t *testing.T) {
	key, controllers := client.ObjectKey{Namespace: daymarkNamespace, Name: controllerDeployment}, &appsv1.Deployment{}
	_, err := testnet.Eventually(timeout, func() error {
		if err := c.Get(t.Context(), key, controllers); err != nil {
			return err
		}
		if !slices.Contains(controllers.Finalizers, metav1.FinalizerDeleteDependents) {
			return errors.New("it does not end before its Pods")
		}
		return nil
	})
	web := &corev1.Service{}
	err = errors.Join(err, c.Get(t.Context(), client.ObjectKey{Namespace: "default", Name: "web"}, web))
	if err != nil || !slices.Contains(web.Finalizers, v1beta1.FinalizerCleanup) {
		t.Errorf("while the controllers run: %v, %v", web.Finalizers, err)
	}
	controllers.Finalizers = nil
	if err := c.Update(t.Context(), controllers); err != nil {
		t.Error(err)
	}
}
