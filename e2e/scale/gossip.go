package main

import (
	"fmt"
	"regexp"
	"strconv"
	"time"
)

// gossipPort is the default one.
const gossipPort = 7946

// counters count the bytes of the gossip that pass a node, with their IP headers, by datagram and by connection.
const counters = `table inet scale {}
delete table inet scale
table inet scale {
 counter received {}
 counter sent {}
 chain input {
  type filter hook input priority -310;
  meta l4proto { tcp, udp } th dport %[1]d counter name received
  meta l4proto tcp th sport %[1]d counter name received
 }
 chain output {
  type filter hook output priority -310;
  meta l4proto { tcp, udp } th dport %[1]d counter name sent
  meta l4proto tcp th sport %[1]d counter name sent
 }
}
`

// measureGossip counts the bytes of the gossip that a node sends and receives at rest.
func (c *cluster) measureGossip() {
	const rest = 20 * time.Second
	if _, err := c.Nodes()[0].Run(c.context(), fmt.Sprintf(counters, gossipPort), "nft", "-f", "-"); err != nil {
		c.T().Fatalf("count the gossip: %v", err)
	}
	before := c.gossiped()
	time.Sleep(rest)
	quiet := c.gossiped().since(before)
	c.note("gossip-sent", float64(quiet.sent)/rest.Seconds()/1e3)
	c.note("gossip-received", float64(quiet.received)/rest.Seconds()/1e3)
}

// gossiped are bytes.
type gossiped struct{ sent, received int }

func (g gossiped) since(before gossiped) gossiped {
	return gossiped{g.sent - before.sent, g.received - before.received}
}

var counted = regexp.MustCompile(`counter (\w+) \{\s*packets \d+ bytes (\d+)`)

// parseGossiped reads what nft says of the counters.
func parseGossiped(text string) (gossiped, error) {
	by := map[string]int{}
	for _, found := range counted.FindAllStringSubmatch(text, -1) {
		bytes, err := strconv.Atoi(found[2])
		if err != nil {
			return gossiped{}, fmt.Errorf("read a counter: %w", err)
		}
		by[found[1]] = bytes
	}
	if len(by) != 2 {
		return gossiped{}, fmt.Errorf("read the counters: %q", text)
	}
	return gossiped{by["sent"], by["received"]}, nil
}

func (c *cluster) gossiped() gossiped {
	text, err := c.Nodes()[0].Run(c.context(), "", "nft", "list", "counters", "table", "inet", "scale")
	if err != nil {
		c.T().Fatalf("read the counters: %v", err)
	}
	g, err := parseGossiped(text)
	if err != nil {
		c.T().Fatalf("%v", err)
	}
	return g
}
