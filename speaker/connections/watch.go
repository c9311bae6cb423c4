package connections

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

const (
	// mendInterval is the least time between two times that the tables are written anew because others changed them, and mendShare
	// bounds the share of the time that is spent so: one part in so many. Another program may undo it each time.
	mendInterval, mendShare = 100 * time.Millisecond, 20
	// mendTold is the least time between two words about it in the log.
	mendTold = time.Minute
	// ownFor is how long a port counts as this program's own after its last transaction: what the kernel says of that is read by then.
	ownFor = 10 * time.Second
	// watchBuffer is what may wait to be read: kube-proxy changes thousands of elements at once.
	watchBuffer = 4 << 20
)

// ports are those of netlink that this program has given the kernel transactions by lately, and when. Its methods may be called by
// several goroutines.
type ports struct {
	mu   sync.Mutex
	used map[uint32]time.Time
}

// add notes the port of a socket; it is an option of those of nftables.
func (p *ports) add(c *netlink.Conn) error {
	raw, err := c.SyscallConn()
	if err != nil {
		return fmt.Errorf("look at a socket of netlink: %w", err)
	}
	var address unix.Sockaddr
	if controlErr := raw.Control(func(fd uintptr) { address, err = unix.Getsockname(int(fd)) }); controlErr != nil {
		err = controlErr
	}
	if err != nil {
		return fmt.Errorf("ask for the port of a socket of netlink: %w", err)
	}
	if a, is := address.(*unix.SockaddrNetlink); is {
		p.note(a.Pid, time.Now())
	}
	return nil
}

func (p *ports) note(port uint32, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.used == nil {
		p.used = map[uint32]time.Time{}
	}
	for other, at := range p.used {
		if now.Sub(at) > ownFor {
			delete(p.used, other)
		}
	}
	p.used[port] = now
}

func (p *ports) own(port uint32, now time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	at, used := p.used[port]
	return used && now.Sub(at) <= ownFor
}

// watch hears of each change of nftables, while this program has tables there: whoever loads a firewall anew flushes them with all others.
type watch struct {
	conn  *netlink.Conn
	ended chan struct{}
}

// startWatch begins to listen in the network namespace of the caller, and calls changed when others have changed the tables of this
// program, or may have: then seen is false.
func startWatch(own *ports, changed func(seen bool)) (*watch, error) {
	conn, err := netlink.Dial(unix.NETLINK_NETFILTER, &netlink.Config{Groups: 1 << (unix.NFNLGRP_NFTABLES - 1)})
	if err != nil {
		return nil, fmt.Errorf("subscribe to changes of nftables: %w", err)
	}
	_ = conn.SetReadBuffer(watchBuffer) // Where it stays smaller, more is missed, which is noticed.
	w := &watch{conn, make(chan struct{})}
	go func() {
		defer close(w.ended)
		for {
			messages, err := conn.Receive()
			switch {
			case errors.Is(err, unix.ENOBUFS): // Some are missed.
				changed(false)
			case err != nil:
				return
			case foreign(messages, own):
				changed(true)
			}
		}
	}()
	return w, nil
}

// stop ends it, if there is one.
func (w *watch) stop() {
	if w == nil {
		return
	}
	_ = w.conn.Close()
	<-w.ended
}

// running reports whether it still listens.
func (w *watch) running() bool {
	select {
	case <-w.ended:
		return false
	default:
		return true
	}
}

// foreign reports whether some messages tell of a change of this program's tables that another one has made.
func foreign(messages []netlink.Message, own *ports) bool {
	for _, m := range messages {
		if ofTable(m) && !own.own(m.Header.PID, time.Now()) {
			return true
		}
	}
	return false
}

// ofTable reports whether a message tells of a change of a table of this program, or of what is in it: whatever it is, the name of the
// table is its first attribute.
func ofTable(m netlink.Message) bool {
	const header = 4 // struct nfgenmsg, with the family first
	if m.Header.Type>>8 != unix.NFNL_SUBSYS_NFTABLES || m.Header.Type&0xff == unix.NFT_MSG_NEWGEN || len(m.Data) < header+unix.NLA_HDRLEN {
		return false
	}
	if family := m.Data[0]; family != byte(ipv4.nft) && family != byte(ipv6.nft) {
		return false
	}
	first := m.Data[header:]
	length, kind := binary.NativeEndian.Uint16(first), binary.NativeEndian.Uint16(first[2:])
	return kind == unix.NFTA_TABLE_NAME && int(length) <= len(first) && bytes.Equal(first[unix.NLA_HDRLEN:max(int(length), unix.NLA_HDRLEN)], []byte(tableName+"\x00"))
}

// watchTables returns the watch that there is to be now, given the one that there is, if any: none while there are no tables, so
// that nothing costs the node anything then. When others change them, foreign of the Relay tells.
func (r *Relay) watchTables(w *watch) *watch {
	r.mu.Lock()
	wanted := r.tables[0].written || r.tables[1].written
	r.mu.Unlock()
	if w != nil && (!wanted || !w.running()) {
		w.stop()
		w = nil
	}
	if w != nil || !wanted {
		return w
	}
	w, err := startWatch(r.ports, func(seen bool) {
		if seen {
			r.mending.seen.Store(true)
		}
		notify(r.foreign)
	})
	if err != nil { // It is tried again, at the latest in a second.
		r.log.Debug("what others do to the rules that pass packets on is seen at the next renewal only", "error", err)
		return nil
	}
	if !r.intact() { // since they were written, before anybody listened
		r.mending.seen.Store(true)
		notify(r.foreign)
	}
	return w
}

// intact reports whether the tables that were written are intact.
func (r *Relay) intact() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, t := range r.tables {
		if t.written && !t.intact() {
			return false
		}
	}
	return true
}

// mending bounds how often the tables are written anew because others changed them. Only Start uses it, except for seen.
type mending struct {
	// seen: a change has been seen. Otherwise it is not known what has changed.
	seen atomic.Bool
	// due is when to do so next at the earliest, and told when the log last had it.
	due, told time.Time
}

// wait is for how long a change by others waits.
func (m *mending) wait() time.Duration { return max(0, time.Until(m.due)) }

// mend writes anew what others have changed, or may have: the rules, and the addresses that differ.
func (r *Relay) mend() {
	m, began := &r.mending, time.Now()
	switch seen := m.seen.Swap(false); {
	case !seen:
		r.log.Debug("more changes of nftables than could be read: the rules that pass packets on are written anew")
	case began.Sub(m.told) >= mendTold:
		m.told = began
		r.log.Warn("another program has changed the rules that pass packets on, and they are written anew")
	}
	r.mu.Lock()
	for _, t := range r.tables {
		t.doubted = true
	}
	r.mu.Unlock()
	r.renew()
	m.due = time.Now().Add(max(mendInterval, mendShare*time.Since(began)))
}
