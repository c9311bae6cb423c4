package connections

import (
	"bytes"
	"errors"
	"math"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"github.com/daymark-lb/daymark/internal/core/handover"
)

// States of a TCP connection that has ended, as connection tracking numbers them.
const firstEnded, lastEnded = 7, 8 // TIME_WAIT, CLOSE

// maxForgotten is how many entries are deleted at a time at most. Each is a call of the kernel's.
const maxForgotten = 10_000

const (
	// atOnce is how many entries of connection tracking there are at most when Set waits until what has ended is forgotten: some milliseconds.
	atOnce = 2000
	// credit is how much time ahead of its share forgetting may be, since changes come several at a time.
	credit = 30 * time.Second
)

// forgetting is what is known of the entries that have ended.
type forgetting struct {
	mu sync.Mutex
	// passed are the passages whose addresses have been gone through.
	passed []handover.Passage
	// due is when the time that was spent so far is within its share.
	due time.Time
}

// wait is how long not to go through the entries; 0: now.
func (f *forgetting) wait() time.Duration {
	f.mu.Lock()
	defer f.mu.Unlock()
	return max(0, time.Until(f.due.Add(-credit)))
}

// ended reports whether the service proxy had the connection, and nothing more is to come of it.
func (c *connection) ended() bool {
	return c.protocol == unix.IPPROTO_TCP && c.status&statusDstNAT != 0 && c.state >= firstEnded && c.state <= lastEnded
}

// forgetSoon has the entries of connections that have ended forgotten, before it returns where there are few entries. While nodes are
// silent it does not wait for that: their addresses are to be answered for at once.
func (r *Relay) forgetSoon(passages []handover.Passage, silent []netip.Addr) {
	planned := !slices.ContainsFunc(passages, func(p handover.Passage) bool { return slices.Contains(silent, p.Via) })
	if planned && entries() <= atOnce && r.forgetting.wait() == 0 {
		r.forgetEnded()
		return
	}
	notify(r.pass)
}

// forgetEnded deletes the entries of connections that have ended, to the addresses whose packets are passed on, or to another node, since it
// was last called. The kernel keeps one for two minutes. Should a client use its port again meanwhile, and the other node have that
// connection, its packets would be taken for those of the old one here, and not be passed on.
func (r *Relay) forgetEnded() {
	r.mu.Lock()
	passages := r.desired.Passages // Set makes others, and changes none.
	r.mu.Unlock()
	f := &r.forgetting
	f.mu.Lock()
	defer f.mu.Unlock()
	began := time.Now()
	taken := addressesOfNew(f.passed, passages)
	f.passed = passages
	var errs []error
	for _, family := range []family{ipv4, ipv6} {
		if !family.hasAny(taken) {
			continue
		}
		var ended endedEntries
		errs = append(errs, family.dump(func(c connection) {
			if _, is := taken[c.to]; is {
				ended.note(&c)
			}
		}), family.forget(ended))
	}
	r.warnOfEnded(errors.Join(errs...))
	now := time.Now()
	if f.due.Before(now) {
		f.due = now
	}
	f.due = f.due.Add(countShare * now.Sub(began))
}

func (r *Relay) warnOfEnded(err error) {
	if err != nil {
		r.log.Warn("connections that have ended may stand in the way of those with the same ports", "error", err)
	}
}

// entries is how many entries connection tracking has, of all families; all there may be if that cannot be read.
func entries() int {
	text, err := os.ReadFile("/proc/sys/net/netfilter/nf_conntrack_count")
	count, malformed := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil || malformed != nil {
		return math.MaxInt
	}
	return count
}

// endedEntries are entries of connections that have ended.
type endedEntries []connection

// note adds an entry if its connection has ended and there is room.
func (e *endedEntries) note(c *connection) {
	if c.ended() && len(*e) < maxForgotten {
		c.tuple, c.id = bytes.Clone(c.tuple), bytes.Clone(c.id)
		*e = append(*e, *c)
	}
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

// forget deletes entries. One that is gone, or whose ports a new connection has, is left alone: that has another ID.
func (f family) forget(ended endedEntries) error {
	for i := range ended {
		request := nl.NewNetlinkRequest(unix.NFNL_SUBSYS_CTNETLINK<<8|nl.IPCTNL_MSG_CT_DELETE, unix.NLM_F_ACK)
		request.AddData(&nl.Nfgenmsg{NfgenFamily: f.conntrack, Version: nl.NFNETLINK_V0})
		request.AddData(nl.NewRtAttr(unix.NLA_F_NESTED|nl.CTA_TUPLE_ORIG, ended[i].tuple))
		request.AddData(nl.NewRtAttr(nl.CTA_ID, ended[i].id))
		if _, err := request.Execute(unix.NETLINK_NETFILTER, 0); err != nil && !errors.Is(err, unix.ENOENT) {
			return err // The next one would meet the same.
		}
	}
	return nil
}
