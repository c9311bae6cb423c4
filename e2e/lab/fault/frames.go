package fault

import (
	"context"
	"fmt"

	"github.com/daymark-lb/daymark/e2e/lab/check"
	"github.com/daymark-lb/daymark/e2e/lab/segment"
)

// LoseIncoming has a host lose this share of all frames that arrive at its eth0, ARP among them: of a hundred, by chance. With 100
// it hears nothing and is heard. The test's end mends it.
func LoseIncoming(t check.T, host *segment.Host, percent int) {
	t.Helper()
	onFrames(t, host, "ingress", dropping(percent))
}

// LoseOutgoing is LoseIncoming for the frames that it sends. With 100 it hears all and is not heard.
func LoseOutgoing(t check.T, host *segment.Host, percent int) {
	t.Helper()
	onFrames(t, host, "egress", dropping(percent))
}

func dropping(percent int) (rule string) {
	if percent >= 100 {
		return "drop"
	}
	return fmt.Sprintf("numgen random mod 100 < %d drop", percent)
}

// Duplicate has a host send every frame twice.
func Duplicate(t check.T, host *segment.Host) {
	t.Helper()
	onFrames(t, host, "egress", "dup to eth0")
}

// Slow has a host send no more than 2 Mbit/s, and let wait for up to 300 ms what is more.
func Slow(t check.T, host *segment.Host) {
	t.Helper()
	t.Cleanup(func() { check.Must(t, "let "+host.Name+" send as before", control(host, "del")) })
	check.Must(t, "slow "+host.Name+" down", control(host, "add", "tbf", "rate", "2mbit", "burst", "4kb", "latency", "300ms"))
}

func control(host *segment.Host, verb string, more ...string) error {
	_, err := host.Run(context.Background(), "", append([]string{"tc", "qdisc", verb, "dev", "eth0", "root"}, more...)...)
	return err
}

// onFrames puts one rule at a hook of a host's eth0.
func onFrames(t check.T, host *segment.Host, hook, rule string) {
	t.Helper()
	const replace = "table netdev %[1]s {}\ndelete table netdev %[1]s\n"
	load := func(rules string) error {
		_, err := host.Run(context.Background(), fmt.Sprintf(replace, hook)+rules, "nft", "-f", "-")
		return err
	}
	t.Cleanup(func() { check.Must(t, "mend eth0 of "+host.Name, load("")) })
	check.Must(t, "break eth0 of "+host.Name, load(fmt.Sprintf(
		"table netdev %[1]s {\n chain frames {\n  type filter hook %[1]s device \"eth0\" priority 0;\n  %[2]s\n }\n}\n", hook, rule)))
}
