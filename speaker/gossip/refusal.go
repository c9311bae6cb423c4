package gossip

import (
	"net/netip"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// refusalWait is how long a host may take to refuse a connection.
const refusalWait = time.Second

// outcome of an attempt to reach a speaker that failed.
func outcome(at netip.AddrPort, err error) attempt {
	if !strings.Contains(err.Error(), "connection refused") {
		return attempt{words: inWords(err)}
	}
	if !refusedByHost(at) {
		return attempt{words: "a firewall rejects the connection"}
	}
	return attempt{words: inWords(err), refused: true}
}

// refusedByHost reports whether a host itself says that nobody listens there, by a reset. A firewall on the way that
// rejects the connection by ICMP looks the same to a program that does not ask; but then a speaker may well be there.
func refusedByHost(at netip.AddrPort) bool {
	family, level, option := unix.AF_INET, unix.IPPROTO_IP, unix.IP_RECVERR
	var to unix.Sockaddr
	if addr := at.Addr().Unmap(); addr.Is4() {
		to = &unix.SockaddrInet4{Port: int(at.Port()), Addr: addr.As4()}
	} else {
		family, level, option = unix.AF_INET6, unix.IPPROTO_IPV6, unix.IPV6_RECVERR
		to = &unix.SockaddrInet6{Port: int(at.Port()), Addr: addr.As16()}
	}
	socket, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return false
	}
	defer unix.Close(socket) //nolint:errcheck // Nothing was sent.
	if err := unix.SetsockoptInt(socket, level, option, 1); err != nil {
		return false
	}
	if err := unix.Connect(socket, to); err == unix.EINPROGRESS {
		_, _ = unix.Poll([]unix.PollFd{{Fd: int32(socket), Events: unix.POLLOUT}}, int(refusalWait.Milliseconds())) //nolint:gosec // Small.
		code, _ := unix.GetsockoptInt(socket, unix.SOL_SOCKET, unix.SO_ERROR)
		if unix.Errno(code) != unix.ECONNREFUSED {
			return false
		}
	} else if err != unix.ECONNREFUSED {
		return false
	}
	// What came by ICMP waits in the queue of errors.
	_, _, _, _, err = unix.Recvmsg(socket, make([]byte, 64), make([]byte, 512), unix.MSG_ERRQUEUE)
	return err != nil
}
