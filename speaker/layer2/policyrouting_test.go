package layer2

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/daymark-lb/daymark/internal/netnstest"
)

// recipe is the commands of docs/layer2.md, as they are written there.
func recipe(t *testing.T) (commands []string) {
	t.Helper()
	page, err := os.ReadFile("../../docs/layer2.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(page), "### Answers that leave elsewhere\n")
	section, _, _ = strings.Cut(section, "\n### ")
	for line := range strings.Lines(section) {
		if command, is := strings.CutPrefix(line, "    "); is {
			commands = append(commands, strings.TrimSpace(command))
		}
	}
	if !slices.ContainsFunc(commands, func(c string) bool { return strings.HasPrefix(c, "ip rule add ") }) {
		t.Fatalf("the page has other commands: %q", commands)
	}
	return commands
}

// A node with eth0 and eth1 in one subnet, whose route leaves by eth0, and a client behind eth1. A Service on the node has its endpoint in a
// pod, or in the host's network: it is reached when the page's recipe has been followed, and not before.
func TestPolicyRouting_TheRecipeOfThePageWorks(t *testing.T) {
	netnstest.NeedProgram(t, "nft")
	node, client, other, pod := netnstest.New(t), netnstest.New(t), netnstest.New(t), netnstest.New(t)
	node.Do(t, func() {
		netnstest.Veth(t, "eth0", other, "far")
		netnstest.Veth(t, "eth1", client, "far")
		netnstest.Veth(t, "pod0", pod, "eth0")
	})
	in := func(n *netnstest.Namespace, lines ...string) {
		t.Helper()
		for _, line := range lines {
			n.Run(t, "sh", "-c", line)
		}
	}
	in(node, "ip link set lo up", "ip link set eth0 up", "ip link set eth1 address 02:00:00:00:00:11 up", "ip link set pod0 up",
		"ip addr add 192.0.2.11/24 dev eth0", "ip addr add 192.0.2.12/24 dev eth1", "ip addr add 10.244.0.1/24 dev pod0",
		"sysctl -qw net.ipv4.ip_forward=1 net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.eth1.rp_filter=1",
		"nft add table ip proxy", "nft add chain ip proxy in '{ type nat hook prerouting priority dstnat; }'",
		"nft add rule ip proxy in ip daddr 192.0.2.200 tcp dport 80 dnat to 10.244.0.2:80",
		"nft add rule ip proxy in ip daddr 192.0.2.200 tcp dport 81 dnat to 192.0.2.12:81")
	in(pod, "ip link set eth0 up", "ip addr add 10.244.0.2/24 dev eth0", "ip route add default via 10.244.0.1")
	in(client, "ip link set far up", "ip addr add 192.0.2.50/24 dev far", "ip neigh add 192.0.2.200 lladdr 02:00:00:00:00:11 dev far")
	in(other, "ip link set far up")
	listenIn(t, pod, ":80")
	listenIn(t, node, ":81")
	services := []netip.AddrPort{netip.MustParseAddrPort("192.0.2.200:80"), netip.MustParseAddrPort("192.0.2.200:81")}
	for _, service := range services {
		if reach(t, client, service) == nil {
			t.Errorf("%v is reached without the recipe", service)
		}
	}
	in(node, recipe(t)...)
	for _, service := range services {
		netnstest.Eventually(t, service.String()+" is reached", func() error { return reach(t, client, service) })
	}
}

// listenIn accepts connections in a namespace for the length of the test.
func listenIn(t *testing.T, n *netnstest.Namespace, at string) {
	t.Helper()
	n.Do(t, func() {
		listener, err := net.Listen("tcp4", at)
		if err != nil {
			t.Error(err)
			return
		}
		t.Cleanup(func() { _ = listener.Close() })
		go func() {
			for {
				conn, err := listener.Accept()
				if err != nil {
					return
				}
				_ = conn.Close()
			}
		}()
	})
}

// reach connects to an address from a namespace.
func reach(t *testing.T, from *netnstest.Namespace, to netip.AddrPort) error {
	t.Helper()
	err := errors.New("not tried")
	from.Do(t, func() {
		var conn net.Conn
		if conn, err = net.DialTimeout("tcp4", to.String(), time.Second); err == nil {
			_ = conn.Close()
		}
	})
	return err
}
