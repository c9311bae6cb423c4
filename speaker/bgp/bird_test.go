package bgp

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/daymark-lb/daymark/internal/core/announce"
	"github.com/daymark-lb/daymark/internal/core/lb"
	"github.com/daymark-lb/daymark/internal/netnstest"
)

// bird is BIRD 2 at the other end of a cable.
type bird struct {
	*netnstest.BIRD
	t *testing.T
}

// startBIRD runs BIRD as AS 64513. It waits at one address for a neighbor of AS 64512 at another. options are further
// options of the protocol; those that concern the next hop go into the channel "ipv4 {".
func startBIRD(t *testing.T, c *cable, at, neighbor netip.Addr, options string) *bird {
	t.Helper()
	channel := ""
	if strings.Contains(options, "next hop") {
		channel, options = options, ""
	}
	return &bird{t: t, BIRD: netnstest.StartBIRD(t, c.Other, fmt.Sprintf(`router id %s;
protocol device {}
protocol bgp node {
	local %s as 64513;
	neighbor %s as 64512;
	passive;
	%s
	ipv4 { import all; export none; %s };
	ipv6 { import all; export none; };
}
`, c.Theirs, at, neighbor, options, channel))}
}

// has waits until BIRD's description of a route contains all the words.
func (b *bird) has(prefix string, words ...string) {
	b.t.Helper()
	netnstest.Eventually(b.t, "BIRD has "+prefix, func() error {
		output, err := b.Ask("show route for " + prefix + " all")
		if err != nil {
			return err
		}
		for _, word := range append(words, netip.MustParsePrefix(prefix).String()) {
			if !strings.Contains(output, word) {
				return fmt.Errorf("no %q in %s", word, output)
			}
		}
		return nil
	})
}

// lacks waits until there is no route.
func (b *bird) lacks(prefix string) {
	b.t.Helper()
	netnstest.Eventually(b.t, "BIRD has no "+prefix, func() error {
		output, _ := b.Ask("show route for " + prefix + " all")
		if strings.Contains(output, "BGP.as_path") {
			return fmt.Errorf("it has %s", output)
		}
		return nil
	})
}

func TestBIRD_SeesAttributesAsGiven(t *testing.T) {
	t.Parallel()
	c := newCable(t)
	router := startBIRD(t, c, c.Theirs, c.Ours, "")
	attributes := &announce.Attributes{
		MED: ptr(uint32(42)), Prepend: 1,
		Communities: []lb.Community{
			community(t, "64512:100"), community(t, "64512:1:2"), community(t, "rt:64512:7"),
			community(t, "rt:4200000000:7"), community(t, "soo:192.0.2.1:9"), community(t, "bandwidth:64512:125000000"),
		},
	}
	start(t, c.session(nil, path("198.19.0.1/32", attributes), path("2001:db8:ffff::1/128", attributes)))
	seen := []string{
		"BGP.as_path: 64512 64512", "BGP.med: 42", "BGP.community: (64512,100)", "BGP.large_community: (64512, 1, 2)",
		"BGP.ext_community: (rt, 64512, 7) (rt, 4200000000, 7) (ro, 192.0.2.1, 9)",
	}
	router.has("198.19.0.1/32", append(seen, "BGP.next_hop: "+c.Ours.String())...)
	router.has("2001:db8:ffff::1/128", append(seen, "BGP.next_hop: "+c.Ours6.String())...)
}
