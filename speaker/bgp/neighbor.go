package bgp

import (
	"time"

	"github.com/osrg/gobgp/v4/api"
	"github.com/osrg/gobgp/v4/pkg/packet/bgp"

	"github.com/daymark-lb/daymark/internal/lb"
)

// deferral is how long a new peer waits for the router's End-of-RIB before it sends its paths, in seconds. RFC 4724
// section 4.1 wants a restarting speaker to wait so that it selects among all routes; we learn none and lose nothing
// by the shortest there is.
const deferral = 1

// global are the parameters of the GoBGP server for a session.
func (s *settings) global() *api.Global {
	g := &api.Global{Asn: s.myASN, RouterId: s.routerID.String(), ListenPort: -1}
	// GoBGP numbers families here in an order of its own, and makes tables for all it knows unless told which.
	if s.ipv4 {
		g.Families = append(g.Families, 0)
	}
	if s.ipv6 {
		g.Families = append(g.Families, 1)
	}
	return g
}

// neighbor is the router as GoBGP wants it described. Times have the protocol's resolution of one second.
func (s *settings) neighbor() *api.Peer {
	peer := &api.Peer{
		Conf: &api.PeerConf{
			NeighborAddress: s.address.String(), PeerAsn: s.expectedASN(), LocalAsn: s.asn(), AuthPassword: s.password,
		},
		Timers: &api.Timers{Config: &api.TimersConfig{
			HoldTime: uint64(seconds(s.hold)), KeepaliveInterval: uint64(seconds(s.keepalive)),
			ConnectRetry:           uint64(seconds(s.connect)),
			IdleHoldTimeAfterReset: 1,
		}},
		Transport:    &api.Transport{RemotePort: uint32(s.port), BindInterface: s.vrf},
		EbgpMultihop: &api.EbgpMultihop{Enabled: s.multiHop && !s.internal(), MultihopTtl: 255},
		TtlSecurity:  &api.TtlSecurity{Enabled: s.ttlSecurity, TtlMin: 255},
	}
	if s.source.IsValid() {
		peer.Transport.LocalAddress = s.source.String()
	}
	if s.restart > 0 {
		// LocalRestarting sets the R and F bits of RFC 4724: the F bit says that forwarding went on, without which the
		// router would drop our routes as soon as the session is back.
		peer.GracefulRestart = &api.GracefulRestart{
			Enabled: true, RestartTime: seconds(s.restart), DeferralTime: deferral,
			NotificationEnabled: true, LocalRestarting: true,
		}
	}
	for _, family := range []lb.Family{lb.IPv4, lb.IPv6} {
		if s.has(family) {
			peer.AfiSafis = append(peer.AfiSafis, &api.AfiSafi{
				Config:            &api.AfiSafiConfig{Family: apiFamily(family), Enabled: true},
				MpGracefulRestart: &api.MpGracefulRestart{Config: &api.MpGracefulRestartConfig{Enabled: s.restart > 0}},
			})
		}
	}
	return peer
}

// seconds is how the protocol counts time. The schema keeps all times within 16 bits.
func seconds(d time.Duration) uint32 { return uint32(max(0, d/time.Second)) } //nolint:gosec // See above.

func apiFamily(family lb.Family) *api.Family {
	afi := api.Family_AFI_IP
	if family == lb.IPv6 {
		afi = api.Family_AFI_IP6
	}
	return &api.Family{Afi: afi, Safi: api.Family_SAFI_UNICAST}
}

func wireFamily(family lb.Family) bgp.Family {
	if family == lb.IPv6 {
		return bgp.RF_IPv6_UC
	}
	return bgp.RF_IPv4_UC
}
