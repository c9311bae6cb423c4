package test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/util/rand"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/cli/env"
	"github.com/daymark-lb/daymark/cli/source"
)

// label of the Pod, which the Service selects.
const label = "daymark.io/test"

// removeTime is for the end, which also an interrupt does not hurry.
const removeTime = 10 * time.Second

// prepare the Service and the Pod, without making them.
func (o *options) prepare(ctx context.Context) (*trial, error) {
	api, err := o.Client()
	if err != nil {
		return nil, err
	}
	namespace, _, err := o.Namespace()
	if err != nil {
		return nil, err
	}
	t := &trial{options: o, api: api, Report: Report{Namespace: namespace, Name: "daymark-test-" + rand.String(5)}}
	t.service = &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: t.Name, Annotations: map[string]string{}}}
	t.service.Spec.Type = corev1.ServiceTypeLoadBalancer
	if o.pool != "" {
		t.service.Annotations[v1beta1.AnnotationAddressPool] = o.pool
	}
	if err := t.chooseClass(ctx); err != nil {
		return nil, err
	}
	if o.backend != "" {
		return t, t.useBackend(ctx)
	}
	t.pod = pod(namespace, t.Name, o.image)
	t.service.Spec.Selector = t.pod.Labels
	t.service.Spec.Ports = []corev1.ServicePort{{Name: "http", Port: 80, TargetPort: intstr.FromInt32(8080)}}
	return t, nil
}

// chooseClass where Services without one are not served.
func (t *trial) chooseClass(ctx context.Context) error {
	from, err := t.Source()
	if err != nil {
		return err
	}
	if err := t.FindSystem(ctx); err != nil {
		return err
	}
	objects, err := from.Read(ctx, append(t.Programs(), source.Query{Kind: source.Pools})...)
	if err != nil {
		return err
	}
	if err := objects.Installed(); err != nil {
		return err
	}
	if classes := t.View(objects).Settings.Classes; !classes.Classless {
		t.service.Spec.LoadBalancerClass = &classes.Name
	}
	return nil
}

// useBackend has the Service be one for the Pods of another one.
func (t *trial) useBackend(ctx context.Context) error {
	other := &corev1.Service{}
	if err := t.api.Get(ctx, client.ObjectKey{Namespace: t.Namespace, Name: t.backend}, other); err != nil {
		return fmt.Errorf("read the backend: %w", err)
	}
	if len(other.Spec.Selector) == 0 {
		return env.Usage(errors.New("Service " + t.backend + " selects no Pods, so another one cannot have the same"))
	}
	t.service.Spec.Selector = other.Spec.Selector
	for _, port := range other.Spec.Ports {
		t.service.Spec.Ports = append(t.service.Spec.Ports, corev1.ServicePort{
			Name: port.Name, Protocol: port.Protocol, AppProtocol: port.AppProtocol, Port: port.Port, TargetPort: port.TargetPort,
		})
	}
	return nil
}

// pod that serves its name by HTTP at port 8080, as a namespace of the Pod Security level restricted admits it. It serves nothing else, since
// the address is open to whoever reaches it.
func pod(namespace, name, image string) *corev1.Pod {
	no, yes, nobody, now := false, true, int64(65534), int64(0)
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, Labels: map[string]string{label: name}},
		Spec: corev1.PodSpec{
			AutomountServiceAccountToken: &no, TerminationGracePeriodSeconds: &now,
			NodeSelector: map[string]string{corev1.LabelOSStable: "linux"},
			SecurityContext: &corev1.PodSecurityContext{
				RunAsNonRoot: &yes, RunAsUser: &nobody, SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
			},
			Containers: []corev1.Container{{
				Name: "serve-hostname", Image: image, Args: []string{"serve-hostname", "--port=8080"},
				Ports: []corev1.ContainerPort{{Name: "http", ContainerPort: 8080}},
				ReadinessProbe: &corev1.Probe{
					PeriodSeconds: 1, ProbeHandler: corev1.ProbeHandler{TCPSocket: &corev1.TCPSocketAction{Port: intstr.FromInt32(8080)}},
				},
				SecurityContext: &corev1.SecurityContext{
					AllowPrivilegeEscalation: &no, Capabilities: &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
				},
			}},
		},
	}
}

// create the objects.
func (t *trial) create(ctx context.Context) error {
	if err := t.make(ctx, t.service); err != nil {
		return fmt.Errorf("make the Service: %w", err)
	}
	if t.pod == nil {
		return nil
	}
	err := t.make(ctx, t.pod)
	if apierrors.IsForbidden(err) { // A quota, or a policy, may want to be told what it takes. Where none does, a LimitRange says so itself.
		t.pod.Spec.Containers[0].Resources = resources()
		err = t.make(ctx, t.pod)
	}
	if err != nil {
		return fmt.Errorf("make the Pod: %w", err)
	}
	return nil
}

// resources that the Pod takes, and may.
func resources() corev1.ResourceRequirements {
	return corev1.ResourceRequirements{
		Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("10m"), corev1.ResourceMemory: resource.MustParse("32Mi")},
		Limits:   corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("100m"), corev1.ResourceMemory: resource.MustParse("64Mi")},
	}
}

// make an object, and remember that it may be there: it is not where the API server has refused to make it.
func (t *trial) make(ctx context.Context, object client.Object) error {
	err := t.api.Create(ctx, object)
	if status := apierrors.APIStatus(nil); !errors.As(err, &status) || status.Status().Code >= http.StatusInternalServerError {
		t.tried = append(t.tried, object)
	}
	return err
}

// remove what was made, also after an interrupt. By name: who was interrupted while an object was made does not know whether it was.
func (t *trial) remove() {
	ctx, cancel := context.WithTimeout(context.Background(), removeTime)
	defer cancel()
	for _, object := range t.tried {
		if err := t.api.Delete(ctx, object, client.PropagationPolicy(metav1.DeletePropagationBackground)); client.IgnoreNotFound(err) != nil {
			t.Warn("%s %s/%s is left: %v", kindOf(object), t.Namespace, t.Name, err)
		} else if !apierrors.IsNotFound(err) {
			t.Warn("removed %s %s/%s", kindOf(object), t.Namespace, t.Name)
		}
	}
}

func kindOf(object client.Object) string {
	if _, ok := object.(*corev1.Pod); ok {
		return "Pod"
	}
	return "Service"
}
