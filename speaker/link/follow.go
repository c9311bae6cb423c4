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
	// settle is the least time between two looks: the first notification of a storm is followed at once, the others (a
	// node starts a hundred pods) are folded.
	settle = 20 * time.Millisecond
	// rest is how many times as long as a look took is waited before the next, so that a node with a full routing table
	// is not kept busy by reading it.
	rest = 4
)

// Follow calls look at once, and again after links, addresses or default routes have changed, until ctx ends (nil), or
// netlink or look fails. What has changed is not said, and changes in quick succession share one call.
func Follow(ctx context.Context, look func() error) error {
	// To subscribe before looking means that no change can fall between the two.
	news, err := subscribe()
	if err != nil {
		return err
	}
	failed := make(chan error, 1)
	go func() { failed <- news.pump() }()
	defer func() {
		news.close()
		for range news.wake { // Until the pump has ended and closed it.
		}
	}()

	for {
		began := time.Now()
		if err := look(); err != nil {
			return err
		}
		pause(ctx, max(settle, rest*time.Since(began)))
		select {
		case <-ctx.Done():
			return nil
		case _, ok := <-news.wake:
			if !ok {
				return <-failed
			}
		}
	}
}

// subscription hears of changes of links, addresses and routes.
type subscription struct {
	socket *nl.NetlinkSocket
	wake   chan struct{}
}

// subscribe opens one socket for all groups, so that nothing is heard of an address before its link.
func subscribe() (*subscription, error) {
	socket, err := nl.Subscribe(unix.NETLINK_ROUTE,
		unix.RTNLGRP_LINK, unix.RTNLGRP_IPV4_IFADDR, unix.RTNLGRP_IPV6_IFADDR, unix.RTNLGRP_IPV4_ROUTE, unix.RTNLGRP_IPV6_ROUTE)
	if err != nil {
		return nil, fmt.Errorf("subscribe to changes of links, addresses and routes: %w", err)
	}
	return &subscription{socket: socket, wake: make(chan struct{}, 1)}, nil
}

// close ends the subscription and with it the pump.
func (s *subscription) close() { s.socket.Close() }

// pump turns notifications into wakes until the socket fails or is closed. It never waits for the receiver, so the
// socket's buffer is emptied as fast as the kernel fills it; where it overflows all the same (ENOBUFS), what was lost
// is made good by the reading that every wake leads to.
func (s *subscription) pump() error {
	defer close(s.wake)
	for {
		messages, _, err := s.socket.Receive()
		switch {
		case err == nil:
		case errors.Is(err, unix.ENOBUFS), errors.Is(err, unix.EINTR):
			wake(s.wake)
		default:
			return fmt.Errorf("receive changes of links, addresses and routes: %w", err)
		}
		for _, message := range messages {
			if matters(message) {
				wake(s.wake)
			}
		}
	}
}

// matters passes over routes that are no default route: a node that speaks a routing protocol may learn and lose
// thousands of them a second.
func matters(message syscall.NetlinkMessage) bool {
	switch message.Header.Type {
	case unix.RTM_NEWROUTE, unix.RTM_DELROUTE:
		if len(message.Data) < unix.SizeofRtMsg {
			return false
		}
		route := nl.DeserializeRtMsg(message.Data)
		return route.Dst_len == 0 && route.Table == unix.RT_TABLE_MAIN
	}
	return true
}

// wake leaves a wake for the receiver unless one waits already.
func wake(channel chan<- struct{}) {
	select {
	case channel <- struct{}{}:
	default:
	}
}

// pause waits, or returns early when ctx ends.
func pause(ctx context.Context, wait time.Duration) {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}
