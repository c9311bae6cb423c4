package bgp

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"net/netip"
	"sync/atomic"
	"testing"
	"time"

	"github.com/osrg/gobgp/v4/api"
	"github.com/osrg/gobgp/v4/pkg/apiutil"
	"github.com/osrg/gobgp/v4/pkg/packet/bgp"

	"github.com/daymark-lb/daymark/internal/lb"
	"github.com/daymark-lb/daymark/speaker/announce"
)

// hosts are handed out one by one: addresses on the loopback, from 198.19.128.1 on, for routers that
// run in the test process.
var hosts atomic.Int32

func newHost(t *testing.T) netip.Addr {
	t.Helper()
	n := hosts.Add(1)
	addr := netip.AddrFrom4([4]byte{198, 19, 128 + byte(n>>8), byte(n)})
	give(t, "lo", addr, 32)
	return addr
}

// local makes a session with a router of this process, from an address of its own.
func local(t *testing.T, name string, router netip.Addr, change func(*announce.Session)) announce.Session {
	t.Helper()
	ours := newHost(t)
	s := announce.Session{
		Name: name, Peer: name, MyASN: 64512, PeerASN: 64513, Address: router, Source: ours, RouterID: ours, NextHop4: ours,
		HoldTime: 9 * time.Second, ConnectTime: 2 * time.Second, Families: []lb.Family{lb.IPv4},
	}
	if change != nil {
		change(&s)
	}
	return s
}

// router is a GoBGP server that waits for the sessions given and keeps what it is sent.
type router struct {
	t      *testing.T
	server *bgpServer
}

func startRouter(t *testing.T, sessions ...announce.Session) *router {
	t.Helper()
	r := &router{t: t, server: newServer(slog.DiscardHandler)}
	at := sessions[0].Address.String()
	global := &api.Global{Asn: 64513, RouterId: at, ListenPort: 179, ListenAddresses: []string{at}}
	if err := r.server.start(t.Context(), global); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.server.stop(context.Background(), false) })
	for _, s := range sessions {
		peer := &api.Peer{
			Conf:      &api.PeerConf{NeighborAddress: s.Source.String(), PeerAsn: s.MyASN},
			Transport: &api.Transport{PassiveMode: true},
		}
		if err := r.server.AddPeer(t.Context(), &api.AddPeerRequest{Peer: peer}); err != nil {
			t.Fatal(err)
		}
	}
	return r
}

// table maps the prefixes the router has to their MED.
func (r *router) table() map[string]uint32 {
	table := map[string]uint32{}
	all := apiutil.ListPathRequest{TableType: api.TableType_TABLE_TYPE_GLOBAL}
	listPaths(r.t, r.server, all, func(prefix bgp.NLRI, paths []*apiutil.Path) {
		for _, attribute := range paths[0].Attrs {
			if med, ok := attribute.(*bgp.PathAttributeMultiExitDisc); ok {
				table[prefix.String()] = med.Value
			}
		}
	})
	return table
}

// holds waits until the router has just the paths given.
func (r *router) holds(paths []announce.Path) {
	r.t.Helper()
	want := map[string]uint32{}
	for _, p := range paths {
		want[p.Prefix.String()] = *p.Attributes.MED
	}
	eventually(r.t, "the router has what was asked for", func() error {
		if has := r.table(); !maps.Equal(has, want) {
			return fmt.Errorf("it has %v, not %v", has, want)
		}
		return nil
	})
}

// listPaths reads a table for IPv4. GoBGP does so without its lock.
func listPaths(t *testing.T, server *bgpServer, request apiutil.ListPathRequest, each func(bgp.NLRI, []*apiutil.Path)) {
	t.Helper()
	fence.Lock()
	defer fence.Unlock()
	request.Family = bgp.RF_IPv4_UC
	if err := server.ListPath(request, each); err != nil {
		t.Fatal(err)
	}
}
