package monitoring

import (
	"fmt"
	"strings"
)

// prometheusConfig scrapes each target once a second, as often as it applies the rules.
func prometheusConfig(rules, alertmanager, scrapes string, targets []Target) string {
	var b strings.Builder
	fmt.Fprintf(&b, `global: {scrape_interval: 1s, evaluation_interval: 1s}
rule_files: [%q]
alerting: {alertmanagers: [{static_configs: [{targets: [%q]}]}]}
scrape_configs:
`, rules, alertmanager)
	for _, target := range targets {
		fmt.Fprintf(&b, `- job_name: %s
  metrics_path: /%s
  static_configs: [{targets: [%q], labels: {instance: %s%s}}]
`, target.Name, target.Name, scrapes, target.Name, nodeLabel(target.Node))
	}
	return b.String()
}

// nodeLabel is the label that the chart's PodMonitor gives to speakers.
func nodeLabel(node string) string {
	if node == "" {
		return ""
	}
	return ", node: " + node
}

// alertmanagerConfig has each alert told at once, by itself.
func alertmanagerConfig(hook string) string {
	return fmt.Sprintf(`route: {receiver: test, group_by: ['...'], group_wait: 0s, group_interval: 1s, repeat_interval: 1h}
receivers: [{name: test, webhook_configs: [{url: 'http://%s/', send_resolved: true}]}]
`, hook)
}
