package main

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/daymark-lb/daymark/e2e/lab"
	"github.com/daymark-lb/daymark/e2e/soak/wire"
)

// observer is what the taps have seen since the last step.
type observer struct {
	client net.HardwareAddr
	owner  func(net.HardwareAddr) string
	taps   []*wire.Tap
	stop   chan struct{}
	done   sync.WaitGroup

	mu        sync.Mutex
	answers   wire.Answers
	announced int // ARP and NDP announcements by nodes
	speakers  *wire.Speakers
	err       error
}

// observe begins to read what the client is told, and the router.
func observe(c *lab.Cluster) (*observer, error) {
	client, router := c.Client().Host, c.Router().Host
	o := &observer{client: client.MAC, owner: c.Owner, stop: make(chan struct{}), answers: wire.Answers{}, speakers: wire.NewSpeakers(lab.RouterV4)}
	near, err := wire.Open(client, wire.Resolution)
	if err != nil {
		return nil, err
	}
	far, err := wire.Open(router, wire.BGP)
	if err != nil {
		return nil, errors.Join(err, near.Close())
	}
	o.taps = []*wire.Tap{near, far}
	o.done.Go(func() { o.read(near, o.resolution) })
	o.done.Go(func() { o.read(far, func(f wire.Frame) { o.speakers.Add(f) }) })
	return o, nil
}

func (o *observer) read(tap *wire.Tap, add func(wire.Frame)) {
	for {
		select {
		case <-o.stop:
			return
		default:
		}
		frame, ok, err := tap.Next()
		o.mu.Lock()
		if err != nil {
			o.err = errors.Join(o.err, err)
			o.mu.Unlock()
			return
		}
		if ok {
			add(frame)
		}
		o.mu.Unlock()
	}
}

func (o *observer) resolution(f wire.Frame) {
	said, ok := wire.ParseResolution(f)
	if !ok {
		return
	}
	if said.Kind == wire.Announcement && slices.Contains(nodes, o.owner(said.By)) {
		o.announced++
	}
	said.Data = nil // its bytes are the tap's
	o.answers.Add(said, o.client, o.owner)
}

// since is who has answered since a moment.
func (o *observer) since(moment time.Time) wire.Answers {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.answers.Since(moment)
}

// telling are the nodes that have told the router a route to an address and not taken it back.
func (o *observer) telling(c *lab.Cluster, address netip.Addr) (names []string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, host := range o.speakers.Telling(netip.PrefixFrom(address, address.BitLen())) {
		names = append(names, c.NodeAt(host))
	}
	return names
}

// seen is what a step was like on the wire.
type seen struct {
	answers     wire.Answers
	announced   int
	withdrawals []wire.Withdrawal
	lost        string // why not everything was seen, if so
	blind       error  // why nothing is seen any more, if so
}

// take gives what was seen, and forgets it.
func (o *observer) take() (s seen) {
	o.mu.Lock()
	defer o.mu.Unlock()
	s = seen{answers: o.answers, announced: o.announced}
	o.answers, o.announced = wire.Answers{}, 0
	withdrawals, broken := o.speakers.Take()
	s.withdrawals = withdrawals
	var lost []string
	if broken > 0 {
		lost = append(lost, fmt.Sprintf("%d BGP connections could not be followed", broken))
	}
	for i, tap := range o.taps {
		if n, err := tap.Lost(); err != nil || n > 0 {
			lost = append(lost, fmt.Sprintf("tap %d lost %d frames (%v)", i+1, n, err))
		}
	}
	s.blind = o.err
	s.lost = strings.Join(lost, "; ")
	return s
}

// end stops reading.
func (o *observer) end() error {
	close(o.stop)
	o.done.Wait()
	var errs []error
	for _, tap := range o.taps {
		errs = append(errs, tap.Close())
	}
	return errors.Join(errs...)
}
