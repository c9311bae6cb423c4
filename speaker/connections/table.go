package connections

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"os"
	"slices"
	"time"

	"github.com/google/nftables"

	"github.com/daymark-lb/daymark/internal/core/handover"
)

// Names in the kernel, which docs/connections.md explains.
const (
	tableName = "daymark"
	// mapNext has for an address the next node, mapHops the chain for the number of hops; setMoved has addresses that moved away.
	mapNext, mapHops, setMoved  = "next", "hops", "moved"
	counterPassed, counterLimit = "passed", "limited"
	// setRates has how many packets are passed on for an address.
	setRates = "rates"
)

// maxHops bounds Passage.Hops.
const maxHops = handover.MaxMembers - 1

// batchSize is how many addresses are changed in a transaction: a message of netlink has 64 KiB at most, a transaction what a socket's
// buffer takes.
const batchSize = 500

// entry is an address in a table.
type entry struct {
	addr netip.Addr
	// next is the node that packets are passed on to; invalid: none are.
	next netip.Addr
	hops int
	// moved: the address was here and moved away. That is remembered until a time.
	moved bool
	until time.Time
}

// table is the table of a family in the kernel of the node.
type table struct {
	family
	// written: the rules are as this program has written them.
	written bool
	// doubted: another program has changed the table, or may have, also its addresses.
	doubted bool
	// absent: the kernel had no such table when this program looked last.
	absent bool
	// failing is since when the kernel has not taken the entries; zero: it has.
	failing time.Time
	// lacking is why it did not take what it was last told to do, and will not; "": it has.
	lacking string
	// unresetting: the kernel cannot reset connections before a packet is routed; earlier than 5.9 it could not.
	unresetting bool
	// commit gives the kernel a transaction, dump returns what a set of the kernel has.
	commit func(*nftables.Conn) error
	dump   func(*nftables.Conn, *nftables.Set) ([]nftables.SetElement, error)
	// ports are those by which it has.
	ports *ports
	// entries that were written last.
	last []entry
	// passed and limited are what tables that are gone have counted.
	passed, limited uint64
}

func newTable(f family) *table {
	return &table{family: f, commit: (*nftables.Conn).Flush, dump: (*nftables.Conn).GetSetElements, ports: &ports{}}
}

// kernel returns the table as the library wants it.
func (t *table) kernel() *nftables.Table {
	return &nftables.Table{Name: tableName, Family: t.nft}
}

// entries are those of this family of a plan, in order. They are merged and not sorted: when a node crashes, those of all routes of a
// cluster change, and an address that moves by layer 2 waits for them.
func (t *table) entries(passages []handover.Passage, moved map[netip.Addr]time.Time) []entry {
	gone := slices.SortedFunc(maps.Keys(moved), netip.Addr.Compare)
	entries := make([]entry, 0, len(passages)+len(gone))
	add := func(e entry) {
		if until, is := moved[e.addr]; is {
			e.moved, e.until = true, until
		}
		if t.has(e.addr) {
			entries = append(entries, e)
		}
	}
	for _, p := range passages {
		for len(gone) > 0 && gone[0].Less(p.Addr) {
			add(entry{addr: gone[0]})
			gone = gone[1:]
		}
		if len(gone) > 0 && gone[0] == p.Addr {
			gone = gone[1:]
		}
		add(entry{addr: p.Addr, next: p.Via, hops: min(p.Hops, maxHops)})
	}
	for _, addr := range gone {
		add(entry{addr: addr})
	}
	return entries
}

// set makes the kernel's table have these entries, for so long. Without entries there is no table. What has not changed is only written
// again to renew it. An address changes atomically; many addresses need several transactions. A table that is there already, of an earlier
// process or changed by somebody, keeps its addresses meanwhile; one that is made in another way is replaced, and has only the first
// batchSize of them for some milliseconds.
func (t *table) set(entries []entry, rate uint64, lease time.Duration, renew bool) error {
	if len(entries) == 0 {
		return t.remove()
	}
	if t.written && (!renew || !t.doubted && t.intact()) && t.update(entries, lease, renew) == nil {
		t.last = entries
		return nil
	}
	if t.adopt(rate) == nil && t.update(entries, lease, true) == nil {
		t.written, t.doubted, t.last = true, false, entries
		return nil
	}
	return t.make(entries, rate, lease)
}

// make replaces the table by one with these entries.
func (t *table) make(entries []entry, rate uint64, lease time.Duration) error {
	// The counters of the table that is replaced go on in this program.
	t.keepCounters()
	t.written, t.doubted, t.absent, t.last = false, false, false, entries
	err := t.write(entries, rate, lease)
	if isLacking(err) && !t.unresetting {
		t.unresetting = true
		if t.write(entries, rate, lease) == nil {
			err = nil
		} else {
			t.unresetting = false
		}
	}
	t.written = err == nil
	return err
}

// try finds out whether the kernel still refuses what it did, by a table without addresses that is removed at once.
func (t *table) try(rate uint64) error {
	if t.lacking == "" {
		return nil
	}
	if t.make(nil, rate, 0) == nil {
		t.lacking = ""
	}
	return t.remove()
}

// write replaces the table by one with some entries.
func (t *table) write(entries []entry, rate uint64, lease time.Duration) error {
	rest := entries
	for first := true; first || len(rest) > 0; first = false {
		part := rest[:min(batchSize, len(rest))]
		rest = rest[len(part):]
		err := t.flush(func(c *nftables.Conn) error {
			if first {
				if err := t.replace(c, rate); err != nil {
					return err
				}
			}
			return t.addElements(c, part, lease)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// replace replaces the table by one without addresses.
func (t *table) replace(c *nftables.Conn, rate uint64) error {
	k := t.kernel()
	c.AddTable(k) // so that there is one to delete
	c.DelTable(k)
	c.AddTable(k)
	return t.addAll(c, k, rate)
}

// change of an address in a table.
type change struct {
	// was before, and is now; nil: none.
	was, is *entry
}

// changes from some entries to others, both in order: the addresses whose entries differ, and with renew all.
func changes(last, entries []entry, renew bool) (all []change) {
	for len(last) > 0 || len(entries) > 0 {
		var c change
		switch {
		case len(entries) == 0 || len(last) > 0 && last[0].addr.Less(entries[0].addr):
			c.was = &last[0]
			last = last[1:]
		case len(last) == 0 || entries[0].addr.Less(last[0].addr):
			c.is = &entries[0]
			entries = entries[1:]
		default:
			c = change{&last[0], &entries[0]}
			last, entries = last[1:], entries[1:]
		}
		if renew || c.was == nil || c.is == nil || *c.was != *c.is {
			all = append(all, c)
		}
	}
	return all
}

// update changes the addresses of a table whose rules stay. It fails when the kernel has not those that were written last.
func (t *table) update(entries []entry, lease time.Duration, renew bool) error {
	for part := range slices.Chunk(changes(t.last, entries, renew), batchSize) {
		var gone, come []entry
		for _, c := range part {
			if c.was != nil {
				gone = append(gone, *c.was)
			}
			if c.is != nil {
				come = append(come, *c.is)
			}
		}
		err := t.flush(func(c *nftables.Conn) error {
			// One that has expired meanwhile could not be deleted, so it is added first, which changes nothing where it is still there.
			return errors.Join(t.addElements(c, gone, lease), t.deleteElements(c, gone), t.addElements(c, come, lease))
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// remove removes the table, if the kernel has it.
func (t *table) remove() error {
	if t.absent {
		return nil
	}
	t.keepCounters()
	err := t.flush(func(c *nftables.Conn) error {
		c.AddTable(t.kernel())
		c.DelTable(t.kernel())
		return nil
	})
	if (errors.Is(err, os.ErrPermission) || isLacking(err)) && !t.written {
		err = nil // It cannot have written one.
	}
	if err == nil {
		t.written, t.doubted, t.absent, t.last = false, false, true, nil
	}
	return err
}

// exists reports whether the kernel has the table, of this or an earlier run of the speaker.
func (t *table) exists() bool {
	if t.written {
		return true
	}
	c, err := nftables.New()
	if err != nil {
		return false
	}
	_, err = c.ListTableOfFamily(tableName, t.nft)
	return err == nil
}

// mayPass notes that the kernel has not taken the entries, and reports whether it may take them later as things are.
func (t *table) mayPass(err error, now time.Time, grace time.Duration) bool {
	if t.failing.IsZero() {
		t.failing = now
	}
	return !errors.Is(err, os.ErrPermission) && !isLacking(err) && now.Sub(t.failing) < grace
}

// flush gives the kernel a transaction: all of it happens, or nothing.
func (t *table) flush(fill func(*nftables.Conn) error) error {
	c, err := nftables.New(nftables.AsLasting(), nftables.WithSockOptions(t.ports.add))
	if err != nil {
		return fmt.Errorf("open a socket to nftables: %w", err)
	}
	// To close a socket waits until the kernel has cleared up what a transaction replaced: some milliseconds, in which an address that has
	// just moved would have no answer.
	defer func() { go func() { _ = c.CloseLasting() }() }()
	if err := fill(c); err != nil {
		return err
	}
	return t.commit(c)
}

// addElements adds the elements of some entries to the sets.
func (t *table) addElements(c *nftables.Conn, entries []entry, lease time.Duration) error {
	elements := elementsOf(entries, lease)
	for _, s := range t.sets(t.kernel()) {
		if list := elements[s.Name]; len(list) > 0 {
			if err := c.SetAddElements(s, list); err != nil {
				return fmt.Errorf("add addresses to the set %s: %w", s.Name, err)
			}
		}
	}
	return nil
}

// deleteElements deletes the elements of some entries from the sets, all of which must be there.
func (t *table) deleteElements(c *nftables.Conn, entries []entry) error {
	elements := elementsOf(entries, 0)
	for _, s := range t.sets(t.kernel()) {
		if list := elements[s.Name]; len(list) > 0 {
			if err := c.SetDeleteElements(s, list); err != nil {
				return fmt.Errorf("delete addresses from the set %s: %w", s.Name, err)
			}
		}
	}
	return nil
}

// elementsOf returns the elements of some entries, by the name of their set. Passages last for the lease, since the other node may die
// while no speaker runs here; that an address was here stays true.
func elementsOf(entries []entry, lease time.Duration) map[string][]nftables.SetElement {
	elements := map[string][]nftables.SetElement{}
	add := func(set string, e nftables.SetElement) { elements[set] = append(elements[set], e) }
	for _, e := range entries {
		key := e.addr.AsSlice()
		if e.next.IsValid() {
			add(mapNext, nftables.SetElement{Key: key, Val: e.next.AsSlice(), Timeout: lease})
			add(mapHops, nftables.SetElement{Key: key, VerdictData: gotoHops(e.hops), Timeout: lease})
		}
		if e.moved {
			add(setMoved, nftables.SetElement{Key: key, Timeout: max(time.Until(e.until), time.Second)})
		}
	}
	return elements
}

// read returns the entries that the kernel has, of this or an earlier run of the speaker, in order. No table is no error.
func (t *table) read() ([]entry, error) {
	c, err := nftables.New()
	if err != nil {
		return nil, fmt.Errorf("open a socket to nftables: %w", err)
	}
	if _, err := c.ListTableOfFamily(tableName, t.nft); isLacking(err) || errors.Is(err, os.ErrPermission) {
		return nil, nil // There is none, or none that this program may have written.
	} else if err != nil {
		return nil, fmt.Errorf("look for the table %s: %w", t.family, err)
	}
	type element struct {
		set string
		key netip.Addr
	}
	byAddr, known := map[netip.Addr]entry{}, map[element]bool{}
	// The kernel tells a set in parts, each from where the one before ended, and leaves some elements out when its hash table has grown in
	// between. What is not known to be there would not be taken out either, so all is read until nothing new is told.
	for before := -1; before != len(known); {
		before = len(known)
		for _, s := range t.sets(t.kernel()) {
			elements, err := t.dump(c, s)
			if err != nil {
				return nil, fmt.Errorf("read the set %s: %w", s.Name, err)
			}
			for _, e := range elements {
				if addr, ok := netip.AddrFromSlice(e.Key); ok {
					known[element{s.Name, addr}] = true
					has := byAddr[addr]
					has.addr = addr
					has.learn(s.Name, &e)
					byAddr[addr] = has
				}
			}
		}
	}
	return inOrder(byAddr), nil
}

// learn takes over what a set has for the address.
func (e *entry) learn(set string, element *nftables.SetElement) {
	switch set {
	case mapNext:
		e.next, _ = netip.AddrFromSlice(element.Val)
	case mapHops:
		e.hops = hopsOf(element.Val)
	case setMoved:
		e.moved, e.until = true, time.Now().Add(element.Expires)
	}
}

func inOrder(byAddr map[netip.Addr]entry) []entry {
	return slices.SortedFunc(maps.Values(byAddr), func(a, b entry) int { return a.addr.Compare(b.addr) })
}

// hopsOf reads the number of hops from a verdict as the kernel tells it: attributes, the last of which is the name of a chain.
func hopsOf(verdict []byte) int {
	name := bytes.TrimRight(verdict, "\x00")
	if len(name) == 0 {
		return 0
	}
	return int(name[len(name)-1] - '0')
}
