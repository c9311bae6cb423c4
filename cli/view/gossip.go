package view

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/daymark-lb/daymark/internal/core/lb"
)

// defaultGossipPort is the one that the reasons' remedies name.
const defaultGossipPort = "7477"

// GossipPort is where the speakers that are there listen for each other, as they report it: usually one port, and while it is being
// changed two, as "7477 and 7956". Where no speaker says it, it is that of the DaemonSet's flag, or the default.
func (c *Cluster) GossipPort() string {
	var ports []uint16
	for _, s := range c.speakers {
		at, err := netip.ParseAddrPort(s.Status.GossipAddress)
		if err == nil && !lb.SpeakerGone(s) && !slices.Contains(ports, at.Port()) {
			ports = append(ports, at.Port())
		}
	}
	if len(ports) == 0 {
		return c.gossipPortOfFlag()
	}
	slices.Sort(ports)
	var texts []string
	for _, port := range ports {
		texts = append(texts, strconv.Itoa(int(port)))
	}
	return strings.Join(texts, " and ")
}

// gossipPortOfFlag is the port that speakers are started with.
func (c *Cluster) gossipPortOfFlag() string {
	if set := c.SpeakerSet(); set != nil {
		args, _ := argsOf(&set.Spec.Template.Spec, speakerContainer)
		text := parse(args)["gossip-bind-address"]
		if port := text[strings.LastIndex(text, ":")+1:]; port != "" && port != "0" {
			return port
		}
	}
	return defaultGossipPort
}

// withGossipPort is a remedy that names the port that is set, and not the default.
func (c *Cluster) withGossipPort(remedy string) string {
	const named = "port " + defaultGossipPort
	if !strings.Contains(remedy, named) {
		return remedy
	}
	return strings.ReplaceAll(remedy, named, "port "+c.GossipPort())
}
