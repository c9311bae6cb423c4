package check

import (
	"encoding/json"
	"fmt"
	"os"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"
)

// values are those of the chart that say what an install will need of the cluster. The chart's schema judges the others.
type values struct {
	ServeClassless     bool `json:"serveClassless"`
	IgnoreExcludeLabel bool `json:"ignoreExcludeLabel"`
	Ports              struct {
		SpeakerMetrics int32 `json:"speakerMetrics"`
		SpeakerHealth  int32 `json:"speakerHealth"`
		SpeakerTrace   int32 `json:"speakerTrace"`
		Gossip         int32 `json:"gossip"`
	} `json:"ports"`
	Speaker struct {
		Gossip bool `json:"gossip"`
		Trace  bool `json:"trace"`
		// NodeSelector of a later file is added to that of an earlier one, and one without a value takes away, as with Helm.
		NodeSelector map[string]*string `json:"nodeSelector"`
		// Tolerations of a later file replace those of an earlier one, which reading them into their type would mix.
		Tolerations json.RawMessage `json:"tolerations"`
	} `json:"speaker"`
	FlowControl struct {
		Enabled bool `json:"enabled"`
	} `json:"flowControl"`
	L2Advertisements []struct{} `json:"l2Advertisements"`
}

// defaultValues are what the chart has where nobody says otherwise.
func defaultValues() *values {
	v, linux := &values{ServeClassless: true, L2Advertisements: []struct{}{}}, "linux"
	v.Speaker.NodeSelector = map[string]*string{corev1.LabelOSStable: &linux}
	v.Speaker.Tolerations = json.RawMessage(`[{"operator":"Exists"}]`)
	v.Ports.SpeakerMetrics, v.Ports.SpeakerHealth, v.Ports.SpeakerTrace, v.Ports.Gossip = 7475, 7476, 7474, 7477
	v.Speaker.Gossip = true
	return v
}

// readValues reads files with values, of which the later ones go before the earlier ones, as with Helm.
func readValues(files []string) (*values, error) {
	v := defaultValues()
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("read values: %w", err)
		}
		if err := yaml.Unmarshal(text, v); err != nil {
			return nil, fmt.Errorf("read values in %s: %w", file, err)
		}
		if _, err := v.pod(); err != nil {
			return nil, fmt.Errorf("read values in %s: %w", file, err)
		}
	}
	return v, nil
}

// pod is what says on which nodes a speaker will run.
func (v *values) pod() (*corev1.PodSpec, error) {
	pod := &corev1.PodSpec{NodeSelector: map[string]string{}}
	for label, value := range v.Speaker.NodeSelector {
		if value != nil {
			pod.NodeSelector[label] = *value
		}
	}
	if len(v.Speaker.Tolerations) == 0 {
		return pod, nil
	}
	if err := json.Unmarshal(v.Speaker.Tolerations, &pod.Tolerations); err != nil {
		return nil, fmt.Errorf("read speaker.tolerations: %w", err)
	}
	return pod, nil
}

// ports that a speaker opens on its node: metrics, health, gossip, traces. A speaker without one of these has no port for it.
func (v *values) ports() (ports []nodePort) {
	add := func(wanted bool, port int32, protocols ...corev1.Protocol) {
		for _, protocol := range protocols {
			if wanted && port != 0 {
				ports = append(ports, nodePort{protocol, port})
			}
		}
	}
	add(true, v.Ports.SpeakerMetrics, corev1.ProtocolTCP)
	add(true, v.Ports.SpeakerHealth, corev1.ProtocolTCP)
	add(v.Speaker.Gossip, v.Ports.Gossip, corev1.ProtocolTCP, corev1.ProtocolUDP)
	add(v.Speaker.Trace, v.Ports.SpeakerTrace, corev1.ProtocolTCP)
	return ports
}
