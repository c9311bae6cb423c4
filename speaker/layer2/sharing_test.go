package layer2

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/daymark-lb/daymark/internal/core/announce"
	"github.com/daymark-lb/daymark/internal/core/shares"
	"github.com/daymark-lb/daymark/internal/netnstest"
)

// lan is a switch with nodes and clients at its ports. The switch is in the tests' own namespace.
type lan struct {
	nodes   map[string]*lanNode
	clients []*segment
}

// lanNode is a node with a Responder.
type lanNode struct {
	*segment

	name string
	*Responder
}

// newLAN connects nodes and clients, which have the addresses 192.0.2.100 and 2001:db8::100, and so on.
func newLAN(t *testing.T, clients int, nodes ...string) *lan {
	t.Helper()
	bridge := &netlink.Bridge{LinkAttrs: netlink.LinkAttrs{Name: "br0"}}
	if err := errors.Join(netlink.LinkAdd(bridge), netlink.LinkSetUp(bridge)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = netlink.LinkDel(bridge) })
	port := func(name string) *segment {
		s := &segment{near: name, far: "eth0", host: netnstest.New(t)}
		netnstest.Veth(t, s.near, s.host, s.far)
		ip(t, "link set "+name+" master br0")
		return s
	}
	l := &lan{nodes: map[string]*lanNode{}}
	for _, name := range nodes {
		l.nodes[name] = &lanNode{port(name), name, begin(t, Config{})}
	}
	for i := range clients {
		s := port(fmt.Sprintf("client%d", i))
		s.host.Run(t, "ip", "addr", "add", fmt.Sprintf("192.0.2.%d/24", 100+i), "dev", "eth0")
		s.host.Run(t, "ip", "addr", "add", fmt.Sprintf("2001:db8::%d/64", 100+i), "dev", "eth0", "nodad")
		s.host.Do(t, func() { netnstest.AwaitCarrier(t, "eth0") })
		l.clients = append(l.clients, s)
	}
	for _, n := range l.nodes {
		var others []announce.NodeMAC
		for _, other := range l.nodes {
			if other != n {
				others = append(others, announce.NodeMAC{MAC: other.hardware(t).String(), Node: other.name, Interface: "eth0"})
			}
		}
		n.UpdateClusterMACs(others)
	}
	return l
}

// hardware returns the MAC address of a node.
func (n *lanNode) hardware(t *testing.T) (m mac) {
	t.Helper()
	n.host.Do(t, func() { m = (&segment{near: "eth0"}).mac(t) })
	return m
}

// set makes a node answer for addresses, each shared as a table says; without one it answers all, and others may share it.
func (l *lan) set(t *testing.T, node string, table shares.Table, own shares.Set, holder bool, addresses ...netip.Addr) {
	t.Helper()
	n := l.nodes[node]
	sharing := &announce.Sharing{Table: table, Own: own, Holder: holder}
	for _, name := range table.Servers() {
		if other := l.nodes[name]; other != nil && name != node {
			paths := []announce.Layer2Path{{Interface: "eth0", MAC: other.hardware(t).String()}}
			sharing.Servers = append(sharing.Servers, announce.Layer2Server{Node: name, Paths: paths})
		}
	}
	want := on([]string{"eth0"}, addresses...)
	for i := range want {
		want[i].Sharing = sharing
	}
	n.host.Do(t, func() {
		if err := n.Set(t.Context(), want); err != nil {
			t.Error(err)
		}
	})
}

// share makes nodes share addresses by a table; the first one is the holder.
func (l *lan) share(t *testing.T, table shares.Table, holder string, addresses ...netip.Addr) {
	t.Helper()
	for _, name := range table.Servers() {
		l.set(t, name, table, table.Of(name), name == holder, addresses...)
	}
}

// own returns a client's own address of the family of another.
func own(i int, like netip.Addr) netip.Addr {
	if like.Is4() {
		return netip.AddrFrom4([4]byte{192, 0, 2, byte(100 + i)})
	}
	return netip.MustParseAddr(fmt.Sprintf("2001:db8::%d", 100+i))
}

// wantEntries waits until each client has learned, without asking, that each address is at the node that serves it.
func (l *lan) wantEntries(t *testing.T, what string, server func(client netip.Addr) string, addresses ...netip.Addr) {
	t.Helper()
	for _, addr := range addresses {
		for i, c := range l.clients {
			want := l.nodes[server(own(i, addr))]
			netnstest.Eventually(t, fmt.Sprintf("%s: client %d has %v at %s", what, i, addr, want.name), func() error {
				var n *netlink.Neigh
				c.host.Do(t, func() { n = c.neighbor(t, addr) })
				if n == nil || mac(n.HardwareAddr) != want.hardware(t) {
					return fmt.Errorf("it has %v", n)
				}
				return nil
			})
		}
	}
}

// resolve makes all clients ask for addresses, and checks who answers.
func (l *lan) resolve(t *testing.T, server func(client netip.Addr) string, addresses ...netip.Addr) {
	t.Helper()
	for _, c := range l.clients {
		c.answers(t, addresses...)
	}
	l.wantEntries(t, "asked", server, addresses...)
}

func always(node string) func(netip.Addr) string { return func(netip.Addr) string { return node } }

// TestSharing_EachClientIsAnsweredByItsServer and nothing is broadcast. Only the holder answers who asks whether the address is in use.
func TestSharing_EachClientIsAnsweredByItsServer(t *testing.T) {
	l := newLAN(t, 4, "n1", "n2")
	table := shares.Divide(shares.Table{}, []string{"n1", "n2"})
	if len(serversOf(table, l)) != 2 {
		t.Fatal("the clients are all of one server")
	}
	c := l.clients[0]
	arps, ndps := c.listen(t, unix.ETH_P_ARP), c.listen(t, unix.ETH_P_IPV6)
	l.share(t, table, "n1", vip4, vip6)
	l.resolve(t, table.Server, vip4, vip6)

	n1, n2 := l.nodes["n1"].hardware(t), l.nodes["n2"].hardware(t)
	send(t, arps, request(broadcast, netip.IPv4Unspecified(), vip4))
	send(t, ndps, probeNDP(client, vip6))
	receive(t, arps, "the holder's answer to a probe", func(frame []byte) bool {
		switch p, ok := parseARP(frame); {
		case !ok || !p.reply && p.sender != vip4:
			return false
		case p.to == broadcast || p.senderMAC == n2 && p.to == client:
			t.Fatalf("it is announced, or answered by the wrong node: %x", frame)
		case p.senderMAC == n1 && p.to == client:
			return true
		}
		return false
	})
	receive(t, ndps, "the holder's advertisement to a probe", func(frame []byte) bool {
		p, ok := parseIPv6(frame)
		if !ok || len(p.icmp) == 0 || p.icmp[0] != typeAdvertisement || !p.destination.IsMulticast() {
			return false
		}
		if p.from != n1 {
			t.Fatalf("advertised to all: %x", frame)
		}
		return true
	})
	for _, n := range l.nodes {
		if sent := testutil.ToFloat64(n.metrics.ipv4.gratuitous) + testutil.ToFloat64(n.metrics.ipv6.gratuitous); sent > 0 {
			t.Errorf("%s has announced a shared address to all", n.name)
		}
		if rivals, conflicts := n.Rivals(), n.Conflicts(); len(rivals) > 0 || len(conflicts) > 0 {
			t.Errorf("%s: rivals %v, conflicts %v", n.name, rivals, conflicts)
		}
		if held := n.Held(); len(held) != 2 || held[0].Shares != table.Of(n.name) {
			t.Errorf("%s holds %v", n.name, held)
		}
	}
}

// serversOf returns the servers that the clients of a LAN have.
func serversOf(table shares.Table, l *lan) []string {
	var servers []string
	for i := range l.clients {
		servers = append(servers, table.Server(own(i, vip4)))
	}
	slices.Sort(servers)
	return slices.Compact(servers)
}

// TestSharing_HeirTellsTheClientsOfTheDead: those that it has only heard, and nobody else.
func TestSharing_HeirTellsTheClientsOfTheDead(t *testing.T) {
	l := newLAN(t, 4, "n1", "n2")
	table := shares.Divide(shares.Table{}, []string{"n1", "n2"})
	l.share(t, table, "n1", vip4, vip6)
	l.resolve(t, table.Server, vip4, vip6)
	l.set(t, "n1", shares.Table{}, 0, false)

	told := func(vip netip.Addr) int {
		return len(slices.DeleteFunc([]int{0, 1, 2, 3}, func(i int) bool { return table.Server(own(i, vip)) == "n2" }))
	}
	l.set(t, "n2", table, shares.All, false, vip4, vip6)
	l.wantEntries(t, "the server died", always("n2"), vip4, vip6)
	netnstest.Eventually(t, "each is told as often as it should be", func() error {
		v4, v6 := testutil.ToFloat64(l.nodes["n2"].metrics.ipv4.updates), testutil.ToFloat64(l.nodes["n2"].metrics.ipv6.updates)
		if int(v4) != 3*told(vip4) || int(v6) != 2*told(vip6) {
			return fmt.Errorf("%d and %d clients were told by %v and %v frames", told(vip4), told(vip6), v4, v6)
		}
		return nil
	})
}

// TestSharing_ANewServerIsToldOfClients that had the address from the only node before; then it can take that one's place.
func TestSharing_ANewServerIsToldOfClients(t *testing.T) {
	l := newLAN(t, 4, "n1", "n2")
	l.set(t, "n1", shares.Table{}, 0, true, vip4, vip6)
	l.resolve(t, always("n1"), vip4, vip6)

	table := shares.Divide(shares.Table{}, []string{"n1", "n2"})
	l.share(t, table, "n1", vip4, vip6)
	l.wantEntries(t, "a server joined", table.Server, vip4, vip6)
	netnstest.Eventually(t, "the new server knows all clients", func() error {
		if v4, v6 := len(l.nodes["n2"].crowds.clients(vip4)), len(l.nodes["n2"].crowds.clients(vip6)); v4 != 4 || v6 < 4 {
			return fmt.Errorf("it knows %d and %d", v4, v6)
		}
		return nil
	})
	l.set(t, "n1", shares.Table{}, 0, false)
	l.set(t, "n2", shares.Table{}, 0, true, vip4, vip6)
	l.wantEntries(t, "the only one left tells all", always("n2"), vip4, vip6)
}

// TestSharing_ClientsConfirmTheirServer: the kernel asks the node that it knows alone, and by IPv6 from its link-local address,
// which is in another share.
func TestSharing_ClientsConfirmTheirServer(t *testing.T) {
	l := newLAN(t, 2, "n1", "n2")
	table := shares.Divide(shares.Table{}, []string{"n1", "n2"})
	l.share(t, table, "n1", vip4, vip6)
	for i, c := range l.clients {
		last := own(i, vip6).As16()
		last[0], last[1], last[2], last[3] = 0xfe, 0x80, 0, 0
		last[15]++ // The neighbouring share, which is another server's.
		local := netip.AddrFrom16(last)
		if table.Server(local) == table.Server(own(i, vip6)) {
			t.Fatalf("%v and %v have one server", local, own(i, vip6))
		}
		c.host.Run(t, "ip", "-6", "addr", "flush", "dev", "eth0", "scope", "link")
		c.host.Run(t, "ip", "addr", "add", local.String()+"/64", "dev", "eth0", "nodad")
		c.answers(t, vip4, vip6)
	}
	l.wantEntries(t, "asked", table.Server, vip4, vip6)
	for i, c := range l.clients {
		for _, addr := range []netip.Addr{vip4, vip6} {
			server := l.nodes[table.Server(own(i, addr))]
			at := server.hardware(t)
			c.host.Do(t, func() {
				if err := netlink.NeighSet(&netlink.Neigh{
					LinkIndex: c.index(t), IP: addr.AsSlice(), HardwareAddr: at.slice(), State: unix.NUD_PROBE,
				}); err != nil {
					t.Error(err)
				}
			})
			netnstest.Eventually(t, fmt.Sprintf("client %d: %v is confirmed", i, addr), func() error {
				var n *netlink.Neigh
				c.host.Do(t, func() { n = c.neighbor(t, addr) })
				if n.State != unix.NUD_REACHABLE || mac(n.HardwareAddr) != at {
					return fmt.Errorf("its state is %#x: %v", n.State, n)
				}
				return nil
			})
		}
	}
}

// TestSharing_AForeignHostIsTold: the address is defended without a broadcast, each node tells its clients, and the holder reports it.
func TestSharing_AForeignHostIsTold(t *testing.T) {
	l := newLAN(t, 4, "n1", "n2")
	table := shares.Divide(shares.Table{}, []string{"n1", "n2"})
	l.share(t, table, "n1", vip4)
	for _, c := range l.clients {
		c.host.Sysctl(t, "ipv4/neigh/eth0/locktime", "0") // Else the kernel keeps an entry for a second, whatever comes.
	}
	l.resolve(t, table.Server, vip4)
	thief := l.clients[0].listen(t, unix.ETH_P_ARP)
	send(t, thief, with(request(broadcast, vip4, vip4), 22, client[:]...))
	receive(t, thief, "the holder's announcement to the host", equalTo(informARP(l.nodes["n1"].hardware(t), vip4, client)))
	for _, n := range l.nodes {
		n.announcer.mu.Lock()
		for _, updates := range n.announcer.updates {
			for of, schedule := range updates {
				if schedule.most != periodic {
					t.Errorf("%s makes announcements wait for %v", n.name, of)
				}
			}
		}
		n.announcer.mu.Unlock()
	}
	l.wantEntries(t, "defended", table.Server, vip4)
	if c := l.nodes["n1"].Conflicts(); len(c) != 1 || c[0].MAC != client.String() || !c[0].Announced {
		t.Errorf("the holder reports %v", c)
	}
	if c := l.nodes["n2"].Conflicts(); len(c) != 0 {
		t.Errorf("another server reports %v", c)
	}
}

// TestSharing_WhoIsServed asks by frames what the kernel does not ask.
func TestSharing_WhoIsServed(t *testing.T) {
	table := shares.Divide(shares.Table{}, []string{"n1", "n2"})
	mine, theirs := own(0, vip4), own(1, vip4)
	if table.Server(mine) == "n2" {
		mine, theirs = theirs, mine
	}
	none := netip.IPv4Unspecified()
	for _, test := range []struct {
		name   string
		holder bool
		asker  requester
		want   bool
		heard  int
	}{
		{"a client of ours asks all", false, requester{client: mine, mac: client, from: client}, true, 1},
		{"a client of another asks all, and is remembered", false, requester{client: theirs, mac: client, from: client}, false, 1},
		{"a client of ours asks us", false, requester{client: mine, mac: client, from: client, toUs: true}, true, 0},
		{"a client of another asks us", false, requester{client: theirs, mac: client, from: client, toUs: true}, false, 0},
		{"a host asks whether the address is in use", false, requester{client: none, mac: client, from: client}, false, 0},
		{"and we are the holder", true, requester{client: none, mac: client, from: client}, true, 0},
		{"a speaker asks whether we answer", false, requester{client: none, mac: proxy, from: proxy, toUs: true}, true, 0},
		{"a speaker asks by its own address", false, requester{client: theirs, mac: proxy, from: proxy, toUs: true}, true, 0},
		{"a node introduces a client of ours, which is told later", false, requester{client: mine, mac: client, from: proxy, toUs: true}, false, 1},
		{"a node introduces a client of another", false, requester{client: theirs, mac: client, from: proxy, toUs: true}, false, 1},
		{"a stranger introduces nobody", false, requester{client: theirs, mac: client, from: foreign, toUs: true}, false, 0},
	} {
		r := New(Config{})
		r.clusterMACs.Store(&map[mac]owner{proxy: {node: "n2"}})
		r.crowds.keep(map[netip.Addr]bool{vip4: true})
		v := &vip{}
		v.sharing.Store(&announce.Sharing{Table: table, Own: table.Of("n1"), Holder: test.holder})
		test.asker.of, test.asker.addr = v, vip4
		if got := r.serves("eth0", &test.asker); got != test.want {
			t.Errorf("%s: served %v", test.name, got)
		}
		if got := len(r.crowds.clients(vip4)); got != test.heard {
			t.Errorf("%s: %d are remembered", test.name, got)
		}
	}
}

// TestSharing_OnlyTheNodesOfTheTableAreNoRivals: another one that answers is.
func TestSharing_OnlyTheNodesOfTheTableAreNoRivals(t *testing.T) {
	l := newLAN(t, 1, "n1", "n2", "n3")
	table := shares.Divide(shares.Table{}, []string{"n1", "n2"})
	l.share(t, table, "n1", vip4)
	conn := l.clients[0].listen(t, unix.ETH_P_ARP)
	use := func(node string, target netip.Addr) {
		m := l.nodes[node].hardware(t)
		frame := with(request(broadcast, vip4, target), 22, m[:]...)
		copy(frame[6:12], m[:])
		send(t, conn, frame)
	}
	wantRivals := func(of string, want ...string) {
		t.Helper()
		netnstest.Eventually(t, fmt.Sprintf("the rivals of %s are %v", of, want), func() error {
			var got []string
			for _, rival := range l.nodes[of].Rivals() {
				if !rival.Held.IsZero() {
					got = append(got, rival.Node+" holds")
				} else {
					got = append(got, rival.Node)
				}
			}
			if !slices.Equal(got, want) {
				return fmt.Errorf("%v", got)
			}
			return nil
		})
	}
	use("n2", client4)
	use("n1", vip4) // The holder may announce it.
	use("n3", client4)
	wantRivals("n1", "n3")
	wantRivals("n2", "n3")
	use("n2", vip4) // As if it held the address.
	wantRivals("n1", "n2 holds", "n3")
}

// TestSharing_ARivalHearsTheHolderThatDefends: one that has taken the address over alone, because it hears nothing of the holder in the
// gossip.
func TestSharing_ARivalHearsTheHolderThatDefends(t *testing.T) {
	for _, addr := range []netip.Addr{vip4, vip6} {
		t.Run(addr.String(), func(t *testing.T) {
			l := newLAN(t, 1, "n1", "n2")
			table := shares.Divide(shares.Table{}, []string{"n1", "n2"})
			awaitHolder := func(of, rival string) {
				t.Helper()
				netnstest.Eventually(t, fmt.Sprintf("%s hears that %s holds %v", of, rival, addr), func() error {
					rivals := l.nodes[of].Rivals()
					if len(rivals) != 1 || rivals[0].Node != rival || rivals[0].Held.IsZero() || rivals[0].HeldSince.After(rivals[0].Held) {
						return fmt.Errorf("%+v", rivals)
					}
					return nil
				})
			}
			l.set(t, "n1", table, table.Of("n1"), true, addr)
			l.set(t, "n2", shares.Table{}, 0, true, addr)
			awaitHolder("n1", "n2")
			if rivals := l.nodes["n2"].Rivals(); len(rivals) != 0 {
				t.Errorf("n2 hears %+v", rivals)
			}
			l.nodes["n1"].Defend([]netip.Addr{addr})
			awaitHolder("n2", "n1")
		})
	}
}

// TestSharing_EndsWithAnAnnouncement: the node that is left answers all, and says so as it did before the address was shared.
func TestSharing_EndsWithAnAnnouncement(t *testing.T) {
	l := newLAN(t, 1, "n1", "n2")
	conn, n1 := l.clients[0].listen(t, unix.ETH_P_ARP), l.nodes["n1"].hardware(t)
	table := shares.Divide(shares.Table{}, []string{"n1", "n2"})
	l.set(t, "n1", shares.Table{}, 0, true, vip4)
	receive(t, conn, "the first announcement", equalTo(gratuitousARP(n1, vip4)[0]))
	l.set(t, "n1", table, table.Of("n1"), true, vip4)
	l.nodes["n1"].announcer.mu.Lock()
	for by := range l.nodes["n1"].announcer.schedules {
		if len(l.nodes["n1"].announcer.schedules[by]) > 0 {
			t.Error("a shared address is still announced")
		}
	}
	l.nodes["n1"].announcer.mu.Unlock()
	before := testutil.ToFloat64(l.nodes["n1"].metrics.ipv4.gratuitous)
	for _, s := range *l.nodes["n1"].live.Load() {
		s.announce(vip4, 0, true)
	}
	if testutil.ToFloat64(l.nodes["n1"].metrics.ipv4.gratuitous) != before {
		t.Error("a shared address was announced")
	}
	l.set(t, "n1", shares.Table{}, 0, true, vip4)
	receive(t, conn, "another announcement", equalTo(gratuitousARP(n1, vip4)[0]))
}

// TestFrames_OfSharing have the form that the RFCs demand.
func TestFrames_OfSharing(t *testing.T) {
	of4, of6 := neighbor{addr: client4, mac: client}, neighbor{addr: client6, mac: client}
	for i, frame := range append(updateARP(us, vip4, of4), introduceARP(us, vip4, of4, proxy)) {
		p, ok := parseARP(frame)
		want := []arpPacket{
			{to: client, from: us, reply: true, senderMAC: us, sender: vip4, target: client4},
			{to: client, from: us, senderMAC: us, sender: vip4, target: vip4},
			{to: proxy, from: us, senderMAC: client, sender: client4, target: vip4},
		}[i]
		if !ok || p != want {
			t.Errorf("ARP frame %d is %+v", i, p)
		}
	}
	update := updateNDP(us, vip6, of6)[0]
	p, _ := parseIPv6(update)
	if by, ok := validAdvertisement(p, client); !ok || by != us || p.to != client || p.destination != client6 || p.icmp[4] != 0x20 {
		t.Errorf("the advertisement to a client is not valid, or not with the override flag alone: %x", update)
	}
	inform := informNDP(us, vip6, client)
	if p, _ := parseIPv6(inform); p.to != client || p.destination != netip.IPv6LinkLocalAllNodes() || !p.checksumValid() {
		t.Errorf("the advertisement to a foreign host: %x", inform)
	}
	introduction := introduceNDP(us, vip6, of6, proxy)
	p, _ = parseIPv6(introduction)
	if to, ok := validSolicitation(p, proxy, vip6); !ok || to != client || p.from != us || p.source != client6 {
		t.Errorf("the introduction of a client: %x", introduction)
	}
	if bytes.Equal(update, inform) {
		t.Error("they must differ")
	}
}
