package testnet

import (
	"context"
	"fmt"
	"net"
	"os"
	"runtime"
	"sync"
	"time"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
)

// Namespace is a network namespace. Its methods may be called from everywhere, whatever namespace the caller is in.
type Namespace struct {
	Name string // for messages; `ip netns exec` knows it if NewNamed made the namespace

	named   bool
	removed sync.RWMutex // held to read while a thread is in the namespace, to write when it is removed
	handle  netns.NsHandle
	netlink *netlink.Handle
}

// New makes a namespace with its loopback up.
func New(name string) (*Namespace, error) { return create(&Namespace{Name: name}, netns.New) }

// NewNamed makes a namespace that is a file in /run/netns, too.
func NewNamed(name string) (*Namespace, error) {
	return create(&Namespace{Name: name, named: true}, func() (netns.NsHandle, error) { return netns.NewNamed(name) })
}

// create calls make, which leaves its thread in the new namespace.
func create(n *Namespace, make func() (netns.NsHandle, error)) (*Namespace, error) {
	err := andReturn(func() (err error) {
		n.handle, err = make()
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("make namespace %s: %w", n.Name, err)
	}
	if err := n.open(); err != nil {
		return nil, err
	}
	return n, n.Up("lo")
}

// Current is the namespace that the calling thread is in. Close it, do not Remove it.
func Current(name string) (*Namespace, error) {
	handle, err := netns.GetFromPath("/proc/thread-self/ns/net")
	if err != nil {
		return nil, fmt.Errorf("find our own namespace: %w", err)
	}
	n := &Namespace{Name: name, handle: handle}
	return n, n.open()
}

func (n *Namespace) open() (err error) {
	if n.netlink, err = netlink.NewHandleAt(n.handle); err != nil {
		return fmt.Errorf("open netlink of %s: %w", n.Name, err)
	}
	return nil
}

// Netlink is the way to the links, addresses and routes of the namespace.
func (n *Namespace) Netlink() *netlink.Handle { return n.netlink }

// Do calls f with its thread in the namespace. Sockets that f opens stay there; goroutines that f starts do not.
func (n *Namespace) Do(f func() error) error {
	n.removed.RLock()
	defer n.removed.RUnlock()
	return andReturn(func() error {
		if err := netns.Set(n.handle); err != nil {
			return fmt.Errorf("enter %s: %w", n.Name, err)
		}
		return f()
	})
}

// andReturn calls f, which may change the namespace of its thread, and brings the thread back, even if f ends the goroutine.
func andReturn(f func() error) error {
	runtime.LockOSThread()
	before, err := netns.GetFromPath("/proc/thread-self/ns/net")
	if err != nil {
		return fmt.Errorf("remember our own namespace: %w", err)
	}
	defer func() { _ = before.Close() }()
	defer func() {
		// A thread that cannot return stays locked, so that no other goroutine gets it.
		if netns.Set(before) == nil {
			runtime.UnlockOSThread()
		}
	}()
	return f()
}

// dialTimeout ends connections that nobody waits for any more: an http.Transport goes on to dial for minutes when its
// caller has given up, and keeps a thread in the namespace.
const dialTimeout = 2 * time.Second

// Dial connects from the namespace. The address must be numeric: a name would be resolved from another namespace.
func (n *Namespace) Dial(ctx context.Context, network, address string) (conn net.Conn, err error) {
	err = n.Do(func() (err error) {
		conn, err = (&net.Dialer{Timeout: dialTimeout}).DialContext(ctx, network, address)
		return err
	})
	return conn, err
}

// Listen opens a TCP socket in the namespace.
func (n *Namespace) Listen(ctx context.Context, address string) (l net.Listener, err error) {
	err = n.Do(func() (err error) {
		l, err = (&net.ListenConfig{}).Listen(ctx, "tcp", address)
		return err
	})
	return l, err
}

// Sysctl sets values below /proc/sys/net: "ipv4/ip_forward" to "1". Names that the kernel does not know are an error.
func (n *Namespace) Sysctl(settings map[string]string) error {
	return n.Do(func() error {
		for name, value := range settings {
			if err := os.WriteFile("/proc/sys/net/"+name, []byte(value), 0); err != nil {
				return fmt.Errorf("set %s in %s: %w", name, n.Name, err)
			}
		}
		return nil
	})
}

// Close gives up our handles. The namespace stays while a process or a socket is in it.
func (n *Namespace) Close() error {
	n.netlink.Close()
	n.removed.Lock() // a connection that nobody waits for any more may still be under way
	defer n.removed.Unlock()
	if err := n.handle.Close(); err != nil {
		return fmt.Errorf("close %s: %w", n.Name, err)
	}
	return nil
}

// Remove deletes the namespace's veth links, with their other ends, and its name, and closes it. The kernel would delete the
// links too, but only some time after the namespace is unused.
func (n *Namespace) Remove() error {
	links, err := n.netlink.LinkList()
	if err != nil {
		return fmt.Errorf("list the links of %s: %w", n.Name, err)
	}
	for _, l := range links {
		if l.Type() == "veth" {
			_ = n.netlink.LinkDel(l)
		}
	}
	if err := n.Close(); err != nil {
		return err
	}
	if n.named {
		_ = netns.DeleteNamed(n.Name)
	}
	return nil
}
