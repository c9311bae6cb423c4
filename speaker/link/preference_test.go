package link

import (
	"net"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/mdlayher/ndp"

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
