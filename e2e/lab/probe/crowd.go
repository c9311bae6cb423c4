package probe

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/daymark-lb/daymark/e2e/lab/check"
	"github.com/daymark-lb/daymark/e2e/lab/segment"
)

// followInterval is how often a Follower looks at what the clients of a crowd know.
const followInterval = 5 * time.Millisecond

// Crowd is many clients on one host. Each asks for itself, and knows for itself where an address is: they are the kernel's own ARP
// and NDP.
type Crowd struct {
	*segment.Host
	Members []segment.CrowdMember

	t       check.T
	network *segment.Segment
	links   map[int]string // of the members, by index
}

// NewCrowd is a host with a crowd of clients with methods for tests. They know of no address yet: what an earlier test made them learn
// would pass for an answer.
func NewCrowd(t check.T, host *segment.Host, members []segment.CrowdMember, network *segment.Segment) *Crowd {
	t.Helper()
	c := &Crowd{host, members, t, network, map[int]string{}}
	for _, m := range members {
		c.links[m.Index] = m.Link
	}
	check.Must(t, "have the crowd forget", c.forget())
	return c
}

// forget removes what the clients know.
func (c *Crowd) forget() error {
	for _, family := range []int{netlink.FAMILY_V4, netlink.FAMILY_V6} {
		neighbors, err := c.Netlink().NeighList(0, family)
		if err != nil {
			return fmt.Errorf("list the neighbors: %w", err)
		}
		for i := range neighbors {
			if c.links[neighbors[i].LinkIndex] == "" {
				continue
			}
			if err := c.Netlink().NeighDel(&neighbors[i]); err != nil && !errors.Is(err, unix.ENOENT) {
				return fmt.Errorf("remove neighbor %s: %w", neighbors[i].IP, err)
			}
		}
	}
	return nil
}

// Ask has each client that has no entry for the address of its family ask for it.
func (c *Crowd) Ask(addresses ...netip.Addr) {
	c.t.Helper()
	c.askUnless(c.Entries(addresses...), addresses)
}

// AskAgain has each client ask whose entry the kernel has dropped to make room: it has one table of IPv6 neighbors for all network
// namespaces, and drops what is older than some seconds once it has 512. A client that was not answered has a failed entry, and does
// not ask.
func (c *Crowd) AskAgain(addresses ...netip.Addr) {
	c.t.Helper()
	known, err := c.list(addresses, func(netlink.Neigh) bool { return true })
	check.Must(c.t, "read what the crowd knows", err)
	c.askUnless(known, addresses)
}

// askUnless has each client ask for the address of its family, except for these.
func (c *Crowd) askUnless(known map[string]string, addresses []netip.Addr) {
	c.t.Helper()
	check.Must(c.t, "have the crowd ask", c.Do(func() error {
		for _, m := range c.Members {
			for _, address := range addresses {
				if _, knows := known[m.Link]; knows || address.Is4() != m.Addr.Is4() {
					continue
				}
				if err := send(m.Link, m.Addr, address); err != nil {
					return err
				}
			}
		}
		return nil
	}))
}

// send sends a datagram to an address, for which the kernel must find out where the address is.
func send(link string, from, to netip.Addr) error {
	dialer := net.Dialer{LocalAddr: net.UDPAddrFromAddrPort(netip.AddrPortFrom(from, 0)), Control: boundTo(link)}
	conn, err := dialer.Dial("udp", netip.AddrPortFrom(to, 9).String())
	if err != nil {
		return fmt.Errorf("send by %s: %w", link, err)
	}
	_, _ = conn.Write([]byte("?")) // It fails when nobody answered the last time.
	return conn.Close()
}

// boundTo binds a socket to an interface.
func boundTo(link string) func(string, string, syscall.RawConn) error {
	return func(_, _ string, raw syscall.RawConn) (err error) {
		if controlErr := raw.Control(func(fd uintptr) { err = unix.BindToDevice(int(fd), link) }); controlErr != nil {
			return controlErr
		}
		return err
	}
}

// Entries are the hosts that the clients believe to have the address of their family, by the client's interface. Who does not know is
// not in it.
func (c *Crowd) Entries(addresses ...netip.Addr) map[string]string {
	c.t.Helper()
	entries, err := c.entries(addresses)
	check.Must(c.t, "read what the crowd knows", err)
	return entries
}

func (c *Crowd) entries(addresses []netip.Addr) (map[string]string, error) {
	return c.list(addresses, func(n netlink.Neigh) bool { return len(n.HardwareAddr) > 0 })
}

// list are the hosts by the entries of the clients that count.
func (c *Crowd) list(addresses []netip.Addr, counts func(netlink.Neigh) bool) (map[string]string, error) {
	entries := map[string]string{}
	for _, address := range addresses {
		family := netlink.FAMILY_V4
		if address.Is6() {
			family = netlink.FAMILY_V6
		}
		neighbors, err := c.Netlink().NeighList(0, family)
		if err != nil {
			return nil, fmt.Errorf("list the neighbors: %w", err)
		}
		for _, n := range neighbors {
			known, ok := netip.AddrFromSlice(n.IP)
			if ok && known.Unmap() == address && counts(n) && c.links[n.LinkIndex] != "" {
				entries[c.links[n.LinkIndex]] = c.network.Owner(n.HardwareAddr)
			}
		}
	}
	return entries, nil
}

// Follower notes when clients of a crowd learn that an address is at another host.
type Follower struct {
	crowd     *Crowd
	addresses []netip.Addr
	stop      chan struct{}
	done      sync.WaitGroup

	mu      sync.Mutex
	known   map[string]string
	changes []Change
	err     error
}

// Change is that a client learns that an address is at another host.
type Change struct {
	Link, From, To string
	At             time.Time
}

// Follow begins to note changes. The test's end stops it.
func (c *Crowd) Follow(addresses ...netip.Addr) *Follower {
	c.t.Helper()
	f := &Follower{crowd: c, addresses: addresses, stop: make(chan struct{}), known: c.Entries(addresses...)}
	f.done.Go(f.run)
	c.t.Cleanup(func() { f.end() })
	return f
}

func (f *Follower) run() {
	tick := time.NewTicker(followInterval)
	defer tick.Stop()
	for ended := false; !ended; {
		select {
		case <-f.stop:
			ended = true // After a last look: who ends it has perhaps just seen a change.
		case <-tick.C:
		}
		entries, err := f.crowd.entries(f.addresses)
		f.note(time.Now(), entries, err)
	}
}

func (f *Follower) note(now time.Time, entries map[string]string, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err != nil {
		f.err = err
		return
	}
	for link, host := range entries {
		if before := f.known[link]; before != "" && before != host {
			f.changes = append(f.changes, Change{link, before, host, now})
		}
		f.known[link] = host
	}
}

// Changes are those so far, in order of time.
func (f *Follower) Changes() []Change {
	f.crowd.t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	check.Must(f.crowd.t, "follow the crowd", f.err)
	return slices.Clone(f.changes)
}

// Stop ends the noting and gives all changes.
func (f *Follower) Stop() []Change {
	f.crowd.t.Helper()
	f.end()
	return f.Changes()
}

func (f *Follower) end() {
	f.mu.Lock()
	select {
	case <-f.stop:
	default:
		close(f.stop)
	}
	f.mu.Unlock()
	f.done.Wait()
}

// Division is how many clients know the address at each host.
func Division(entries map[string]string) map[string]int {
	counts := map[string]int{}
	for _, host := range entries {
		counts[host]++
	}
	return counts
}
