package link

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"time"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

const (
	// minInterval is the minimum time between two calls of read. The first notification of a burst (a node starts a
	// hundred pods) causes a call at once, the others share the next one.
	minInterval = 20 * time.Millisecond
	// restFactor is how many times as long as a call of read took is waited before the next one, so that a node with a
	// full routing table is not kept busy by reading it.
	restFactor = 4
)

// Subscribe calls read at once, and again after links, addresses or default routes have changed, until ctx ends (nil),
// or until netlink or read fails. Changes in quick succession share one call.
func Subscribe(ctx context.Context, read func() error) error {
	// Subscribe before the first call, so that no change is missed between the two.
	sub, err := openSubscription()
	if err != nil {
		return err
	}
	failed := make(chan error, 1)
	go func() { failed <- sub.readLoop() }()
	defer func() {
		sub.close()
		for range sub.wake { // Until readLoop has ended and closed it.
		}
	}()

	for {
		began := time.Now()
		if err := read(); err != nil {
			return err
		}
		sleep(ctx, max(minInterval, restFactor*time.Since(began)))
		select {
		case <-ctx.Done():
			return nil
		case _, ok := <-sub.wake:
			if !ok {
				return <-failed
			}
		}
	}
}

// subscription receives the notifications of links, addresses and routes.
type subscription struct {
	socket *nl.NetlinkSocket
	wake   chan struct{}
}

// openSubscription opens one socket for all multicast groups, so that the notification of a link comes before that of
// its addresses.
func openSubscription() (*subscription, error) {
	socket, err := nl.Subscribe(unix.NETLINK_ROUTE,
		unix.RTNLGRP_LINK, unix.RTNLGRP_IPV4_IFADDR, unix.RTNLGRP_IPV6_IFADDR, unix.RTNLGRP_IPV4_ROUTE, unix.RTNLGRP_IPV6_ROUTE)
	if err != nil {
		return nil, fmt.Errorf("subscribe to changes of links, addresses and routes: %w", err)
	}
	return &subscription{socket: socket, wake: make(chan struct{}, 1)}, nil
}

// close ends the subscription and its readLoop.
func (s *subscription) close() { s.socket.Close() }

// readLoop turns notifications into wakes until the socket fails or is closed. It never waits for the receiver, so that
// the socket's buffer is emptied as fast as the kernel fills it. If the buffer overflows (ENOBUFS), the dump after the
// wake replaces what was lost.
func (s *subscription) readLoop() error {
	defer close(s.wake)
	for {
		messages, _, err := s.socket.Receive()
		switch {
		case err == nil:
		case errors.Is(err, unix.ENOBUFS), errors.Is(err, unix.EINTR):
			notify(s.wake)
		default:
			return fmt.Errorf("receive changes of links, addresses and routes: %w", err)
		}
		for _, message := range messages {
			if relevant(message) {
				notify(s.wake)
			}
		}
	}
}

// relevant is false for routes that a routing protocol has set, other than default routes: a node may learn and lose
// thousands of them a second. Routes to neighbors come from the kernel, from RAs, from DHCP or from the administrator. Local routes count
// whoever has set them, as the kernel answers for their addresses.
func relevant(message syscall.NetlinkMessage) bool {
	switch message.Header.Type {
	case unix.RTM_NEWROUTE, unix.RTM_DELROUTE:
		if len(message.Data) < unix.SizeofRtMsg {
			return false
		}
		route := nl.DeserializeRtMsg(message.Data)
		if route.Table == unix.RT_TABLE_LOCAL {
			return route.Type == unix.RTN_LOCAL && route.Family == unix.AF_INET
		}
		return (route.Dst_len == 0 || route.Protocol <= unix.RTPROT_RA || route.Protocol == unix.RTPROT_DHCP)
	}
	return true
}

// notify sends a wake to a channel with a buffer of one, unless one waits there already.
func notify(channel chan<- struct{}) {
	select {
	case channel <- struct{}{}:
	default:
	}
}

// sleep waits, or returns early when ctx ends.
func sleep(ctx context.Context, wait time.Duration) {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}
