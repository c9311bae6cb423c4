// Command gobgp is the lab's router for machines that have neither FRR nor BIRD: it takes BGP sessions from the nodes it
// is told of, puts what it learns into the kernel of the namespace it runs in with a next hop for every node that
// offers as good a path, and answers two questions about itself on a Unix socket.
//
// It refuses to be a router for anything else: no policy, no announcements of its own, no BFD, no more than a few thousand
// routes, because it looks at all of them fifty times a second instead of waiting for callbacks.
package main

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/osrg/gobgp/v4/api"
	"github.com/osrg/gobgp/v4/pkg/server"
)

type settings struct {
	asn, peerASN             uint
	address, nodes, password string
	hold                     time.Duration
	socket                   string
	v6                       bool
}

func main() {
	var s settings
	flag.UintVar(&s.asn, "asn", 0, "own AS number")
	flag.UintVar(&s.peerASN, "peer-asn", 0, "AS number of the nodes")
	flag.StringVar(&s.address, "address", "", "own address and router id")
	flag.StringVar(&s.nodes, "nodes", "", "addresses of the nodes, by commas")
	flag.StringVar(&s.password, "password", "", "password of the TCP MD5 signature")
	flag.DurationVar(&s.hold, "hold", 9*time.Second, "hold time")
	flag.StringVar(&s.socket, "socket", "", "Unix socket to answer /neighbors and /routes on")
	flag.BoolVar(&s.v6, "v6", false, "IPv6 unicast as well")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	if err := run(ctx, s); err != nil {
		fmt.Fprintln(os.Stderr, "gobgp:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, s settings) error {
	level := new(slog.LevelVar)
	level.Set(slog.LevelWarn)
	bgp := server.NewBgpServer(server.LoggerOption(slog.New(slog.NewTextHandler(os.Stdout, nil)), level))
	go bgp.Serve()
	defer bgp.Stop()
	if err := open(ctx, bgp, s); err != nil {
		return err
	}
	kernel, err := newKernel()
	if err != nil {
		return err
	}
	answers, err := answer(ctx, bgp, s.socket)
	if err != nil {
		return err
	}
	defer func() { _ = answers.Close() }()
	for tick := time.NewTicker(20 * time.Millisecond); ; {
		select {
		case <-ctx.Done():
			return kernel.set(nil)
		case <-tick.C:
		}
		wanted, err := learned(bgp)
		if err == nil {
			err = kernel.set(wanted)
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, "gobgp:", err) // the next look tries again
		}
	}
}

// open starts BGP and waits for the nodes, which all may call and are never called.
func open(ctx context.Context, bgp *server.BgpServer, s settings) error {
	global := &api.Global{Asn: uint32(s.asn), RouterId: s.address, ListenPort: 179, ListenAddresses: []string{s.address}}
	if err := bgp.StartBgp(ctx, &api.StartBgpRequest{Global: global}); err != nil {
		return fmt.Errorf("start BGP: %w", err)
	}
	families := []*api.AfiSafi{unicast(api.Family_AFI_IP)}
	if s.v6 {
		families = append(families, unicast(api.Family_AFI_IP6))
	}
	for node := range strings.SplitSeq(s.nodes, ",") {
		peer := &api.Peer{
			Conf:      &api.PeerConf{NeighborAddress: node, PeerAsn: uint32(s.peerASN), AuthPassword: s.password},
			Transport: &api.Transport{PassiveMode: true},
			Timers: &api.Timers{Config: &api.TimersConfig{
				HoldTime: uint64(s.hold.Seconds()), KeepaliveInterval: uint64(s.hold.Seconds()) / 3,
				IdleHoldTimeAfterReset: 1,
			}},
			AfiSafis: families,
		}
		if err := bgp.AddPeer(ctx, &api.AddPeerRequest{Peer: peer}); err != nil {
			return fmt.Errorf("expect %s: %w", node, err)
		}
	}
	return nil
}

func unicast(afi api.Family_Afi) *api.AfiSafi {
	return &api.AfiSafi{Config: &api.AfiSafiConfig{Family: &api.Family{Afi: afi, Safi: api.Family_SAFI_UNICAST}, Enabled: true}}
}
