package connections

import (
	"bytes"
	"errors"
	"net/netip"
	"time"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"github.com/daymark-lb/daymark/internal/core/handover"
)

// States of a TCP connection that has ended, as connection tracking numbers them.
const firstEnded, lastEnded = 7, 8 // TIME_WAIT, CLOSE

// maxForgotten is how many entries are deleted at a time at most. Each is a call of the kernel's.
const maxForgotten = 10_000

// ended reports whether the service proxy had the connection, and nothing more is to come of it.
func (c *connection) ended() bool {
	return c.protocol == unix.IPPROTO_TCP && c.status&statusDstNAT != 0 && c.state >= firstEnded && c.state <= lastEnded
}

// forgetEnded deletes the entries of connections that have ended, to the addresses whose packets are passed on, or to another node, since it
// was last called. The kernel keeps one for two minutes. Should a client use its port again meanwhile, and the other node have that
// connection, its packets would be taken for those of the old one here, and not be passed on. It returns how long it took.
func (r *Relay) forgetEnded() time.Duration {
	began := time.Now()
	r.mu.Lock()
	passages := r.desired.Passages // Set makes others, and changes none.
	r.mu.Unlock()
	taken := addressesOfNew(r.passed, passages)
	r.passed = passages
	var errs []error
	for _, f := range []family{ipv4, ipv6} {
		if !f.hasAny(taken) {
			continue
		}
		var ended []connection
		errs = append(errs, f.dump(func(c connection) {
			if _, is := taken[c.to]; is && c.ended() && len(ended) < maxForgotten {
				c.tuple, c.id = bytes.Clone(c.tuple), bytes.Clone(c.id)
				ended = append(ended, c)
			}
		}))
		for i := range ended {
			errs = append(errs, f.forget(&ended[i]))
		}
	}
	if err := errors.Join(errs...); err != nil {
		r.log.Warn("connections that have ended may stand in the way of those with the same ports", "error", err)
	}
	return time.Since(began)
}

// addressesOfNew are the addresses of the passages that there were not before.
func addressesOfNew(before, now []handover.Passage) map[netip.Addr]struct{} {
	known, addrs := make(map[handover.Passage]struct{}, len(before)), map[netip.Addr]struct{}{}
	for _, p := range before {
		known[p] = struct{}{}
	}
	for _, p := range now {
		if _, was := known[p]; !was {
			addrs[p.Addr] = struct{}{}
		}
	}
	return addrs
}

func (f family) hasAny(addrs map[netip.Addr]struct{}) bool {
	for addr := range addrs {
		if f.has(addr) {
			return true
		}
	}
	return false
}

// forget deletes an entry. One that is gone, or whose ports a new connection has, is left alone: that has another ID.
func (f family) forget(c *connection) error {
	request := nl.NewNetlinkRequest(unix.NFNL_SUBSYS_CTNETLINK<<8|nl.IPCTNL_MSG_CT_DELETE, unix.NLM_F_ACK)
	request.AddData(&nl.Nfgenmsg{NfgenFamily: f.conntrack, Version: nl.NFNETLINK_V0})
	request.AddData(nl.NewRtAttr(unix.NLA_F_NESTED|nl.CTA_TUPLE_ORIG, c.tuple))
	request.AddData(nl.NewRtAttr(nl.CTA_ID, c.id))
	if _, err := request.Execute(unix.NETLINK_NETFILTER, 0); !errors.Is(err, unix.ENOENT) {
		return err
	}
	return nil
}
