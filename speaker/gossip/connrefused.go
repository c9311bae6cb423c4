package gossip

import (
	"errors"
	"net/netip"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// refuseTimeout is how long a host may take to refuse a connection or datagrams, which are sent refuseInterval apart.
	refuseTimeout  = time.Second
	refuseInterval = 100 * time.Millisecond
	// closedTimeout is for how long it counts that a host has refused datagrams.
	closedTimeout = 30 * time.Second
	// silence is what is said of who does not answer, and silenceAfter how long attempts must have been without another answer for that.
	silence      = "nothing answers"
	silenceAfter = 30 * time.Second
)

// joinFailure is why the last attempt to reach a speaker failed.
type joinFailure struct {
	// text for a person; "": there was no attempt yet. seen is when an attempt last failed so.
	text string
	seen time.Time
	// refused: the host said that nobody listens there: by a reset of a connection and, since a firewall sends that as well, by ICMP to a
	// datagram. Where a firewall closes both ports as a host does, nobody can tell. closed is when the ICMP came.
	refused bool
	closed  time.Time
}

// refused reports whether a connection was refused, by whomever.
func refused(err error) bool { return strings.Contains(err.Error(), "connection refused") }

// refusalOf returns what it means that a connection from an address of ours was refused. before is the failure of the attempt before.
func refusalOf(from netip.Addr, at netip.AddrPort, err error, before joinFailure) joinFailure {
	switch {
	case !resets(from, at):
		return joinFailure{text: "a firewall rejects the connection"}
	case time.Since(before.closed) < closedTimeout:
		return before // A host answers few datagrams a second by ICMP, and our heartbeats are some of them.
	case !refusesDatagrams(from, at):
		return joinFailure{text: "the connection is refused, and datagrams are not: as by a firewall"}
	default:
		return joinFailure{text: describe(err), refused: true, closed: time.Now()}
	}
}

// steady returns what to say of an attempt that failed, and since when, by what was said before: of a host that does not answer ARP the kernel
// tells some attempts and lets others wait, and a firewall refuses only so many a second. Each change of the words is a write.
func steady(text string, now time.Time, before string, seen time.Time) (string, time.Time) {
	if text == silence && before != "" && now.Sub(seen) < silenceAfter {
		return before, seen
	}
	return text, now
}

// describe returns in plain words what an error of memberlist's Join means. memberlist gives its errors as text only.
func describe(err error) string {
	text := err.Error()
	for _, known := range []struct{ sign, words string }{
		{"connection refused", "the connection is refused: no speaker runs there, or a firewall rejects it"},
		{"i/o timeout", silence},
		{"no route to host", "its host is not there, or a firewall rejects the connection"},
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

// resets reports whether a connection is reset at once. A firewall that rejects it by ICMP gives the same error ECONNREFUSED; the socket's
// error queue tells the two apart.
func resets(from netip.Addr, at netip.AddrPort) bool {
	socket, err := dialOnce(unix.SOCK_STREAM, from, at)
	if socket < 0 {
		return false
	}
	defer unix.Close(socket) //nolint:errcheck // Nothing was sent.
	if errors.Is(err, unix.EINPROGRESS) {
		await(socket, unix.POLLOUT, refuseTimeout)
		code, _ := unix.GetsockoptInt(socket, unix.SOL_SOCKET, unix.SO_ERROR)
		err = unix.Errno(code)
	}
	if !errors.Is(err, unix.ECONNREFUSED) {
		return false
	}
	// An ICMP error is in the error queue; a reset leaves it empty.
	_, _, _, _, err = unix.Recvmsg(socket, make([]byte, 64), make([]byte, 512), unix.MSG_ERRQUEUE)
	return err != nil
}

// refusesDatagrams reports whether a datagram is answered by ICMP that says that the port is closed. A speaker drops the datagram.
func refusesDatagrams(from netip.Addr, at netip.AddrPort) bool {
	socket, err := dialOnce(unix.SOCK_DGRAM, from, at)
	if socket < 0 {
		return false
	}
	defer unix.Close(socket) //nolint:errcheck // Nothing waits there.
	for waited := time.Duration(0); err == nil && waited < refuseTimeout; waited += refuseInterval {
		if _, err = unix.Write(socket, []byte{0}); err == nil && await(socket, unix.POLLIN, refuseInterval) {
			_, err = unix.Read(socket, make([]byte, 1))
		}
	}
	return errors.Is(err, unix.ECONNREFUSED)
}

// await waits for a socket, and reports whether there is anything.
func await(socket int, what int16, timeout time.Duration) bool {
	n, _ := unix.Poll([]unix.PollFd{{Fd: int32(socket), Events: what}}, int(timeout.Milliseconds())) //nolint:gosec // Small.
	return n > 0
}

// dialOnce returns a socket that is being connected, from an address of ours if that is valid, and how that goes; -1: there is none.
func dialOnce(kind int, from netip.Addr, at netip.AddrPort) (int, error) {
	family, level, option := unix.AF_INET, unix.IPPROTO_IP, unix.IP_RECVERR
	if !at.Addr().Unmap().Is4() {
		family, level, option = unix.AF_INET6, unix.IPPROTO_IPV6, unix.IPV6_RECVERR
	}
	socket, err := unix.Socket(family, kind|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, err //nolint:wrapcheck // Nobody is told.
	}
	err = unix.SetsockoptInt(socket, level, option, 1)
	if err == nil && from.IsValid() && from.Unmap().Is4() == at.Addr().Unmap().Is4() {
		err = unix.Bind(socket, sockaddrOf(netip.AddrPortFrom(from, 0)))
	}
	if err != nil {
		_ = unix.Close(socket)
		return -1, err //nolint:wrapcheck // Nobody is told.
	}
	return socket, unix.Connect(socket, sockaddrOf(at)) //nolint:wrapcheck // It is compared.
}

func sockaddrOf(at netip.AddrPort) unix.Sockaddr {
	if addr := at.Addr().Unmap(); addr.Is4() {
		return &unix.SockaddrInet4{Port: int(at.Port()), Addr: addr.As4()}
	}
	return &unix.SockaddrInet6{Port: int(at.Port()), Addr: at.Addr().As16()}
}
