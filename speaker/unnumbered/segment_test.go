package unnumbered

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mdlayher/ndp"
	"github.com/mdlayher/packet"
	"github.com/vishvananda/netlink"
	"golang.org/x/net/bpf"
	"golang.org/x/net/icmp"
	"golang.org/x/sys/unix"

	"github.com/daymark-lb/daymark/internal/netnstest"
)

func TestMain(m *testing.M) { os.Exit(netnstest.Main(m)) }

// runningDiscovery is a Discovery that the test can end.
type runningDiscovery struct {
	*Discovery
	t   *testing.T
	end func()
}

// start runs a Discovery until end is called or the test ends. The changes are made before it starts.
func start(t *testing.T, changes ...func(*Discovery)) *runningDiscovery {
	t.Helper()
	d := New(slog.New(slog.NewTextHandler(t.Output(), nil)))
	for _, change := range changes {
		change(d)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var ended sync.WaitGroup
	ended.Go(func() {
		if err := d.Start(ctx); err != nil {
			t.Errorf("Start: %v", err)
		}
	})
	r := &runningDiscovery{Discovery: d, t: t, end: func() {
		cancel()
		ended.Wait()
	}}
	t.Cleanup(r.end)
	return r
}

// mustSet sets interfaces, which must work.
func (r *runningDiscovery) mustSet(interfaces ...string) {
	r.t.Helper()
	if err := r.Set(r.t.Context(), interfaces); err != nil {
		r.t.Errorf("Set: %v", err)
	}
}

// await waits only for the Discovery's own wakes until ask returns nil.
func (r *runningDiscovery) await(what string, ask func() error) {
	r.t.Helper()
	timeout := time.After(10 * time.Second)
	for {
		err := ask()
		if err == nil {
			return
		}
		select {
		case <-r.Changes():
		case <-timeout:
			r.t.Fatalf("%s: no wake brought it: %v", what, err)
		}
	}
}

// awaitRouter waits until the router on an interface is want; noRouter: until there is none.
func (r *runningDiscovery) awaitRouter(name string, want netip.Addr) {
	r.t.Helper()
	r.await(fmt.Sprintf("the router on %s is %v", name, want), func() error {
		if got := r.Routers()[name]; got != want {
			return fmt.Errorf("it is %v, with problem %w", got, r.Problems()[name])
		}
		return nil
	})
}

// awaitProblem waits until the problem of an interface contains these words; "": until there is none.
func (r *runningDiscovery) awaitProblem(name, words string) {
	r.t.Helper()
	r.await(name+" complains: "+words, func() error {
		err := r.Problems()[name]
		switch {
		case err == nil && words == "":
			return nil
		case err == nil:
			return errors.New("there is no problem")
		case words == "" || !strings.Contains(err.Error(), words):
			return err
		}
		return nil
	})
}

// noRouter is what Routers has for an interface without a router.
var noRouter netip.Addr

// ip runs the ip command in our namespace.
func ip(t *testing.T, line string) {
	t.Helper()
	run(t, "ip", line)
}

// run runs a program in our namespace with the words of a line, also after the test has ended.
func run(t *testing.T, name, line string) {
	t.Helper()
	if output, err := exec.Command(name, strings.Fields(line)...).CombinedOutput(); err != nil {
		t.Errorf("%s %s: %v: %s", name, line, err, output)
	}
}

// sysctl sets a value below /proc/sys/net/ipv6/conf in our namespace.
func sysctl(t *testing.T, key, value string) {
	t.Helper()
	if err := os.WriteFile("/proc/sys/net/ipv6/conf/"+key, []byte(value), 0); err != nil {
		t.Fatal(err)
	}
}

// disableDAD saves new links the second that Duplicate Address Detection takes.
func disableDAD(t *testing.T) {
	t.Helper()
	sysctl(t, "default/accept_dad", "0")
	t.Cleanup(func() { sysctl(t, "default/accept_dad", "1") })
}

// farEnd is the other end of a cable, with a packet socket.
type farEnd struct {
	t     *testing.T
	space *netnstest.Namespace
	conn  *packet.Conn
	mac   net.HardwareAddr
}

// newFarEnd connects an interface named near to a namespace.
func newFarEnd(t *testing.T, near string) *farEnd {
	t.Helper()
	disableDAD(t)
	f := &farEnd{t: t, space: netnstest.New(t)}
	f.space.Sysctl(t, "ipv6/conf/default/accept_dad", "0")
	f.connect(near)
	linkLocalOf(t, near) // It takes a moment until the kernel has decided not to run Duplicate Address Detection.
	return f
}

// connect creates the cable; it may be called again after the cable was removed.
func (f *farEnd) connect(near string) {
	f.t.Helper()
	netnstest.Veth(f.t, near, f.space, "far0")
	f.space.Do(f.t, func() {
		link, err := net.InterfaceByName("far0")
		if err != nil {
			f.t.Error(err)
			return
		}
		f.mac = link.HardwareAddr
		// What far0 itself sends is not received.
		filter, err := bpf.Assemble([]bpf.Instruction{
			bpf.LoadExtension{Num: bpf.ExtType},
			bpf.JumpIf{Cond: bpf.JumpEqual, Val: unix.PACKET_OUTGOING, SkipTrue: 1},
			bpf.RetConstant{Val: 2048},
			bpf.RetConstant{Val: 0},
		})
		if err != nil {
			f.t.Error(err)
			return
		}
		f.conn, err = packet.Listen(link, packet.Raw, unix.ETH_P_IPV6, &packet.Config{Filter: filter})
		if err != nil {
			f.t.Error(err)
		}
	})
	f.t.Cleanup(func() { _ = f.conn.Close() })
}

// received is a message with its IPv6 header.
type received struct {
	message             ndp.Message
	source, destination netip.Addr
	hopLimit            uint8
	at                  time.Time
}

// receive waits for the next message of a type from us.
func receive[T ndp.Message](f *farEnd) (T, received) {
	f.t.Helper()
	frame := make([]byte, 2048)
	if err := f.conn.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
		f.t.Fatal(err)
	}
	for {
		n, _, err := f.conn.ReadFrom(frame)
		if errors.Is(err, unix.ENETDOWN) {
			continue // Reported once, after the link went down.
		}
		if err != nil {
			f.t.Fatalf("wait for a message: %v", err)
		}
		if n < 54 || frame[20] != unix.IPPROTO_ICMPV6 {
			continue
		}
		message, err := ndp.ParseMessage(frame[54:n])
		wanted, ok := message.(T)
		if err != nil || !ok {
			continue
		}
		return wanted, received{
			message: message, source: netip.AddrFrom16([16]byte(frame[22:38])),
			destination: netip.AddrFrom16([16]byte(frame[38:54])), hopLimit: frame[21], at: time.Now(),
		}
	}
}

// drain discards what we have sent until now.
func (f *farEnd) drain() {
	f.t.Helper()
	// A deadline in the past would be checked before the queue.
	raw, err := f.conn.SyscallConn()
	if err != nil {
		f.t.Fatal(err)
	}
	err = raw.Read(func(fd uintptr) bool {
		for {
			if _, err := unix.Read(int(fd), make([]byte, 2048)); errors.Is(err, unix.EAGAIN) {
				return true
			}
		}
	})
	if err != nil {
		f.t.Fatal(err)
	}
}

// frame is an ICMPv6 packet that can be invalid in any way.
type frame struct {
	source, destination netip.Addr
	hopLimit            byte
	message             []byte
	badSum              bool
}

// advert returns a valid Router Advertisement.
func (f *farEnd) advert(source string) frame {
	return frame{
		source: netip.MustParseAddr(source), destination: netip.IPv6LinkLocalAllNodes(), hopLimit: 255,
		message: marshal(f.t, routerAdvertisement(f.mac)),
	}
}

// send sends a frame as it is.
func (f *farEnd) send(what frame) {
	f.t.Helper()
	group := what.destination.As16()
	to := net.HardwareAddr{0x33, 0x33, group[12], group[13], group[14], group[15]}
	source, message := what.source.As16(), append([]byte(nil), what.message...)
	binary.BigEndian.PutUint16(message[2:], checksum(icmp.IPv6PseudoHeader(source[:], group[:]), message))
	if what.badSum {
		message[3] ^= 0xff
	}
	b := append(append(append([]byte(nil), to...), f.mac...), 0x86, 0xdd, 0x60, 0, 0, 0)
	b = binary.BigEndian.AppendUint16(b, uint16(len(message)))
	b = append(b, unix.IPPROTO_ICMPV6, what.hopLimit)
	b = append(append(append(b, source[:]...), group[:]...), message...)
	_, err := f.conn.WriteTo(b, &packet.Addr{HardwareAddr: to})
	if errors.Is(err, unix.ENETDOWN) { // Reported once, after the link was down.
		_, err = f.conn.WriteTo(b, &packet.Addr{HardwareAddr: to})
	}
	if err != nil {
		f.t.Fatal(err)
	}
}

// checksum returns the checksum of RFC 8200 section 8.1. The pseudo-header is made for MarshalMessage, without the
// length.
func checksum(pseudo, message []byte) uint16 {
	binary.BigEndian.PutUint32(pseudo[32:], uint32(len(message)))
	message[2], message[3] = 0, 0
	var sum uint32
	for _, part := range [][]byte{pseudo, message} {
		for i := 0; i+1 < len(part); i += 2 {
			sum += uint32(binary.BigEndian.Uint16(part[i:]))
		}
		if len(part)%2 == 1 {
			sum += uint32(part[len(part)-1]) << 8
		}
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return ^uint16(sum)
}

// linkLocalOf returns the link-local address of a link of our namespace.
func linkLocalOf(t *testing.T, name string) netip.Addr {
	t.Helper()
	var addr netip.Addr
	netnstest.Eventually(t, name+" has a link-local address", func() error {
		on, err := lookUp(name)
		if err == nil {
			addr = on.addresses[0]
		}
		return err
	})
	return addr
}

// macOf returns the MAC address of a link of our namespace.
func macOf(t *testing.T, name string) net.HardwareAddr {
	t.Helper()
	link, err := netlink.LinkByName(name)
	if err != nil {
		t.Fatal(err)
	}
	return link.Attrs().HardwareAddr
}
