package link

import (
	"errors"
	"slices"

	"github.com/vishvananda/netlink"

	"github.com/daymark-lb/daymark/internal/core/lb"
)

// unresolved are the states of a neighbor whose MAC address the kernel has asked for, and was not told.
const unresolved = netlink.NUD_INCOMPLETE | netlink.NUD_FAILED

// cameUp returns the indices of the links that are up, and were there and not up before.
func cameUp(before, now []lb.Link) (indices []int) {
	for i := range now {
		l := &now[i]
		if l.Up && slices.ContainsFunc(before, func(b lb.Link) bool { return b.Index == l.Index && !b.Up }) {
			indices = append(indices, l.Index)
		}
	}
	return indices
}

// forgetUnresolved has the kernel forget which neighbors on a link did not answer, so that it asks for them as soon as there is something to
// send. It asks once in a second else, and what this node says of its return would wait as long, while others are heard.
func forgetUnresolved(index int) error {
	neighbors, err := netlink.NeighList(index, netlink.FAMILY_ALL)
	if err != nil && !errors.Is(err, netlink.ErrDumpInterrupted) {
		return err
	}
	var failed []error
	for i := range neighbors {
		if neighbors[i].State&unresolved != 0 {
			failed = append(failed, netlink.NeighDel(&neighbors[i]))
		}
	}
	return errors.Join(failed...)
}
