package main

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/daymark-lb/daymark/e2e/lab"
)

const (
	// steady is how long each address must have had one holder.
	steady = 3 * time.Second
	// evenAfter is for how long addresses may be spread unevenly. The default of a minute would make each step as long.
	evenAfter = 3 * time.Second
	// quietWithin is how long all may take to be as it should be once a fault is over: addresses are evened out one each second.
	quietWithin = 45 * time.Second
)

// awaitQuiet waits until all is as it should be.
func (s *soak) awaitQuiet(c *lab.Cluster, within time.Duration) {
	began := time.Now()
	lab.Eventually(c.T(), within, "all is quiet", func() error {
		s.startAgain(c)
		if time.Since(began) < steady {
			return errors.New("it has not been asked for long enough")
		}
		for _, not := range []func() error{s.heldSteadily, func() error { return s.routed(c) }, func() error { return s.known(c) }} {
			if err := not(); err != nil {
				return err
			}
		}
		return nil
	})
}

// startAgain starts what has ended by itself, as a kubelet does it, and notes its names.
func (s *soak) startAgain(c *lab.Cluster) {
	programs := []lab.Daemon{c.Controller()}
	for _, n := range c.Nodes() {
		programs = append(programs, n.Speaker(), n.Proxy())
	}
	for _, p := range programs {
		if !p.Running() {
			s.ended = append(s.ended, p.Name)
			p.Start()
		}
	}
}

// holders are the nodes that alone have answered for each address for the last time.
func (s *soak) holders(last time.Duration) map[netip.Addr]string {
	return s.observer.since(time.Now().Add(-last)).Holders(nodes)
}

// heldSteadily: each address has had one holder for a while, and no node has two more than another.
func (s *soak) heldSteadily() error {
	holders, counts := s.holders(steady), map[string]int{}
	for _, address := range s.byLayer2() {
		if holders[address] == "" {
			return fmt.Errorf("%s has no holder that it keeps", address)
		}
		counts[holders[address]]++
	}
	for _, name := range nodes {
		for _, other := range nodes {
			if counts[name] > counts[other]+1 {
				return fmt.Errorf("the nodes hold %v", counts)
			}
		}
	}
	return nil
}

// routed: of each address by BGP all nodes have told the router, by what was on the wire, and its kernel sends there.
func (s *soak) routed(c *lab.Cluster) error {
	for _, address := range s.byBGP() {
		if told := s.observer.telling(c, address); !slices.Equal(told, nodes) {
			return fmt.Errorf("%s has been told to the router by %v", address, told)
		}
		if hops := c.Router().NextHopNodes(address.String()); !slices.Equal(hops, nodes) {
			return fmt.Errorf("the router sends %s to %v", address, hops)
		}
	}
	for name, state := range c.Router().Sessions() {
		if state != "Established" {
			return fmt.Errorf("the session with %s is %s", name, state)
		}
	}
	return nil
}

// known: no Service has another address than at the beginning.
func (s *soak) known(c *lab.Cluster) error {
	for name, address := range s.given {
		now, err := c.Service(name).Addresses()
		if err != nil {
			return err
		}
		if !slices.Equal(now, []netip.Addr{address}) {
			return fmt.Errorf("%s had %s and has %v", name, address, now)
		}
	}
	return nil
}
