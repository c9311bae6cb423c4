package main

import (
	"errors"
	"fmt"
	"net/netip"
	"os"

	"github.com/spf13/pflag"

	"github.com/daymark-lb/daymark/speaker/health"
	"github.com/daymark-lb/daymark/speaker/reconcile"
)

// gossipPort that speakers listen on when nothing else is said.
const gossipPort = 7946

// flags that only the speaker has, as given and as read.
type flags struct {
	node            string
	gossip          reconcile.Bind
	gossipText      string
	healthPorts     health.Mode
	healthPortsText string
}

func (f *flags) add(set *pflag.FlagSet) {
	set.StringVar(&f.node, "node-name", os.Getenv("NODE_NAME"), "name of this node (default: $NODE_NAME)")
	set.StringVar(&f.gossipText, "gossip-bind-address", "", "address:port for the gossip between speakers, 0 for none (default: the node's InternalIP, port 7946)")
	set.StringVar(&f.healthPortsText, "health-check-node-ports", string(health.Auto), "serve healthCheckNodePort of Services: auto (where no service proxy does), on, off")
}

// check reads what is not one word.
func (f *flags) check() error {
	if f.node == "" {
		return errors.New("--node-name is missing, and NODE_NAME is not set")
	}
	switch f.healthPorts = health.Mode(f.healthPortsText); f.healthPorts {
	case health.Auto, health.On, health.Off:
	default:
		return fmt.Errorf("--health-check-node-ports must be auto, on or off, not %q", f.healthPortsText)
	}
	var err error
	f.gossip, err = parseBind(f.gossipText)
	return err
}

func parseBind(text string) (reconcile.Bind, error) {
	switch text {
	case "":
		return reconcile.Bind{Port: gossipPort}, nil
	case "0":
		return reconcile.Bind{Off: true}, nil
	}
	address, err := netip.ParseAddrPort(text)
	switch {
	case err == nil && address.Addr().IsUnspecified():
		return reconcile.Bind{}, fmt.Errorf("--gossip-bind-address %s: the other speakers need an address of this node to reach", text)
	case err == nil && address.Port() != 0:
		return reconcile.Bind{Address: address.Addr().Unmap(), Port: address.Port()}, nil
	}
	return reconcile.Bind{}, fmt.Errorf("--gossip-bind-address must be address:port or 0, not %q", text)
}
