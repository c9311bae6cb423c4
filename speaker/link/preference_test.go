package link

import (
	"net"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/mdlayher/ndp"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/daymark-lb/daymark/internal/core/lb"
	"github.com/daymark-lb/daymark/internal/netnstest"
)

// advertiser is a router that sends router advertisements.
type advertiser struct {
	t    *testing.T
	conn *ndp.Conn
}

// newAdvertiser makes a router of a link-local address at the other end of a veth.
func newAdvertiser(t *testing.T, at *netnstest.Namespace, address string) *advertiser {
	t.Helper()
	at.Run(t, "ip", "addr", "add", address+"/64", "dev", "far0", "nodad")
	a := &advertiser{t: t}
	at.Do(t, func() {
		ifi, err := net.InterfaceByName("far0")
		if err == nil {
			a.conn, _, err = ndp.Listen(ifi, ndp.Addr(address))
		}
		if err != nil {
			t.Fatal(err)
		}
	})
	t.Cleanup(func() { _ = a.conn.Close() })
	return a
}

// advertise sends a router advertisement to all nodes.
func (a *advertiser) advertise(preference ndp.Preference) {
	a.t.Helper()
	message := &ndp.RouterAdvertisement{RouterSelectionPreference: preference, RouterLifetime: time.Hour}
	if err := a.conn.WriteTo(message, nil, netip.IPv6LinkLocalAllNodes()); err != nil {
		a.t.Fatal(err)
	}
}

// The default routes that the kernel makes of router advertisements all have the same metric.
func TestWatcher_GatewaysByRouterPreference(t *testing.T) {
	far := netnstest.New(t)
	netnstest.Veth(t, "gw0", far, "far0")
	ip(t, "addr add 2001:db8::7/64 dev gw0 nodad")
	ip(t, "addr add fe80::7/64 dev gw0 nodad")
	netnstest.AwaitCarrier(t, "gw0")
	w := start(t)
	var routers []*advertiser
	for i, preference := range []ndp.Preference{ndp.Low, ndp.Medium, ndp.High} {
		routers = append(routers, newAdvertiser(t, far, []string{"fe80::a", "fe80::b", "fe80::c"}[i]))
		routers[i].advertise(preference)
	}
	await(t, w, "the preferred router comes first", func([]lb.Link) error {
		return w.hasGateways(addresses("fe80::c%gw0", "fe80::b%gw0", "fe80::a%gw0"))
	})
	mustBackUp(t, w, false, true, true)

	ip(t, "-6 route del default via fe80::c dev gw0")
	await(t, w, "without it the one of medium preference does", func([]lb.Link) error {
		return w.hasGateways(addresses("fe80::b%gw0", "fe80::a%gw0"))
	})
	mustBackUp(t, w, false, true)

	routers[2].advertise(ndp.Medium)
	await(t, w, "two of the same preference are used alike", func([]lb.Link) error {
		return w.hasGateways(addresses("fe80::b%gw0", "fe80::c%gw0", "fe80::a%gw0"))
	})
	mustBackUp(t, w, false, false, true)

	ip(t, "-6 route add default via fe80::d dev gw0 metric 10")
	await(t, w, "a lower metric comes before any preference", func([]lb.Link) error {
		return w.hasGateways(addresses("fe80::d%gw0", "fe80::b%gw0", "fe80::c%gw0", "fe80::a%gw0"))
	})
	mustBackUp(t, w, false, true, true, true)
}

// mustBackUp fails unless just these gateways, in order, are backups.
func mustBackUp(t *testing.T, w *Watcher, want ...bool) {
	t.Helper()
	var got []bool
	gateways, _ := w.Gateways()
	for _, gateway := range gateways {
		got = append(got, gateway.Backup)
	}
	if !slices.Equal(got, want) {
		t.Errorf("backups are %v, want %v: %v", got, want, gateways)
	}
}

// A node may have a table of very many routes beside the default routes whose preferences are asked for.
func TestReadPreferences_KernelTellsOnlyWhatIsAskedFor(t *testing.T) {
	const many = 5000
	far := netnstest.New(t)
	netnstest.Veth(t, "gw0", far, "far0")
	ip(t, "addr add fe80::7/64 dev gw0 nodad")
	netnstest.AwaitCarrier(t, "gw0")
	w := start(t)
	newAdvertiser(t, far, "fe80::a").advertise(ndp.Low)
	newAdvertiser(t, far, "fe80::b").advertise(ndp.High)
	await(t, w, "both routers are known", func([]lb.Link) error { return w.hasGateways(addresses("fe80::b%gw0", "fe80::a%gw0")) })
	for i := range many {
		route := &netlink.Route{
			Dst: &net.IPNet{IP: net.IP{0x20, 1, 0xd, 0xb8, 1, 0, byte(i >> 8), byte(i), 15: 0}, Mask: net.CIDRMask(64, 128)},
			Gw:  net.ParseIP("fe80::a"), LinkIndex: linkIndex(t, "gw0"), Protocol: unix.RTPROT_BGP,
		}
		if err := netlink.RouteAdd(route); err != nil {
			t.Fatal(err)
		}
	}
	routes, err := readRoutes()
	if err != nil {
		t.Fatal(err)
	}
	questions := ambiguous(routes.defaults)
	if len(questions) != 1 {
		t.Fatalf("asked is %+v, want once for both", questions)
	}
	socket, err := openStrict()
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	told := 0
	for _, q := range questions {
		if err := q.ask(socket, func([]byte) { told++ }); err != nil {
			t.Error(err)
		}
	}
	if told != 2 {
		t.Errorf("the kernel told %d routes, want the 2 default ones of %d", told, many)
	}
	found, err := readPreferences(routes.defaults)
	if err != nil || len(found) != 2 {
		t.Errorf("preferences %v, error %v", found, err)
	}
}

func linkIndex(t *testing.T, name string) int {
	t.Helper()
	link, err := net.InterfaceByName(name)
	if err != nil {
		t.Fatal(err)
	}
	return link.Index
}
