package link

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"time"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"
)

const (
	// minInterval is the minimum time between two calls of read. The first notification of a burst (a node starts a
	// hundred pods) causes a call at once, the others share the next one.
	minInterval = 20 * time.Millisecond
	// restFactor is how many times as long as a call of read took is waited before the next one, so that a node with a
	// full routing table is not kept busy by reading it.
	restFactor = 4
	// patience is how long a change of links or addresses waits for a call of read, which a node with an ordinary routing table has made by
	// then.
	patience = minInterval + 5*time.Millisecond
)

// Subscribe calls read at once, and again after links, addresses or default routes have changed, until ctx ends (nil),
// or until netlink or read fails. Changes in quick succession share one call.
func Subscribe(ctx context.Context, read func() error) error {
	return subscribe(ctx, read, func(time.Time) error { return nil })
}

// subscribe is Subscribe that also calls links beside read, a moment after links or addresses have changed, with the time of that.
func subscribe(ctx context.Context, read func() error, links func(changed time.Time) error) error {
	// Subscribe before the first call, so that no change is missed between the two.
	sub, err := openSubscription()
	if err != nil {
		return err
	}
	running, ended := errgroup.WithContext(ctx)
	running.Go(sub.readLoop)
	running.Go(func() error {
		for {
			if err := restAfter(ended, read); err != nil || !awaitWake(ended, sub.wake) {
				return err
			}
		}
	})
	running.Go(func() error {
		for awaitWake(ended, sub.linksWake) {
			changed := time.Now()
			sleep(ended, patience)
			if err := restAfter(ended, func() error { return links(changed) }); err != nil {
				return err
			}
		}
		return nil
	})
	running.Go(func() error {
		<-ended.Done()
		sub.close() // which ends readLoop
		return nil
	})
	if err := running.Wait(); ctx.Err() == nil {
		return err
	}
	return nil
}

// restAfter calls read, and waits so long after it that it takes no more than its share of the time.
func restAfter(ctx context.Context, read func() error) error {
	began := time.Now()
	if err := read(); err != nil {
		return err
	}
	sleep(ctx, max(minInterval, restFactor*time.Since(began)))
	return nil
}

// awaitWake waits for a wake, and returns false when ctx ends first.
func awaitWake(ctx context.Context, wake <-chan struct{}) bool {
	select {
	case <-ctx.Done():
		return false
	case <-wake:
		return true
	}
}

// subscription receives the notifications of links, addresses and routes.
type subscription struct {
	socket *nl.NetlinkSocket
	// wake is woken by all of them, linksWake by those of links and addresses.
	wake, linksWake chan struct{}
}

// openSubscription opens one socket for all multicast groups, so that the notification of a link comes before that of
// its addresses.
func openSubscription() (*subscription, error) {
	socket, err := nl.Subscribe(unix.NETLINK_ROUTE,
		unix.RTNLGRP_LINK, unix.RTNLGRP_IPV4_IFADDR, unix.RTNLGRP_IPV6_IFADDR, unix.RTNLGRP_IPV4_ROUTE, unix.RTNLGRP_IPV6_ROUTE)
	if err != nil {
		return nil, fmt.Errorf("subscribe to changes of links, addresses and routes: %w", err)
	}
	return &subscription{socket: socket, wake: make(chan struct{}, 1), linksWake: make(chan struct{}, 1)}, nil
}

// close ends the subscription and its readLoop.
func (s *subscription) close() { s.socket.Close() }

// readLoop turns notifications into wakes until the socket fails or is closed. It never waits for the receiver, so that
// the socket's buffer is emptied as fast as the kernel fills it. If the buffer overflows (ENOBUFS), the dump after the
// wake replaces what was lost.
func (s *subscription) readLoop() error {
	for {
		messages, _, err := s.socket.Receive()
		switch {
		case err == nil:
		case errors.Is(err, unix.ENOBUFS), errors.Is(err, unix.EINTR):
			notify(s.wake)
			notify(s.linksWake)
		default:
			return fmt.Errorf("receive changes of links, addresses and routes: %w", err)
		}
		for _, message := range messages {
			if !relevant(message) {
				continue
			}
			notify(s.wake)
			if !ofRoute(message) {
				notify(s.linksWake)
			}
		}
	}
}

// relevant is false for routes that a routing protocol has set, other than default routes: a node may learn and lose
// thousands of them a second. Routes to neighbors come from the kernel, from RAs, from DHCP or from the administrator. Local routes count
// whoever has set them, as the kernel answers for their addresses.
func relevant(message syscall.NetlinkMessage) bool {
	if ofRoute(message) {
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

// ofRoute reports whether a message is about a route.
func ofRoute(message syscall.NetlinkMessage) bool {
	return message.Header.Type == unix.RTM_NEWROUTE || message.Header.Type == unix.RTM_DELROUTE
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
