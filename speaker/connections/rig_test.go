package connections

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/daymark-lb/daymark/internal/core/handover"
	"github.com/daymark-lb/daymark/internal/netnstest"
)

func TestMain(m *testing.M) { os.Exit(netnstest.Main(m)) }

// The addresses of the rig: a node's last figure is 11, 12 and so on, a pod's that of its node.
var (
	vip4, vip6 = netip.MustParseAddr("192.0.2.200"), netip.MustParseAddr("2001:db8::200")
	client4    = "192.0.2.100"
)

func nodeAddr(i int) netip.Addr  { return netip.MustParseAddr(fmt.Sprintf("192.0.2.%d", 11+i)) }
func nodeAddr6(i int) netip.Addr { return netip.MustParseAddr(fmt.Sprintf("2001:db8::%d", 11+i)) }

// rig is a segment with nodes, each with one pod, and a client. What serves the Service is the same rules as kube-proxy's.
type rig struct {
	t      testing.TB
	nodes  []*rigNode
	client *netnstest.Namespace
	fabric *netnstest.Namespace
}

type rigNode struct {
	ns, pod *netnstest.Namespace
	name    string
	mac     string
	relay   *Relay
}

// proxyMode is how the service proxy writes its rules.
type proxyMode string

const (
	modeNFTables proxyMode = "nftables"
	modeIPTables proxyMode = "iptables"
)

// newRig makes the segment. Each node gives connections to its own pod; with cluster, to the pod of the next node, behind its own address.
func newRig(t testing.TB, count int, mode proxyMode, cluster bool) *rig {
	t.Helper()
	netnstest.NeedProgram(t, "nft")
	r := &rig{t: t, client: netnstest.New(t), fabric: netnstest.New(t)}
	sh(t, r.fabric, "ip link add br0 type bridge mcast_snooping 0", "ip link set br0 up")
	r.plug(r.client, 0)
	sh(t, r.client, "ip addr add "+client4+"/24 dev eth0", "ip addr add 2001:db8::100/64 dev eth0 nodad")
	for i := range count {
		n := &rigNode{ns: netnstest.New(t), pod: netnstest.New(t), name: fmt.Sprintf("pod%d", i+1), mac: fmt.Sprintf("02:00:00:00:00:%02d", 11+i)}
		r.nodes = append(r.nodes, n)
		n.ns.Do(t, func() { netnstest.Veth(t, "pod0", n.pod, "eth0") })
		r.plug(n.ns, i+1)
		n.address(t, i)
		n.serve(t)
	}
	for i, n := range r.nodes {
		for j := range r.nodes {
			if j != i {
				sh(t, n.ns, fmt.Sprintf("ip route add 203.0.113.%d via %s", 11+j, nodeAddr(j)),
					fmt.Sprintf("ip -6 route add 2001:db8:1::%d via %s", 11+j, nodeAddr6(j)))
			}
		}
		pod := i
		if cluster {
			pod = (i + 1) % count
		}
		n.proxy(t, mode, pod, cluster)
		n.relay = New(Config{})
	}
	r.move(0)
	return r
}

// plug gives a namespace the link eth0 to the segment.
func (r *rig) plug(n *netnstest.Namespace, port int) {
	r.t.Helper()
	name := fmt.Sprintf("p%d", port)
	r.fabric.Do(r.t, func() { netnstest.Veth(r.t, name, n, "eth0") })
	sh(r.t, r.fabric, "ip link set "+name+" master br0 up")
	sh(r.t, n, "ip link set lo up", "ip link set eth0 up")
}

func (n *rigNode) address(t testing.TB, i int) {
	t.Helper()
	sh(t, n.ns, "ip link set eth0 address "+n.mac, "ip link set pod0 up",
		"sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1 net.ipv4.conf.all.rp_filter=1 net.ipv4.conf.eth0.rp_filter=1",
		fmt.Sprintf("ip addr add %s/24 dev eth0", nodeAddr(i)), fmt.Sprintf("ip addr add %s/64 dev eth0 nodad", nodeAddr6(i)),
		"ip addr add 203.0.113.1/32 dev pod0", "ip addr add fe80::1/64 dev pod0 nodad",
		fmt.Sprintf("ip route add 203.0.113.%d dev pod0", 11+i), fmt.Sprintf("ip -6 route add 2001:db8:1::%d dev pod0", 11+i))
	sh(t, n.pod, "ip link set lo up", "ip link set eth0 up",
		fmt.Sprintf("ip addr add 203.0.113.%d/32 dev eth0", 11+i), fmt.Sprintf("ip addr add 2001:db8:1::%d/128 dev eth0 nodad", 11+i),
		"ip route add 203.0.113.1 dev eth0", "ip route add default via 203.0.113.1", "ip -6 route add default via fe80::1 dev eth0")
}

// proxy writes the rules of a service proxy that gives connections to a pod.
func (n *rigNode) proxy(t testing.TB, mode proxyMode, pod int, masquerade bool) {
	t.Helper()
	for _, f := range []struct{ nft, iptables, vip, to string }{
		{"ip", "iptables", vip4.String(), fmt.Sprintf("203.0.113.%d:80", 11+pod)},
		{"ip6", "ip6tables", vip6.String(), fmt.Sprintf("[2001:db8:1::%d]:80", 11+pod)},
	} {
		snat := ""
		if mode == modeIPTables {
			netnstest.NeedProgram(t, "iptables")
			for _, rule := range []string{
				"-t nat -N KUBE-SERVICES", "-t nat -A PREROUTING -j KUBE-SERVICES",
				"-t nat -A KUBE-SERVICES -d " + f.vip + " -p tcp --dport 80 -j DNAT --to-destination " + f.to,
				"-A FORWARD -m conntrack --ctstate INVALID -j DROP",
			} {
				sh(t, n.ns, f.iptables+" "+rule)
			}
			if masquerade {
				sh(t, n.ns, f.iptables+" -t nat -A POSTROUTING -m conntrack --ctstate DNAT -j MASQUERADE")
			}
			continue
		}
		if masquerade {
			snat = "ct status dnat masquerade"
		}
		sh(t, n.ns, "nft '"+fmt.Sprintf(`table %s kube-proxy {
			chain nat-prerouting { type nat hook prerouting priority dstnat; %s daddr %s tcp dport 80 dnat to %s; }
			chain nat-postrouting { type nat hook postrouting priority srcnat; %s; }
			chain filter-forward { type filter hook forward priority filter; ct state invalid drop; }
		}`, f.nft, f.nft, f.vip, f.to, snat)+"'")
	}
}

// serve answers each line of each connection with the pod's name and the line. A connection that is reset is noted.
func (n *rigNode) serve(t testing.TB) {
	t.Helper()
	n.pod.Do(t, func() {
		listener, err := net.Listen("tcp", ":80")
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
				go echo(conn, n.name)
			}
		}()
	})
}

func echo(conn net.Conn, name string) {
	defer conn.Close()
	for in := bufio.NewReader(conn); ; {
		line, err := in.ReadString('\n')
		if err != nil {
			return
		}
		if _, err := io.WriteString(conn, name+" "+line); err != nil {
			return
		}
	}
}

// move has the client send packets for the Service to a node.
func (r *rig) move(to int) {
	r.t.Helper()
	sh(r.t, r.client, fmt.Sprintf("ip neigh replace %s lladdr %s dev eth0", vip4, r.nodes[to].mac),
		fmt.Sprintf("ip neigh replace %s lladdr %s dev eth0", vip6, r.nodes[to].mac))
}

// set gives a node a plan.
func (r *rig) set(node int, plan handover.Plan) {
	r.t.Helper()
	n := r.nodes[node]
	n.ns.Do(r.t, func() {
		if err := n.relay.Set(r.t.Context(), plan); err != nil {
			r.t.Fatal(err)
		}
	})
	if why := n.relay.Unable(); why != "" {
		r.t.Fatal(why)
	}
}

// start has the relay of a node run until the test ends.
func (r *rig) start(i int) {
	r.t.Helper()
	ctx, end := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go r.nodes[i].ns.Do(r.t, func() { ended <- r.nodes[i].relay.Start(ctx) })
	r.t.Cleanup(func() {
		end()
		if err := <-ended; err != nil {
			r.t.Error(err)
		}
	})
}

// pass is a plan with which a node passes packets of both addresses on to another one.
func pass(to, hops int) handover.Plan {
	return handover.Plan{Passages: []handover.Passage{{Addr: vip4, Via: nodeAddr(to), Hops: hops}, {Addr: vip6, Via: nodeAddr6(to), Hops: hops}}}
}

// counted has addresses counted for a minute.
func counted(addrs ...netip.Addr) (list []handover.Counted) {
	for _, addr := range addrs {
		list = append(list, handover.Counted{Addr: addr, For: time.Minute})
	}
	return list
}

// samePlan compares plans; times may have gone on by some seconds.
var samePlan = cmp.Options{
	cmpopts.EquateComparable(netip.Addr{}), cmp.Comparer(func(a, b time.Duration) bool { return (a - b).Abs() < 20*time.Second }),
}

// talk is an open connection of the client.
type talk struct {
	net.Conn
	in *bufio.Reader
}

// dial opens connections of the client to an address.
func (r *rig) dial(vip netip.Addr, count int) (talks []*talk) {
	r.t.Helper()
	return r.dialIn(r.client, vip, count)
}

// dialIn opens connections from a namespace to an address.
func (r *rig) dialIn(from *netnstest.Namespace, vip netip.Addr, count int) (talks []*talk) {
	r.t.Helper()
	from.Do(r.t, func() {
		for range count {
			conn, err := net.DialTimeout("tcp", netip.AddrPortFrom(vip, 80).String(), 5*time.Second)
			if err != nil {
				r.t.Fatal(err)
			}
			r.t.Cleanup(func() { _ = conn.Close() })
			talks = append(talks, &talk{conn, bufio.NewReader(conn)})
		}
	})
	return talks
}

// ask says something and returns which pod answers.
func (c *talk) ask() (string, error) {
	_ = c.SetDeadline(time.Now().Add(5 * time.Second))
	if _, err := io.WriteString(c, "hello\n"); err != nil {
		return "", err
	}
	answer, err := c.in.ReadString('\n')
	pod, _, _ := strings.Cut(answer, " ")
	return pod, err
}

// expect asks on all connections, each of which a pod must answer.
func (r *rig) expect(pod string, talks []*talk) {
	r.t.Helper()
	for i, c := range talks {
		if got, err := c.ask(); err != nil || got != pod {
			r.t.Fatalf("connection %d of %d is answered by %q, %v; want %s", i, len(talks), got, err, pod)
		}
	}
}

// broken counts the connections that are reset.
func broken(talks []*talk) (count int) {
	for _, c := range talks {
		if _, err := c.ask(); errors.Is(err, errReset) {
			count++
		}
	}
	return count
}

// sh runs lines of shell in a namespace.
func sh(t testing.TB, n *netnstest.Namespace, lines ...string) {
	t.Helper()
	for _, line := range lines {
		n.Run(t, "sh", "-c", line)
	}
}
