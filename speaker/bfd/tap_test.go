package bfd

import (
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/daymark-lb/daymark/internal/netnstest"
)

// tapProcess is the variable that marks a process that records when packets arrive at the other end of a cable. It is a
// separate process, so that the load of this one does not delay it.
const tapProcess = "DAYMARK_TEST_BFD_TAP"

// startTap starts that process. end stops it and returns the gaps between the packets to each address.
func startTap(b *testing.B, c *cable) (end func() []time.Duration) {
	b.Helper()
	tap := netnstest.NewDaemon(b, c.Other, "tap", "/proc/self/exe")
	tap.Env = []string{tapProcess + "=1"}
	stdin, stop, err := os.Pipe()
	if err != nil {
		b.Fatal(err)
	}
	tap.Stdin = stdin
	tap.Start()
	return func() (gaps []time.Duration) {
		stop.Close()
		tap.Wait()
		stdin.Close()
		for line := range strings.Lines(tap.Output()) {
			var gap time.Duration
			if _, err := fmt.Sscan(line, &gap); err != nil {
				b.Fatalf("%q: %v", line, err)
			}
			gaps = append(gaps, gap)
		}
		return gaps
	}
}

// runTap records gaps until its standard input ends, and prints them in nanoseconds.
func runTap() int {
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_DGRAM, int(binary.NativeEndian.Uint16([]byte{0x08, 0x00}))) // IPv4.
	if err == nil {
		err = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TIMESTAMPNS, 1)
	}
	if err == nil {
		err = unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Usec: 100000})
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	var ended atomic.Bool
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		ended.Store(true)
	}()
	last := map[[4]byte]time.Duration{}
	var gaps []time.Duration
	for !ended.Load() {
		to, at, ok := tapOne(fd)
		if before, seen := last[to]; ok && seen {
			gaps = append(gaps, at-before)
		}
		if ok {
			last[to] = at
		}
	}
	for _, gap := range gaps {
		fmt.Println(int64(gap))
	}
	return 0
}

// tapOne receives a packet. ok is false when it is not a packet of a session. It returns the destination, and when the
// kernel received it.
func tapOne(fd int) (to [4]byte, at time.Duration, ok bool) {
	var frame, control [200]byte
	n, controls, _, from, err := unix.Recvmsg(fd, frame[:], control[:], 0)
	sender, is := from.(*unix.SockaddrLinklayer)
	if err != nil || !is || sender.Pkttype != unix.PACKET_HOST || n < 28 || frame[9] != unix.IPPROTO_UDP ||
		binary.BigEndian.Uint16(frame[22:]) != singleHopPort {
		return to, 0, false
	}
	header, data, _, err := unix.ParseOneSocketControlMessage(control[:controls])
	if err != nil || header.Type != unix.SCM_TIMESTAMPNS {
		return to, 0, false
	}
	seconds, nanoseconds := binary.NativeEndian.Uint64(data), binary.NativeEndian.Uint64(data[8:])
	return [4]byte(frame[16:20]), time.Duration(seconds)*time.Second + time.Duration(nanoseconds), true
}
