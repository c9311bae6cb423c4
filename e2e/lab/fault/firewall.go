package fault

import (
	"context"
	"fmt"
	"strings"

	"github.com/daymark-lb/daymark/e2e/lab/check"
	"github.com/daymark-lb/daymark/e2e/lab/segment"
)

// Firewall has a host drop the packets of each protocol, "udp" or "tcp", from and to ports of these numbers, its own or
// another host's. The test's end removes it.
func Firewall(t check.T, host *segment.Host, ports []uint16, protocols ...string) {
	t.Helper()
	set := strings.ReplaceAll(strings.Trim(fmt.Sprint(ports), "[]"), " ", ", ")
	t.Cleanup(func() { RemoveFirewall(t, host) })
	var rules strings.Builder
	for _, hook := range []string{"input", "output"} {
		fmt.Fprintf(&rules, "chain %s {\n type filter hook %s priority -300;\n", hook, hook)
		for _, protocol := range protocols {
			fmt.Fprintf(&rules, " %s dport { %s } drop\n %s sport { %s } drop\n", protocol, set, protocol, set)
		}
		rules.WriteString("}\n")
	}
	loadFirewall(t, host, rules.String())
}

// FirewallIncoming is Firewall for packets that arrive alone: the host is heard, and does not hear.
func FirewallIncoming(t check.T, host *segment.Host, port uint16, protocol string) {
	t.Helper()
	t.Cleanup(func() { RemoveFirewall(t, host) })
	loadFirewall(t, host, fmt.Sprintf("chain input {\n type filter hook input priority -300;\n %s dport %d drop\n}\n", protocol, port))
}

// FirewallRejecting has a host treat all packets from and to a port, its own or another host's, by a verdict of nftables for each protocol;
// "" lets them pass.
func FirewallRejecting(t check.T, host *segment.Host, port uint16, tcp, udp string) {
	t.Helper()
	t.Cleanup(func() { RemoveFirewall(t, host) })
	var rules strings.Builder
	for _, hook := range []string{"input", "output"} {
		fmt.Fprintf(&rules, "chain %s {\n type filter hook %s priority -300;\n", hook, hook)
		for _, of := range [][2]string{{"tcp", tcp}, {"udp", udp}} {
			if protocol, verdict := of[0], of[1]; verdict != "" {
				fmt.Fprintf(&rules, " %s dport %d %s\n", protocol, port, verdict)
			}
		}
		rules.WriteString("}\n")
	}
	loadFirewall(t, host, rules.String())
}

// RemoveFirewall has a host drop nothing any more.
func RemoveFirewall(t check.T, host *segment.Host) {
	t.Helper()
	loadFirewall(t, host, "")
}

// loadFirewall replaces all rules of the firewall.
func loadFirewall(t check.T, host *segment.Host, chains string) {
	t.Helper()
	const replace = "table inet firewall {}\ndelete table inet firewall\ntable inet firewall {\n%s}\n"
	_, err := host.Run(context.Background(), fmt.Sprintf(replace, chains), "nft", "-f", "-")
	check.Must(t, "load the firewall of "+host.Name, err)
}
