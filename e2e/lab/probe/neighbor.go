package probe

import (
	"errors"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"sync"
	"time"

	"github.com/vishvananda/netlink"

	"github.com/daymark-lb/daymark/e2e/lab/check"
)

// answerTimeout is how long WhoHas waits for every answer. Answers take well under a millisecond here; a busy machine may
// take longer, and the one that is late is the one that must not be missed.
const answerTimeout = 300 * time.Millisecond

// WhoHas asks the segment for the address, by ARP or neighbor discovery, and names all hosts that answer, each once, sorted.
// More than one is a fault that an ordinary client does not see.
func (c Client) WhoHas(address netip.Addr) []string {
	c.t.Helper()
	return c.Holders(address)[address]
}

// Holders is WhoHas for many addresses in one go. An address that nobody answers for is not in it.
func (c Client) Holders(addresses ...netip.Addr) map[netip.Addr][]string {
	c.t.Helper()
	return c.solicit(addresses, false)
}

// Holder is the host that answers first when asked for the address, "" when none does.
func (c Client) Holder(address netip.Addr) string {
	c.t.Helper()
	if answers := c.solicit([]netip.Addr{address}, true)[address]; len(answers) > 0 {
		return answers[0]
	}
	return ""
}

// solicit asks once for each address, and listens until the first answer or for as long as answers may take.
func (c Client) solicit(addresses []netip.Addr, once bool) map[netip.Addr][]string {
	c.t.Helper()
	opened, on, err := c.solicitors(addresses)
	defer func() {
		for _, q := range opened {
			_ = q.Close()
		}
	}()
	check.Must(c.t, "ask who has addresses", err)
	for _, address := range addresses {
		check.Must(c.t, "ask who has "+address.String(), opened[on[address]].ask(address))
	}

	var mu sync.Mutex
	names := map[netip.Addr][]string{}
	note := func(address netip.Addr, mac net.HardwareAddr) (enough bool) {
		mu.Lock()
		defer mu.Unlock()
		if _, asked := on[address]; !asked {
			return false
		}
		names[address] = append(names[address], c.network.Owner(mac))
		return once
	}
	var errs []error
	var listening sync.WaitGroup
	deadline := time.Now().Add(answerTimeout)
	for _, q := range opened {
		listening.Go(func() {
			err := errors.Join(q.SetReadDeadline(deadline), receive(q, note))
			mu.Lock()
			defer mu.Unlock()
			errs = append(errs, err)
		})
	}
	listening.Wait()
	check.Must(c.t, "ask who has addresses", errors.Join(errs...))
	for address, all := range names {
		slices.Sort(all)
		names[address] = slices.Compact(all)
	}
	return names
}

// Resolved is the name of the host that the client's kernel believes to have the address, "" if it does not know.
func (c Client) Resolved(address netip.Addr) string {
	c.t.Helper()
	family := netlink.FAMILY_V4
	if address.Is6() {
		family = netlink.FAMILY_V6
	}
	neighbors, err := c.Netlink().NeighList(0, family)
	check.Must(c.t, "read the neighbor table", err)
	for _, n := range neighbors {
		if a, ok := netip.AddrFromSlice(n.IP); ok && a.Unmap() == address && len(n.HardwareAddr) > 0 {
			return c.network.Owner(n.HardwareAddr)
		}
	}
	return ""
}

// forget removes the neighbor entry of the host that serves a page. An entry that the kernel is still resolving stays:
// the packets that wait for it would be lost, although somebody may answer.
func (c Client) forget(page string) {
	parsed, err := url.Parse(page)
	if err != nil {
		return
	}
	address, family := net.ParseIP(parsed.Hostname()), netlink.FAMILY_V4
	if address.To4() == nil {
		family = netlink.FAMILY_V6
	}
	neighbors, err := c.Netlink().NeighList(0, family)
	if err != nil {
		return
	}
	for _, n := range neighbors {
		if n.IP.Equal(address) && n.State&(netlink.NUD_INCOMPLETE|netlink.NUD_FAILED) == 0 {
			_ = c.Netlink().NeighDel(&n) // which may just have gone
		}
	}
}
