package bgp

import (
	"context"
	"encoding/binary"
	"net"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// countSYNs counts the SYNs that leave by an interface to a port, until the test ends.
func countSYNs(t *testing.T, name string, port uint16) *atomic.Int32 {
	t.Helper()
	link, err := net.InterfaceByName(name)
	if err != nil {
		t.Fatal(err)
	}
	const protocol = uint16(unix.ETH_P_ALL) // Others do not see what leaves.
	bigEndian := binary.NativeEndian.Uint16(binary.BigEndian.AppendUint16(nil, protocol))
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, int(bigEndian))
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: bigEndian, Ifindex: link.Index}); err != nil {
		t.Fatal(err)
	}
	if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Usec: 50_000}); err != nil {
		t.Fatal(err)
	}
	var count atomic.Int32
	over, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		defer unix.Close(fd)
		packet := make([]byte, 2000)
		for {
			select {
			case <-over:
				return
			default:
			}
			n, _, err := unix.Recvfrom(fd, packet, 0)
			if err == nil && n >= 40 && packet[0] == 0x45 && packet[9] == unix.IPPROTO_TCP &&
				binary.BigEndian.Uint16(packet[22:]) == port && packet[33] == 0x02 {
				count.Add(1)
			}
		}
	}()
	t.Cleanup(func() { close(over); <-ended })
	return &count
}

func TestDial_SilentRouterIsSentFewSYNs(t *testing.T) {
	t.Parallel()
	c := newCable(t)
	neighbor := exec.Command("ip", "neigh", "replace", c.Theirs.String(), "lladdr", "02:00:00:00:00:01", "dev", c.Near) // Nobody.
	if output, err := neighbor.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, output)
	}
	silent := &settings{myASN: 64512, peerASN: 64513, address: c.Theirs, port: 179, connectTime: 30 * time.Second}
	syns := countSYNs(t, c.Near, 179)
	for patience, want := range map[time.Duration]int32{twoSYNs: 2, oneSYN: 1} {
		s := *silent
		s.patience = patience
		before := syns.Load()
		_, err := dialRouter(context.Background(), &s)
		if err == nil || !strings.HasSuffix(dialErrorText(&s, err.Error()), "no answer") {
			t.Errorf("after %s: %v", patience, err)
		}
		if got := syns.Load() - before; got != want {
			t.Errorf("in %s it is sent %d SYNs, want %d", patience, got, want)
		}
	}
}
