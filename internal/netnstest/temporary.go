package netnstest

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"testing"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// AddTemporary makes the kernel form a temporary IPv6 address (RFC 8981) from our address, and waits until it is what programs dial
// from when they say nothing.
func (c *Cable) AddTemporary(t testing.TB) (temporary netip.Addr) {
	t.Helper()
	for key, value := range map[string]string{"use_tempaddr": "2", "accept_dad": "0"} {
		must(t, os.WriteFile("/proc/sys/net/ipv6/conf/"+c.Near+"/"+key, []byte(value), 0))
	}
	must(t, exec.CommandContext(t.Context(), "ip", "addr", "replace", c.Ours6.String()+"/64", "dev", c.Near, "mngtmpaddr").Run())
	Eventually(t, "there is a temporary address", func() (err error) {
		temporary, err = temporaryOf(c.Near)
		return err
	})
	plain, err := net.Dial("udp", netip.AddrPortFrom(c.Theirs6, 179).String())
	must(t, err)
	must(t, plain.Close())
	if from := plain.LocalAddr().(*net.UDPAddr).AddrPort().Addr(); from != temporary {
		t.Fatalf("programs dial from %s, not from the temporary address %s: nothing would be tested", from, temporary)
	}
	return temporary
}

// temporaryOf is the temporary address of a link; an error while it has none that can be used.
func temporaryOf(name string) (netip.Addr, error) {
	link, err := netlink.LinkByName(name)
	if err != nil {
		return netip.Addr{}, fmt.Errorf("find %s: %w", name, err)
	}
	all, err := netlink.AddrList(link, netlink.FAMILY_V6)
	if err != nil {
		return netip.Addr{}, fmt.Errorf("list the addresses of %s: %w", name, err)
	}
	for _, a := range all {
		if addr, ok := netip.AddrFromSlice(a.IP); ok && a.Flags&unix.IFA_F_TEMPORARY != 0 && a.Flags&unix.IFA_F_TENTATIVE == 0 {
			return addr, nil
		}
	}
	return netip.Addr{}, fmt.Errorf("%s has %v", name, all)
}
