package connections

import (
	"encoding/binary"
	"errors"
	"maps"
	"net/netip"
	"slices"
	"time"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"github.com/daymark-lb/daymark/internal/core/handover"
	"github.com/daymark-lb/daymark/internal/core/lb"
)

// States of a TCP connection as connection tracking numbers them, from the answer to the first packet until one side is the last to
// have something to say.
const firstOpen, lastOpen = 2, 5 // SYN_RECV, ESTABLISHED, FIN_WAIT, CLOSE_WAIT

// statusDstNAT: the service proxy has given the connection to a pod.
const statusDstNAT = 1 << 5

// dueIn is how long to wait with the next count. A count that costs much is followed by a long pause, whatever happens meanwhile.
func (r *Relay) dueIn() time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	return max(0, time.Until(r.due))
}

// count counts the open connections to the addresses that are counted, and returns when to count again.
func (r *Relay) count() time.Duration {
	r.mu.Lock()
	counted := slices.Collect(maps.Keys(r.until))
	r.mu.Unlock()
	if len(counted) == 0 {
		return time.Hour // A Set wakes.
	}
	begin := time.Now()
	left, err := countOpen(counted)
	r.warnOfEnded(err)
	took := time.Since(begin)

	r.mu.Lock()
	defer r.mu.Unlock()
	maps.DeleteFunc(left, func(addr netip.Addr, _ int) bool { _, still := r.until[addr]; return !still }) // a Set since
	now := time.Now()
	r.untold = r.untold || !maps.Equal(left, r.left)
	if r.untold && (now.Sub(r.told) >= tellInterval || !sameEnds(left, r.left)) {
		r.untold, r.told = false, now
		notify(r.changes)
	}
	r.left = left
	pause := max(countInterval, countShare*took)
	r.due = now.Add(pause)
	return pause
}

// sameEnds reports whether the same addresses have connections left, and the same have none.
func sameEnds(a, b map[netip.Addr]int) bool {
	return maps.EqualFunc(a, b, func(a, b int) bool { return (a == 0) == (b == 0) })
}

// countOpen counts the open connections that this node has to each of some addresses. Those of a family that the kernel does not tell
// are missing. It forgets those that have ended, so that none of them is in the way should this node take the address again; an error
// says why it could not.
func countOpen(addrs []netip.Addr) (map[netip.Addr]int, error) {
	own := ownSources()
	left := map[netip.Addr]int{}
	var errs []error
	for _, f := range []family{ipv4, ipv6} {
		counts := map[netip.Addr]int{}
		for _, addr := range addrs {
			if f.has(addr) {
				counts[addr] = 0
			}
		}
		var ended endedEntries
		if len(counts) > 0 && f.dump(func(c connection) {
			_, asked := counts[c.to]
			switch {
			case !asked:
			case c.open() && !own.has(c.from):
				counts[c.to]++
			default:
				ended.note(&c)
			}
		}) == nil {
			maps.Copy(left, counts)
		}
		errs = append(errs, f.forget(ended))
	}
	return left, errors.Join(errs...)
}

// withOpen are counted addresses and those others that this node has open connections to, in order. Which of them are of Services is not known
// here. Of a family whose table cannot be read there are none.
func withOpen(counted []handover.Counted) []handover.Counted {
	own := ownSources()
	known := make(map[netip.Addr]bool, len(counted))
	for _, c := range counted {
		known[c.Addr] = true
	}
	for _, f := range []family{ipv4, ipv6} {
		_ = f.dump(func(c connection) {
			if c.open() && !known[c.to] && !own.has(c.from) {
				known[c.to] = true
				counted = append(counted, handover.Counted{Addr: c.to, For: lb.MaxConnectionDraining})
			}
		})
	}
	slices.SortFunc(counted, func(a, b handover.Counted) int { return a.Addr.Compare(b.Addr) })
	return counted
}

// connection is what is read of an entry of connection tracking.
type connection struct {
	from, to netip.Addr
	protocol byte
	status   uint32
	state    byte
	// tuple and id are what the kernel knows the entry by, as it has written them.
	tuple, id []byte
}

// open reports whether the connection is one that a move may break.
func (c *connection) open() bool {
	return c.protocol == unix.IPPROTO_TCP && c.status&statusDstNAT != 0 && c.state >= firstOpen && c.state <= lastOpen
}

// dump calls see with each entry of a family. A table that changes meanwhile is no error: one entry more or less does not matter.
func (f family) dump(see func(connection)) error {
	request := nl.NewNetlinkRequest(unix.NFNL_SUBSYS_CTNETLINK<<8|nl.IPCTNL_MSG_CT_GET, unix.NLM_F_DUMP)
	request.AddData(&nl.Nfgenmsg{NfgenFamily: f.conntrack, Version: nl.NFNETLINK_V0})
	err := request.ExecuteIter(unix.NETLINK_NETFILTER, 0, func(message []byte) bool {
		if len(message) > nl.SizeofNfgenmsg {
			see(parse(message[nl.SizeofNfgenmsg:]))
		}
		return true
	})
	if err == nl.ErrDumpInterrupted { //nolint:errorlint // The library returns it as it is.
		return nil
	}
	return err
}

// parse reads an entry from its attributes, which it refers to; what is missing stays zero.
func parse(attributes []byte) (c connection) {
	each(attributes, func(kind uint16, value []byte) {
		switch kind {
		case nl.CTA_TUPLE_ORIG:
			c.tuple = value
			c.readTuple(value)
		case nl.CTA_ID:
			c.id = value
		case nl.CTA_STATUS:
			if len(value) == 4 {
				c.status = binary.BigEndian.Uint32(value)
			}
		case nl.CTA_PROTOINFO:
			within(value, nl.CTA_PROTOINFO_TCP, nl.CTA_PROTOINFO_TCP_STATE, func(v []byte) { c.state = v[0] })
		}
	})
	return c
}

// readTuple reads the direction in which the connection began.
func (c *connection) readTuple(attributes []byte) {
	within(attributes, nl.CTA_TUPLE_IP, nl.CTA_IP_V4_SRC, func(v []byte) { c.from, _ = netip.AddrFromSlice(v) })
	within(attributes, nl.CTA_TUPLE_IP, nl.CTA_IP_V4_DST, func(v []byte) { c.to, _ = netip.AddrFromSlice(v) })
	within(attributes, nl.CTA_TUPLE_IP, nl.CTA_IP_V6_SRC, func(v []byte) { c.from, _ = netip.AddrFromSlice(v) })
	within(attributes, nl.CTA_TUPLE_IP, nl.CTA_IP_V6_DST, func(v []byte) { c.to, _ = netip.AddrFromSlice(v) })
	within(attributes, nl.CTA_TUPLE_PROTO, nl.CTA_PROTO_NUM, func(v []byte) { c.protocol = v[0] })
}

// within calls f with the attribute of a kind that is inside one of another kind, unless it is empty.
func within(attributes []byte, outer, inner uint16, f func([]byte)) {
	each(attributes, func(kind uint16, value []byte) {
		if kind != outer {
			return
		}
		each(value, func(kind uint16, value []byte) {
			if kind == inner && len(value) > 0 {
				f(value)
			}
		})
	})
}

// each calls f with each attribute of netlink. A malformed one ends it.
func each(attributes []byte, f func(kind uint16, value []byte)) {
	for len(attributes) >= unix.SizeofNlAttr {
		length := int(binary.NativeEndian.Uint16(attributes))
		if length < unix.SizeofNlAttr || length > len(attributes) {
			return
		}
		f(binary.NativeEndian.Uint16(attributes[2:])&^(unix.NLA_F_NESTED|unix.NLA_F_NET_BYTEORDER), attributes[unix.SizeofNlAttr:length])
		attributes = attributes[min((length+3)&^3, len(attributes)):]
	}
}
