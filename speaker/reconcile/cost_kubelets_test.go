package reconcile

import (
	"fmt"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// statusReports is how often a kubelet writes the status of its Node when nothing has changed: nodeStatusReportFrequency, by default.
const statusReports = 5 * time.Minute

// kubelets write for a minute what they write of nodes at rest.
func (c *largeCluster) kubelets() cost {
	c.api.mu.Lock()
	c.api.cost = cost{}
	c.api.mu.Unlock()
	for i := range len(c.nodes) * int(time.Minute) / int(statusReports) {
		if err := c.api.Status().Update(c.Context(), nodeOfKubelet(c.nodes[i].Name, time.Now())); err != nil {
			c.Fatal(err)
		}
	}
	c.api.mu.Lock()
	defer c.api.mu.Unlock()
	return c.api.cost
}

// costOfKubelets: at rest most of what goes over the watches is not Daymark's own, since the speakers and the controllers watch all Nodes.
func costOfKubelets(t *testing.T, c *largeCluster) {
	size := len(c.nodes)
	got := c.kubelets()
	t.Logf("kubelets of nodes at rest, a minute: %d writes, %d events, %d bytes", got.writes, got.events, got.bytes)
	if got.writes != size/5 {
		t.Errorf("kubelets make %d writes a minute, want %d", got.writes, size/5)
	}
	if want := got.writes * (len(c.speakers) + 2); got.events != want { // both replicas of the controller
		t.Errorf("%d events on watches of %d writes, want %d", got.events, got.writes, want)
	}
	if each := got.bytes / max(got.events, 1); each < 9_000 || each > 12_000 {
		t.Errorf("%d bytes of each, which docs/large-clusters.md has as 10 kB", each)
	}
	bare := nodeOfKubelet("node-0000.example.net", time.Now())
	if bare.Status.Images = nil; bare.Size() > 2_500 {
		t.Errorf("%d bytes without images, which docs/large-clusters.md has as 2 kB", bare.Size())
	}
}

// nodeOfKubelet is a Node as a kubelet writes it: with the fifty images that it reports, and the fields that are managed.
func nodeOfKubelet(name string, now time.Time) *corev1.Node {
	of := &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{
			Name: name, UID: types.UID("7b1f4a52-91f6-4f0e-9d0f-5a8c1f0d2b3c"), CreationTimestamp: metav1.NewTime(now),
			Labels: map[string]string{
				corev1.LabelHostname: name, corev1.LabelOSStable: "linux", corev1.LabelArchStable: "amd64",
				corev1.LabelTopologyZone: "zone-a", corev1.LabelTopologyRegion: "region-1",
			},
			Annotations: map[string]string{"volumes.kubernetes.io/controller-managed-attach-detach": "true", "node.alpha.kubernetes.io/ttl": "0"},
		},
		Spec: corev1.NodeSpec{PodCIDR: "10.244.7.0/24", PodCIDRs: []string{"10.244.7.0/24"}},
		Status: corev1.NodeStatus{
			Addresses: []corev1.NodeAddress{{Type: corev1.NodeInternalIP, Address: "198.18.7.7"}, {Type: corev1.NodeHostName, Address: name}},
			NodeInfo: corev1.NodeSystemInfo{
				MachineID: "b1946ac92492d2347c6235b4d2611184", SystemUUID: "4c4c4544-0042-4b10-8034-b8c04f4d3732", BootID: "5f0b1b0a-6a5e-4a0b-9a43-0c7a2f1d8e11",
				KernelVersion: "6.12.48", OSImage: "Debian GNU/Linux 13 (trixie)", ContainerRuntimeVersion: "containerd://2.1.4", KubeletVersion: "v1.37.1",
				OperatingSystem: "linux", Architecture: "amd64",
			},
		},
	}
	amounts := corev1.ResourceList{
		corev1.ResourceCPU: resource.MustParse("64"), corev1.ResourceMemory: resource.MustParse("263856128Ki"), corev1.ResourcePods: resource.MustParse("110"),
		corev1.ResourceEphemeralStorage: resource.MustParse("959786032Ki"), "hugepages-1Gi": resource.MustParse("0"), "hugepages-2Mi": resource.MustParse("0"),
	}
	of.Status.Capacity, of.Status.Allocatable = amounts, amounts
	for _, kind := range []corev1.NodeConditionType{corev1.NodeMemoryPressure, corev1.NodeDiskPressure, corev1.NodePIDPressure, corev1.NodeReady} {
		of.Status.Conditions = append(of.Status.Conditions, corev1.NodeCondition{
			Type: kind, Status: corev1.ConditionFalse, Reason: "KubeletHas" + string(kind), Message: "kubelet has sufficient " + string(kind) + " available",
			LastHeartbeatTime: metav1.NewTime(now), LastTransitionTime: metav1.NewTime(now),
		})
	}
	for i := range 50 {
		image := fmt.Sprintf("registry.example.com/team-%02d/image", i)
		of.Status.Images = append(of.Status.Images, corev1.ContainerImage{
			Names: []string{fmt.Sprintf("%s@sha256:%064x", image, i), image + ":v1.2.3"}, SizeBytes: 1e8,
		})
	}
	condition := func(kind string) string {
		return `"k:{\"type\":\"` + kind + `\"}":{"f:lastHeartbeatTime":{},"f:lastTransitionTime":{},"f:message":{},"f:reason":{},"f:status":{}}`
	}
	fields := `{"f:status":{"f:conditions":{` + condition("DiskPressure") + "," + condition("MemoryPressure") + "," + condition("PIDPressure") + "," +
		condition("Ready") + `},"f:images":{}}}`
	of.ManagedFields = []metav1.ManagedFieldsEntry{{
		Manager: "kubelet", Operation: metav1.ManagedFieldsOperationUpdate, APIVersion: "v1", Time: &metav1.Time{Time: now}, Subresource: "status",
		FieldsType: "FieldsV1", FieldsV1: metav1.NewFieldsV1(fields),
	}}
	return of
}
