package connections

import (
	"errors"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/daymark-lb/daymark/internal/core/handover"
	"github.com/daymark-lb/daymark/internal/netnstest"
)

// The former node says how many connections it still has, of each address that is asked for and of no other.
func TestRelay_CountsWhatIsLeft(t *testing.T) {
	r := newRig(t, 1, modeNFTables, false)
	n, asked := r.nodes[0], netip.MustParseAddr("192.0.2.201")
	plan := handover.Plan{Counted: counted(vip4, asked, vip6)}
	talks := r.dial(vip4, 5)
	talks = append(talks, r.dial(vip6, 2)...)
	r.expect("pod1", talks)
	r.set(0, plan)
	r.awaitLeft(0, map[netip.Addr]int{vip4: 5, asked: 0, vip6: 2})
	select {
	case <-n.relay.Changes():
	default:
		t.Error("nobody was told")
	}

	for _, c := range talks[:3] {
		_ = c.Close()
	}
	r.awaitLeft(0, map[netip.Addr]int{vip4: 2, asked: 0, vip6: 2})
	r.set(0, handover.Plan{Counted: counted(vip6)})
	if left := n.relay.Left(); !maps.Equal(left, map[netip.Addr]int{vip6: 2}) {
		t.Errorf("counted are %v, of which only that of IPv6 is asked for", left)
	}
	r.set(0, handover.Plan{})
	if left := n.relay.Left(); len(left) > 0 {
		t.Errorf("%v is counted though nothing is asked", left)
	}
}

// A speaker that was killed has not said what it had. The one after it finds it in the kernel, beside what was counted.
func TestRelay_FindsWhatIsOpen(t *testing.T) {
	r := newRig(t, 1, modeNFTables, false)
	moved := netip.MustParseAddr("192.0.2.201")
	r.set(0, handover.Plan{Counted: []handover.Counted{{Addr: moved, For: time.Minute}}})
	r.dial(vip4, 2)
	r.dial(vip6, 1)
	var kept handover.Plan
	var err error
	r.nodes[0].ns.Do(t, func() { kept, err = New(Config{}).Kept() })
	if err != nil {
		t.Fatal(err)
	}
	var found []netip.Addr
	for _, c := range kept.Counted {
		if found = append(found, c.Addr); (c.For > time.Minute) == (c.Addr == moved) {
			t.Errorf("%s is to be counted for %s", c.Addr, c.For)
		}
	}
	if want := []netip.Addr{vip4, moved, vip6}; !slices.Equal(found, want) {
		t.Errorf("it finds %v, want %v", found, want)
	}
}

// What a node opens by itself ends with the node, so nobody waits for it.
func TestRelay_CountsNotTheNodesOwn(t *testing.T) {
	r := newRig(t, 1, modeNFTables, false)
	n := r.nodes[0]
	sh(t, n.ns, `nft 'add chain ip kube-proxy nat-output { type nat hook output priority -100; }
		add rule ip kube-proxy nat-output ip daddr 192.0.2.200 tcp dport 80 dnat to 203.0.113.11:80'`)
	n.ns.Do(t, func() {
		conn, err := net.DialTimeout("tcp", "192.0.2.200:80", 5*time.Second)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
	})
	r.dial(vip4, 1)
	r.set(0, handover.Plan{Counted: counted(vip4)})
	r.awaitLeft(0, map[netip.Addr]int{vip4: 1})
}

// Pods are served by their own node, whoever has the address, and nobody waits for them: with a veth and a route each, or on a bridge. A
// client on the segment counts, also where the node's link to it is a veth or a bridge.
func TestRelay_CountsNotThePodsOfTheNode(t *testing.T) {
	r := newRig(t, 1, modeNFTables, false)
	n := r.nodes[0]
	var clients []*netnstest.Namespace
	for i, lines := range []string{
		"ip link set pod1 up; ip addr add 203.0.113.1/32 dev pod1; ip route add 203.0.113.99 dev pod1",
		"ip link add cni0 type bridge; ip link set cni0 up; ip addr add 198.51.100.1/24 dev cni0; ip link set pod2 master cni0 up",
		"ip link add br1 type bridge; ip tuntap add other mode tap; ip link set other master br1; ip link set br1 up; ip addr add 198.18.0.1/24 dev br1; ip link set pod3 master br1 up",
		"ip link set pod4 up; ip addr add 198.19.0.1/24 dev pod4",
	} {
		c := netnstest.New(t)
		clients = append(clients, c)
		n.ns.Do(t, func() { netnstest.Veth(t, fmt.Sprintf("pod%d", i+1), c, "eth0") })
		sh(t, n.ns, "set -e; "+lines)
		address, gateway := []string{"203.0.113.99/32", "198.51.100.2/24", "198.18.0.2/24", "198.19.0.2/24"}[i], []string{"203.0.113.1", "198.51.100.1", "198.18.0.1", "198.19.0.1"}[i]
		sh(t, c, "ip link set eth0 up", "ip addr add "+address+" dev eth0", "ip route add default via "+gateway+" dev eth0 onlink")
	}
	r.dial(vip4, 1)
	for i, want := range []int{1, 1, 2, 3} {
		clients[i].Do(t, func() {
			conn, err := net.DialTimeout("tcp", "192.0.2.200:80", 5*time.Second)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = conn.Close() })
		})
		r.set(0, handover.Plan{Counted: counted(vip4)})
		r.awaitLeft(0, map[netip.Addr]int{vip4: want})
	}
}

// A count may cost much: plans that come one after another do not make more of them, and numbers that go up and down wake nobody.
func TestRelay_CountsAndTellsNoMoreThanNeeded(t *testing.T) {
	r := newRig(t, 1, modeNFTables, false)
	n := r.nodes[0]
	woken := func(c chan struct{}) bool {
		select {
		case <-c:
			return true
		default:
			return false
		}
	}
	r.dial(vip4, 2)
	r.set(0, handover.Plan{Counted: counted(vip4, vip6)})
	if !woken(n.relay.wake) {
		t.Error("nobody counts what a plan has more")
	}
	r.awaitLeft(0, map[netip.Addr]int{vip4: 2, vip6: 0})
	if !woken(n.relay.changes) {
		t.Error("the first numbers are not told")
	}
	if wait := n.relay.dueIn(); wait < countInterval/2 {
		t.Errorf("the next count may come in %v", wait)
	}
	r.set(0, handover.Plan{Counted: counted(vip4), Passages: pass(1, 1).Passages[:1]})
	if woken(n.relay.wake) {
		t.Error("a plan with less to count has it counted at once")
	}
	r.dial(vip4, 1)
	r.awaitLeft(0, map[netip.Addr]int{vip4: 3})
	if woken(n.relay.changes) {
		t.Error("a number that changed a little is told at once")
	}
	n.relay.told = n.relay.told.Add(-tellInterval)
	if r.awaitLeft(0, map[netip.Addr]int{vip4: 3}); !woken(n.relay.changes) {
		t.Error("it is not told later either")
	}
	n.relay.told = time.Now()
	sh(t, n.ns, "conntrack -D -p tcp 2>/dev/null")
	if r.awaitLeft(0, map[netip.Addr]int{vip4: 0}); !woken(n.relay.changes) {
		t.Error("that none is left is not told")
	}
}

// awaitLeft counts on a node until the result is as wanted.
func (r *rig) awaitLeft(node int, want map[netip.Addr]int) {
	r.t.Helper()
	n := r.nodes[node]
	netnstest.Eventually(r.t, "connections are counted", func() error {
		n.ns.Do(r.t, func() { n.relay.count() })
		if left := n.relay.Left(); !maps.Equal(left, want) {
			return fmt.Errorf("%v are left, want %v", left, want)
		}
		return nil
	})
}

// A message of the kernel that is cut anywhere, or lies about its lengths, is read as far as it goes.
func FuzzParse(f *testing.F) {
	f.Add([]byte{12, 0, 1, 0x80, 8, 0, 1, 0x80, 4, 0, 1, 0})
	f.Add([]byte{8, 0, 3, 0, 0, 0, 0, 32, 12, 0, 4, 0x80, 8, 0, 1, 0x80, 5, 0, 1, 0, 3})
	f.Fuzz(func(t *testing.T, message []byte) {
		if c := parse(message); c.open() && (c.protocol != 6 || c.state < firstOpen) {
			t.Errorf("%+v counts as open", c)
		}
	})
}

func TestUnable_SaysWhy(t *testing.T) {
	for name, row := range map[string]struct{ harm, want string }{
		"no service proxy":           {"nft flush ruleset", "no rules of kube-proxy are found"},
		"mode ipvs":                  {"ip link add kube-ipvs0 type bridge", "kube-proxy runs in the mode ipvs"},
		"Calico by eBPF":             {"ip link add bpfin.cali type veth peer name bpfout.cali", "Calico serves Services by eBPF"},
		"kube-router":                {"ip link add kube-dummy-if type bridge", "kube-router serves Services"},
		"strict connection tracking": {"sysctl -qw net.netfilter.nf_conntrack_tcp_loose=0", "nf_conntrack_tcp_loose is 0"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, 2, modeNFTables, false)
			r.set(1, pass(0, 1))
			n := r.nodes[1]
			n.relay.grace = 0
			sh(t, n.ns, row.harm)
			n.ns.Do(t, n.relay.renew)
			if why := n.relay.Unable(); !strings.Contains(why, row.want) {
				t.Errorf("unable because %q, want %q", why, row.want)
			}
			if tables := n.ns.Run(t, "nft", "list", "tables"); strings.Contains(tables, "daymark") {
				t.Errorf("a table is left:\n%s", tables)
			}
			select {
			case <-n.relay.Changes():
			default:
				t.Error("nobody was told")
			}
		})
	}
}

// A network plugin that may serve Services or leave them to kube-proxy is named, and changes nothing.
func TestRelay_NamesWhatMayServeInstead(t *testing.T) {
	r := newRig(t, 2, modeNFTables, false)
	talks := r.dial(vip4, 2)
	r.set(1, pass(0, 1))
	r.move(1)
	n := r.nodes[1]
	for _, step := range []struct{ do, want string }{
		{"true", ""},
		{"ip link add cilium_host type veth peer name cilium_net", "Cilium"},
		{"ip link del cilium_host", ""},
		{"ip link add antrea-gw0 type bridge", "Antrea"},
	} {
		sh(t, n.ns, step.do)
		for len(n.relay.Changes()) > 0 {
			<-n.relay.Changes()
		}
		was := n.relay.Beside()
		n.ns.Do(t, n.relay.lookBeside)
		n.ns.Do(t, n.relay.renew)
		if is := n.relay.Beside(); is != step.want || n.relay.Unable() != "" {
			t.Errorf("after %q there is %q beside, and it is unable for %q", step.do, is, n.relay.Unable())
		}
		if told := len(n.relay.Changes()) > 0; told != (was != step.want) {
			t.Errorf("after %q it tells: %t", step.do, told)
		}
		r.expect("pod1", talks)
	}
}

// Of what a plan has only that is laid which can work: a node behind a router would send a packet back that still has the address of the
// Service.
func TestRelay_HandsNothingToARouter(t *testing.T) {
	r := newRig(t, 1, modeNFTables, false)
	n := r.nodes[0]
	sh(t, n.ns, "ip route add 198.51.100.0/24 via 192.0.2.1")
	var plan handover.Plan
	for addr, via := vip4, []netip.Addr{
		netip.MustParseAddr("198.51.100.7"), // behind a router
		nodeAddr(0),                         // this node
		nodeAddr6(1),                        // of another family
		nodeAddr(1), nodeAddr(2),
	}; len(via) > 0; addr, via = addr.Next(), via[1:] {
		plan.Passages = append(plan.Passages, handover.Passage{Addr: addr, Via: via[0], Hops: 1})
	}
	plan.Passages[4].Hops = 0
	r.set(0, plan)
	n.ns.Do(t, func() {
		if kept, err := n.relay.Kept(); err != nil || len(kept.Passages) != 1 || kept.Passages[0] != plan.Passages[3] {
			t.Errorf("the kernel has %+v, %v; want only %+v", kept, err, plan.Passages[3])
		}
	})
	if got, want := n.relay.Refused(), []string{
		"192.0.2.11 is an address of this node", "198.51.100.7 is behind a router, not on a segment of this node",
	}; !slices.Equal(got, want) {
		t.Errorf("it says %q, want %q", got, want)
	}
	if r.set(0, handover.Plan{}); len(n.relay.Refused()) > 0 {
		t.Errorf("with an empty plan it says %q", n.relay.Refused())
	}
}

// Without the right NET_ADMIN everything is as before, and the reason is said.
func TestRelay_WithoutTheRight(t *testing.T) {
	for name, err := range map[string]error{
		"NET_ADMIN": fmt.Errorf("list: %w", unix.EPERM), "no nf_tables": unix.EPROTONOSUPPORT, "nft_dup": errors.Join(unix.ENOENT),
	} {
		if why := whyRefused(err); !strings.Contains(why, name) {
			t.Errorf("%v is explained by %q", err, why)
		}
	}
}

func TestConnection_IsOpen(t *testing.T) {
	const established = 3
	for name, row := range map[string]struct {
		c    connection
		open bool
	}{
		"a pod serves it":                     {connection{protocol: unix.IPPROTO_TCP, status: statusDstNAT, state: established}, true},
		"no pod does":                         {connection{protocol: unix.IPPROTO_TCP, state: established}, false},
		"it is UDP":                           {connection{protocol: unix.IPPROTO_UDP, status: statusDstNAT, state: established}, false},
		"the pod has not answered":            {connection{protocol: unix.IPPROTO_TCP, status: statusDstNAT, state: firstOpen - 1}, false},
		"both sides have nothing more to say": {connection{protocol: unix.IPPROTO_TCP, status: statusDstNAT, state: lastOpen + 1}, false},
	} {
		if got := row.c.open(); got != row.open {
			t.Errorf("%s: open is %v", name, got)
		}
	}
}
