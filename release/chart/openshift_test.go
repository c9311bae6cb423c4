package chart

import (
	"slices"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/yaml"
)

// constraints are the parts of OpenShift's SecurityContextConstraints that could allow something.
type constraints struct {
	AllowHostNetwork, AllowHostPorts, AllowHostDirVolumePlugin, AllowHostIPC, AllowHostPID bool

	AllowPrivilegedContainer, AllowPrivilegeEscalation, ReadOnlyRootFilesystem bool

	AllowedCapabilities, DefaultAddCapabilities, RequiredDropCapabilities []string

	SeccompProfiles, Volumes, Users, Groups []string
}

// What OpenShift allows the speaker is what the DaemonSet asks for. Whatever else the constraints allowed, a stranger's pod under the
// speaker's account could use.
func TestOpenShift_AllowsTheSpeakerWhatItNeedsAndNoMore(t *testing.T) {
	files, err := Render(folder, parse(t, read(t, folder+"/ci/openshift.yaml")))
	must(t, err)
	all := byKey(objects(t, files))
	var allowed constraints
	text, err := yaml.Marshal(find(t, all, "SecurityContextConstraints").Object)
	must(t, err)
	must(t, yaml.Unmarshal(text, &allowed))
	var speakers appsv1.DaemonSet
	must(t, runtime.DefaultUnstructuredConverter.FromUnstructured(find(t, all, "DaemonSet").Object, &speakers))

	pod := speakers.Spec.Template.Spec
	if allowed.AllowHostNetwork != pod.HostNetwork || allowed.AllowHostPID || allowed.AllowHostIPC || allowed.AllowHostDirVolumePlugin ||
		allowed.AllowPrivilegedContainer || allowed.AllowPrivilegeEscalation || !allowed.ReadOnlyRootFilesystem {
		t.Errorf("they allow %+v", allowed)
	}
	var asked []string
	for _, container := range pod.Containers {
		for _, capability := range container.SecurityContext.Capabilities.Add {
			asked = append(asked, string(capability))
		}
	}
	slices.Sort(asked)
	slices.Sort(allowed.AllowedCapabilities)
	if !slices.Equal(asked, allowed.AllowedCapabilities) {
		t.Errorf("they allow the capabilities %v, the speaker asks for %v", allowed.AllowedCapabilities, asked)
	}
	if len(allowed.DefaultAddCapabilities) > 0 || !slices.Equal(allowed.RequiredDropCapabilities, []string{"ALL"}) {
		t.Errorf("they add %v and drop %v", allowed.DefaultAddCapabilities, allowed.RequiredDropCapabilities)
	}
	if !slices.Equal(allowed.SeccompProfiles, []string{"runtime/default"}) || slices.Contains(allowed.Volumes, "hostPath") || slices.Contains(allowed.Volumes, "*") {
		t.Errorf("they allow the seccomp profiles %v and the volumes %v", allowed.SeccompProfiles, allowed.Volumes)
	}
	if len(allowed.Users)+len(allowed.Groups) > 0 {
		t.Errorf("they are for %v and %v, and not for whom a Role names", allowed.Users, allowed.Groups)
	}
}

// find is the one object of the kind.
func find(t *testing.T, all map[string]*unstructured.Unstructured, kind string) *unstructured.Unstructured {
	t.Helper()
	for _, object := range all {
		if object.GetKind() == kind {
			return object
		}
	}
	t.Fatalf("there is no %s", kind)
	return nil
}
