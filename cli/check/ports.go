package check

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/daymark-lb/daymark/cli/source"
)

// nodePort is a port of a node.
type nodePort struct {
	protocol corev1.Protocol
	port     int32
}

func (p nodePort) String() string { return fmt.Sprintf("%d %s", p.port, p.protocol) }

func portsTaken(in *Input) (found []Finding) {
	wanted, mine := wantedPorts(in), in.nodes()
	known := map[string]bool{}
	for _, n := range source.Of[*corev1.Node](in.Objects) {
		known[n.Name] = true
	}
	for _, pod := range source.Of[*corev1.Pod](in.Objects) {
		over := pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed
		elsewhere := known[pod.Spec.NodeName] && !mine[pod.Spec.NodeName] // no speaker runs there
		if over || elsewhere || ours(in, pod.Namespace, pod.Labels) {
			continue
		}
		var taken []string
		for _, port := range portsOf(&pod.Spec) {
			if slices.Contains(wanted, port) {
				taken = append(taken, port.String())
			}
		}
		if len(taken) > 0 {
			found = append(found, Finding{
				Severity: Error, Object: "Pod " + pod.Namespace + "/" + pod.Name,
				Message: fmt.Sprintf("it has %s of node %s, which the speaker needs", strings.Join(taken, ", "), pod.Spec.NodeName),
			})
		}
	}
	return found
}

// wantedPorts are those of the values that an install will have, of the DaemonSet that is installed, or else the default ones.
func wantedPorts(in *Input) []nodePort {
	if in.values != nil {
		return in.values.ports()
	}
	if set := in.Cluster.SpeakerSet(); set != nil {
		if ports := portsOf(&set.Spec.Template.Spec); len(ports) > 0 {
			return ports
		}
	}
	return defaultValues().ports()
}

// ours are the objects of Daymark's own programs.
func ours(in *Input, namespace string, labels map[string]string) bool {
	return namespace == in.System && labels["app.kubernetes.io/name"] == "daymark"
}

// portsOf a Pod on its node, each once.
func portsOf(pod *corev1.PodSpec) (ports []nodePort) {
	containers := pod.Containers
	for i := range pod.InitContainers { // those that stay are containers like others
		if policy := pod.InitContainers[i].RestartPolicy; policy != nil && *policy == corev1.ContainerRestartPolicyAlways {
			containers = append(containers[:len(containers):len(containers)], pod.InitContainers[i])
		}
	}
	for i := range containers {
		for _, p := range containers[i].Ports {
			port := nodePort{p.Protocol, p.HostPort}
			if port.protocol == "" {
				port.protocol = corev1.ProtocolTCP
			}
			if pod.HostNetwork {
				port.port = p.ContainerPort
			}
			if port.port != 0 && !slices.Contains(ports, port) {
				ports = append(ports, port)
			}
		}
	}
	return ports
}
