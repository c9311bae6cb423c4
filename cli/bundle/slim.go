package bundle

import (
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/daymark-lb/daymark/api/v1beta1"
)

// lastApplied has a second copy of an object, also of what was taken out of it since.
const lastApplied = "kubectl.kubernetes.io/last-applied-configuration"

// slim returns a copy of an object without what takes room and says nothing, and without values of environment variables, which may be
// secret; nil: it does not belong into a bundle.
func slim(item runtime.Object) runtime.Object {
	less := item.DeepCopyObject()
	if object, err := meta.Accessor(less); err == nil {
		delete(object.GetAnnotations(), lastApplied)
		if _, service := less.(*corev1.Service); !service { // of Services they say who gave an address
			object.SetManagedFields(nil)
		}
	}
	switch o := less.(type) {
	case *corev1.Secret:
		return nil
	case *corev1.Node:
		o.Status.Images, o.Status.NodeInfo.MachineID, o.Status.NodeInfo.SystemUUID = nil, "", ""
		o.Status.VolumesInUse, o.Status.VolumesAttached = nil, nil
	case *corev1.Pod:
		withoutValues(&o.Spec)
	case *appsv1.Deployment:
		withoutValues(&o.Spec.Template.Spec)
	case *appsv1.DaemonSet:
		withoutValues(&o.Spec.Template.Spec)
	case *apiextensionsv1.CustomResourceDefinition:
		if o.Spec.Group != v1beta1.GroupVersion.Group {
			return nil
		}
		for i := range o.Spec.Versions {
			o.Spec.Versions[i].Schema = nil
		}
	}
	return less
}

func withoutValues(pod *corev1.PodSpec) {
	for _, containers := range [][]corev1.Container{pod.InitContainers, pod.Containers} {
		for i := range containers {
			for j := range containers[i].Env {
				containers[i].Env[j].Value = ""
			}
		}
	}
}
