package main

import (
	"fmt"
	"regexp"
	"strconv"
	"time"
)

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

// measureGossip counts the bytes of the gossip that a node sends and receives: at rest, and while a rack of nodes fails. There is no
// failure where all nodes have a host.
func (c *cluster) measureGossip() {
	const rest, failing = 20 * time.Second, 20 * time.Second
	node := c.Nodes()[0]
	if _, err := node.Run(c.context(), fmt.Sprintf(counters, gossipPort), "nft", "-f", "-"); err != nil {
		c.T().Fatalf("count the gossip: %v", err)
	}
	count := func(d time.Duration) gossiped {
		before := c.gossiped()
		time.Sleep(d)
		return c.gossiped().since(before)
	}
	quiet := count(rest)
	c.note("gossip-sent", float64(quiet.sent)/rest.Seconds()/1e3)
	c.note("gossip-received", float64(quiet.received)/rest.Seconds()/1e3)
	if len(c.racks) == 0 {
		return
	}
	before, began := c.written(), time.Now()
	if err := c.racks[0].Freeze(); err != nil { // The last may have fewer nodes.
		c.T().Fatalf("%v", err)
	}
	failed := count(failing)
	c.note("rack-sent", float64(failed.sent)/failing.Seconds()/1e3)
	c.note("rack-received", float64(failed.received)/failing.Seconds()/1e3)
	_, sum := c.settle().since(before)
	c.note("rack-writes", float64(sum))
	c.T().Logf("a rack failed, and all was quiet after %s", time.Since(began).Round(time.Second))
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
