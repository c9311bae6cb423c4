package netnstest

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// Namespace is a network namespace beside the one the tests run in. It ends with the test.
type Namespace struct{ handle netns.NsHandle }

// New creates a namespace with its loopback up.
func New(t testing.TB) *Namespace {
	t.Helper()
	n := &Namespace{handle: -1}
	onOwnThread(func() {
		var err error
		if n.handle, err = netns.New(); err == nil { // Creates and enters.
			err = loopbackUp()
		}
		if err != nil {
			t.Errorf("create a network namespace: %v", err)
		}
	})
	if t.Failed() {
		t.FailNow()
	}
	t.Cleanup(func() { _ = n.handle.Close() })
	return n
}

// Do runs f inside the namespace and ends the test when f fails it. Goroutines that f starts are outside again; sockets
// that f opens stay inside.
func (n *Namespace) Do(t testing.TB, f func()) {
	t.Helper()
	var err error
	onOwnThread(func() {
		if err = netns.Set(n.handle); err == nil {
			f()
		}
	})
	if err != nil {
		t.Errorf("enter the network namespace: %v", err)
	}
	if t.Failed() { // f may have failed on a goroutine that cannot end the test.
		t.FailNow()
	}
}

// Run runs a program inside the namespace and returns what it printed; a failure fails the test.
func (n *Namespace) Run(t testing.TB, name string, args ...string) string {
	t.Helper()
	output, err := n.Output(t, name, args...)
	if err != nil {
		t.Fatalf("%s %v: %v\n%s", name, args, err, output)
	}
	return output
}

// Output runs a program inside the namespace and returns all that it printed, and how it ended.
func (n *Namespace) Output(t testing.TB, name string, args ...string) (string, error) {
	t.Helper()
	var (
		output []byte
		err    error
	)
	n.Do(t, func() { output, err = exec.CommandContext(t.Context(), name, args...).CombinedOutput() })
	return string(output), err
}

// Sysctl sets a value below /proc/sys/net inside the namespace: Sysctl(t, "ipv6/conf/far0/accept_dad", "0").
func (n *Namespace) Sysctl(t testing.TB, key, value string) {
	t.Helper()
	var err error
	n.Do(t, func() { err = os.WriteFile("/proc/sys/net/"+key, []byte(value), 0) })
	if err != nil {
		t.Fatalf("set %s: %v", key, err)
	}
}

// Veth lays a cable from a link of the tests' own namespace to one in another, and waits until both ends have a
// carrier. It is removed at the end of the test.
func Veth(t testing.TB, near string, other *Namespace, far string) {
	t.Helper()
	attrs := netlink.NewLinkAttrs()
	attrs.Name = near
	cable := &netlink.Veth{LinkAttrs: attrs, PeerName: far, PeerNamespace: netlink.NsFd(other.handle)}
	if err := netlink.LinkAdd(cable); err != nil {
		t.Fatalf("create veth %s: %v", near, err)
	}
	t.Cleanup(func() { _ = netlink.LinkDel(cable) })
	Up(t, near)
	other.Do(t, func() { Up(t, far) })
	AwaitCarrier(t, near)
	other.Do(t, func() { AwaitCarrier(t, far) })
}

// Address adds an address to a link of the current namespace, usable at once.
func Address(t testing.TB, name string, address netip.Prefix) {
	t.Helper()
	link, err := netlink.LinkByName(name)
	if err != nil {
		t.Errorf("find link %s: %v", name, err)
		return
	}
	to := &netlink.Addr{IPNet: &net.IPNet{IP: address.Addr().AsSlice(), Mask: net.CIDRMask(address.Bits(), address.Addr().BitLen())}}
	if address.Addr().Is6() {
		to.Flags = unix.IFA_F_NODAD
	}
	if err := netlink.AddrAdd(link, to); err != nil {
		t.Errorf("add %s to %s: %v", address, name, err)
	}
}

// Up sets a link of the current namespace administratively up.
func Up(t testing.TB, name string) {
	t.Helper()
	if err := netlink.LinkSetUp(&netlink.Dummy{LinkAttrs: netlink.LinkAttrs{Name: name}}); err != nil {
		t.Errorf("set link %s up: %v", name, err)
	}
}

// AwaitCarrier waits until a link of the current namespace has a carrier and can send.
func AwaitCarrier(t testing.TB, name string) {
	t.Helper()
	Eventually(t, "link "+name+" has a carrier", func() error {
		link, err := netlink.LinkByName(name)
		if err == nil && link.Attrs().RawFlags&unix.IFF_RUNNING == 0 {
			return fmt.Errorf("link %s is %v", name, link.Attrs().OperState)
		}
		return err
	})
}

// Eventually asks again and again until the answer is nil, and fails the test when it is not within twenty seconds. It is
// for the state of kernels and of other programs, which have no event to wait for.
func Eventually(t testing.TB, what string, ask func() error) {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for {
		err := ask()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s: still not after 20 s: %v", what, err)
		}
		time.Sleep(2 * time.Millisecond)
	}
}

// onOwnThread runs f on a thread that ends with it, so that no other goroutine is ever in a foreign namespace.
func onOwnThread(f func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // Never unlocked: the thread dies with the goroutine.
		f()
	}()
	<-done
}
