package gossip

import (
	"net/netip"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// refuseTimeout is how long a host may take to refuse a connection.
const refuseTimeout = time.Second

// joinFailure is why the last attempt to reach a speaker failed.
type joinFailure struct {
	// text for a person; "": there was no attempt yet.
	text string
	// refused: the host said that nobody listens there.
	refused bool
}

// refused reports whether a connection was refused, by whomever.
func refused(err error) bool { return strings.Contains(err.Error(), "connection refused") }

// failureOf returns what an error of memberlist's Join means.
func failureOf(at netip.AddrPort, err error) joinFailure {
	if !refused(err) {
		return joinFailure{text: describe(err)}
	}
	if !refusedByHost(at) {
		return joinFailure{text: "a firewall rejects the connection"}
	}
	return joinFailure{text: describe(err), refused: true}
}

// describe returns in plain words what an error of memberlist's Join means. memberlist gives its errors as text only.
func describe(err error) string {
	text := err.Error()
	for _, known := range []struct{ sign, words string }{
		{"connection refused", "the connection is refused, as if no speaker ran there"},
		{"i/o timeout", "nothing answers"},
		{"no route to host", "there is no route to it"},
		{"network is unreachable", "its network is unreachable"},
		{"EOF", "it hangs up, as if its gossip key were another"},
		{"connection reset", "it hangs up, as if its gossip key were another, or this node unknown to it"},
		{"o installed keys could decrypt", "its gossip key is another"}, // "No" or "no", by version of memberlist
	} {
		if strings.Contains(text, known.sign) {
			return known.words
		}
	}
	return strings.TrimSpace(strings.Join(strings.Fields(text), " "))
}

// refusedByHost reports whether a host itself says, by a TCP reset, that nobody listens there. A firewall that rejects the
// connection by ICMP gives the same error ECONNREFUSED, but then a speaker may well be there. The socket's error queue
// tells the two apart.
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
		_, _ = unix.Poll([]unix.PollFd{{Fd: int32(socket), Events: unix.POLLOUT}}, int(refuseTimeout.Milliseconds())) //nolint:gosec // Small.
		code, _ := unix.GetsockoptInt(socket, unix.SOL_SOCKET, unix.SO_ERROR)
		if unix.Errno(code) != unix.ECONNREFUSED {
			return false
		}
	} else if err != unix.ECONNREFUSED {
		return false
	}
	// An ICMP error is in the error queue; a reset leaves it empty.
	_, _, _, _, err = unix.Recvmsg(socket, make([]byte, 64), make([]byte, 512), unix.MSG_ERRQUEUE)
	return err != nil
}
