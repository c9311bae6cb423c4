package lab

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"runtime"
	"sync"
	"time"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
)

// Host is a machine of the lab: a network namespace with a name that `ip netns exec` knows, and an interface eth0 on the
// segment once it is connected.
type Host struct {
	Name   string
	V4, V6 netip.Addr // its addresses on the segment
	MAC    net.HardwareAddr

	secondMAC net.HardwareAddr // of eth1, while there is one

	gone sync.RWMutex // held to read while somebody stands on the host, to write when it is removed
	ns   netns.NsHandle
	net  *netlink.Handle
}

func newHost(name string) (*Host, error) {
	h := &Host{Name: name}
	err := andReturn(func() (err error) {
		h.ns, err = netns.NewNamed(name) // which leaves the thread there
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("make host %s: %w", name, err)
	}
	return h, h.furnish()
}

// hereAsHost is the namespace that this process itself stands in.
func hereAsHost(name string) (*Host, error) {
	ns, err := netns.GetFromPath("/proc/thread-self/ns/net")
	if err != nil {
		return nil, fmt.Errorf("find our own namespace: %w", err)
	}
	h := &Host{Name: name, ns: ns}
	return h, h.furnish()
}

func (h *Host) furnish() (err error) {
	if h.net, err = netlink.NewHandleAt(h.ns); err != nil {
		return fmt.Errorf("open netlink of %s: %w", h.Name, err)
	}
	lo, err := h.net.LinkByName("lo")
	if err == nil {
		err = h.net.LinkSetUp(lo)
	}
	if err != nil {
		return fmt.Errorf("bring up lo of %s: %w", h.Name, err)
	}
	return h.sysctl(quietHost)
}

// quietHost makes hosts predictable: routes are what the lab set, and addresses are usable at once.
var quietHost = map[string]string{
	"ipv4/conf/all/rp_filter":                "0", // replies may take another way than requests
	"ipv4/conf/default/rp_filter":            "0",
	"ipv4/conf/all/accept_redirects":         "0",
	"ipv4/conf/all/send_redirects":           "0",
	"ipv4/conf/default/send_redirects":       "0",
	"ipv6/conf/all/accept_redirects":         "0",
	"ipv6/conf/all/keep_addr_on_down":        "1", // as IPv4 addresses are
	"ipv6/conf/default/accept_ra":            "0",
	"ipv6/conf/default/accept_dad":           "0",
	"ipv6/conf/default/dad_transmits":        "0",
	"ipv6/conf/default/router_solicitations": "0",
}

// forwards makes a host pass packets on: nodes and the router do.
var forwards = map[string]string{
	"ipv4/ip_forward":                "1",
	"ipv6/conf/all/forwarding":       "1",
	"ipv4/fib_multipath_hash_policy": "1", // spread connections, not hosts, over next hops
	"ipv6/fib_multipath_hash_policy": "1",
	"ipv4/conf/all/accept_local":     "0",
}

func (h *Host) sysctl(settings map[string]string) error {
	return h.Do(func() error {
		for name, value := range settings {
			err := os.WriteFile("/proc/sys/net/"+name, []byte(value), 0o644)
			if err != nil && !os.IsNotExist(err) { // a kernel without IPv6 or multipath has no such setting
				return fmt.Errorf("set %s on %s: %w", name, h.Name, err)
			}
		}
		return nil
	})
}

// Do calls f standing on the host. Sockets that f opens stay on the host; goroutines that f starts do not. f must not call Do.
func (h *Host) Do(f func() error) error {
	h.gone.RLock()
	defer h.gone.RUnlock()
	return andReturn(func() error {
		if err := netns.Set(h.ns); err != nil {
			return fmt.Errorf("enter %s: %w", h.Name, err)
		}
		return f()
	})
}

// andReturn calls f, which may change the namespace of its thread, and brings the thread home.
func andReturn(f func() error) error {
	runtime.LockOSThread()
	home, err := netns.GetFromPath("/proc/thread-self/ns/net")
	if err != nil {
		return fmt.Errorf("remember our own namespace: %w", err)
	}
	defer func() { _ = home.Close() }()
	defer func() {
		// A thread that cannot go home stays locked, so that nobody else is given it.
		if netns.Set(home) == nil {
			runtime.UnlockOSThread()
		}
	}()
	return f()
}

// dialTimeout is for connections that nobody waits for any more: an http.Transport goes on to dial when its caller has
// given up, which would be for minutes and keep a thread on the host.
const dialTimeout = 2 * time.Second

// Dial connects from the host. The address must be numeric: a name would be looked up from elsewhere.
func (h *Host) Dial(ctx context.Context, network, address string) (conn net.Conn, err error) {
	err = h.Do(func() (err error) {
		conn, err = (&net.Dialer{Timeout: dialTimeout}).DialContext(ctx, network, address)
		return err
	})
	return conn, err
}

// Listen opens a TCP socket on the host.
func (h *Host) Listen(ctx context.Context, address string) (l net.Listener, err error) {
	err = h.Do(func() (err error) {
		l, err = (&net.ListenConfig{}).Listen(ctx, "tcp", address)
		return err
	})
	return l, err
}

// remove takes the host away; what it had plugged in elsewhere goes with it.
func (h *Host) remove() error {
	links, err := h.net.LinkList()
	if err != nil {
		return fmt.Errorf("list the links of %s: %w", h.Name, err)
	}
	for _, l := range links {
		if l.Type() == "veth" { // at once: the kernel takes down an abandoned namespace in its own time
			_ = h.net.LinkDel(l)
		}
	}
	h.net.Close()
	h.gone.Lock() // a connection that nobody waits for any more may still be on its way
	defer h.gone.Unlock()
	if err := h.ns.Close(); err != nil {
		return fmt.Errorf("close %s: %w", h.Name, err)
	}
	_ = netns.DeleteNamed(h.Name) // the host this process stands on has no name to delete
	return nil
}
