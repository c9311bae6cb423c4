package fault

import (
	"errors"
	"fmt"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/daymark-lb/daymark/e2e/lab/check"
	"github.com/daymark-lb/daymark/e2e/lab/segment"
)

// Link is a network interface of a node with methods for tests. The test's end undoes what is done to it.
type Link struct {
	t       check.T
	network *segment.Segment
	host    *segment.Host
	name    string // as the lab made it
	current string // as it is named now
	port    string // its other end, on the segment

	routes []netlink.Route // that the kernel dropped with the link
}

// NewLink is the interface of that name of a host, eth0 or, once there is a second segment, eth1.
func NewLink(t check.T, network *segment.Segment, host *segment.Host, name string) *Link {
	port := host.Name
	if name != "eth0" {
		port = segment.SecondPort(host)
	}
	return &Link{t: t, network: network, host: host, name: name, current: name, port: port}
}

// Down sets the interface down inside the node, as `ip link set down` does.
func (l *Link) Down() {
	l.t.Helper()
	l.t.Cleanup(l.Up)
	l.must("set down", l.down())
}

// Up sets it up again, with the routes that it had when this same Link was set down.
func (l *Link) Up() {
	l.t.Helper()
	l.must("set up", l.up())
}

// Unplug takes its cable out: it stays up and loses its carrier.
func (l *Link) Unplug() {
	l.t.Helper()
	l.t.Cleanup(l.Plug)
	l.must("unplug", l.network.SetCarrier(l.port, false))
}

// Plug puts the cable in again.
func (l *Link) Plug() {
	l.t.Helper()
	l.must("plug in", l.network.SetCarrier(l.port, true))
}

// Rename gives it another name. It is down for a moment, since not every kernel renames one that is up.
func (l *Link) Rename(name string) {
	l.t.Helper()
	l.t.Cleanup(func() { l.must("rename", l.rename(l.name)) })
	l.must("rename", l.rename(name))
}

func (l *Link) rename(name string) error {
	if name == l.current {
		return nil
	}
	link, err := l.host.Link(l.current)
	if err == nil {
		err = l.down()
	}
	if err == nil {
		err = l.host.Netlink().LinkSetName(link, name)
	}
	if err != nil {
		return err
	}
	l.current = name
	return l.up()
}

// down remembers the routes first: the kernel forgets them, all but those that it made itself.
func (l *Link) down() error {
	link, err := l.host.Link(l.current)
	if err != nil {
		return err
	}
	l.routes = nil
	for _, family := range []int{netlink.FAMILY_V4, netlink.FAMILY_V6} {
		all, err := l.host.Netlink().RouteList(link, family)
		if err != nil {
			return fmt.Errorf("list the routes of %s: %w", l.current, err)
		}
		for _, r := range all {
			if r.Protocol != unix.RTPROT_KERNEL && r.Protocol != unix.RTPROT_RA {
				l.routes = append(l.routes, r)
			}
		}
	}
	return l.host.Netlink().LinkSetDown(link)
}

func (l *Link) up() error {
	link, err := l.host.Link(l.current)
	if err != nil {
		return err
	}
	errs := []error{l.host.Netlink().LinkSetUp(link)}
	for _, r := range l.routes {
		r.Flags &= int(netlink.FLAG_ONLINK) // the others are for the kernel to tell
		errs = append(errs, l.host.Netlink().RouteReplace(&r))
	}
	l.routes = nil
	return errors.Join(errs...)
}

func (l *Link) must(what string, err error) {
	l.t.Helper()
	check.Must(l.t, fmt.Sprintf("%s %s of %s", what, l.current, l.host.Name), err)
}
