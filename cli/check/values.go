package check

import (
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
	} `json:"speaker"`
}

// defaultValues are what the chart has where nobody says otherwise.
func defaultValues() *values {
	v := &values{ServeClassless: true}
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
	}
	return v, nil
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
