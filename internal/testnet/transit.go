package testnet

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// Transit measures how long TCP segments with data take from the kernel of one host to that of another, by the time at which the kernels
// saw them. How long programs wait for a processor is not in it.
type Transit struct {
	from, to sightings
	ended    atomic.Bool
	done     sync.WaitGroup
}

// sightings are when each segment was first seen at one end.
type sightings struct {
	mu    sync.Mutex
	first map[segmentID]time.Time
	// again is how many were seen once more: TCP sent them again.
	again int
}

// segmentID tells a segment from others, also after its addresses and ports have been translated.
type segmentID struct{ sequence, acknowledged, length uint32 }

// transitBuffer is how much a socket keeps while this program has no processor.
const transitBuffer = 32 << 20

// NewTransit measures what one host sends to another until Close.
func NewTransit(from, to *Namespace) (*Transit, error) {
	m := &Transit{}
	m.Reset()
	if err := errors.Join(m.listen(from, &m.from, unix.PACKET_OUTGOING), m.listen(to, &m.to, unix.PACKET_HOST)); err != nil {
		m.Close()
		return nil, err
	}
	return m, nil
}

// Close ends measuring.
func (m *Transit) Close() {
	m.ended.Store(true)
	m.done.Wait()
}

// Reset forgets what was measured.
func (m *Transit) Reset() {
	for _, s := range []*sightings{&m.from, &m.to} {
		s.mu.Lock()
		s.first, s.again = map[segmentID]time.Time{}, 0
		s.mu.Unlock()
	}
}

// Times are how long segments took that have arrived, sorted, and how often the sender sent one again.
func (m *Transit) Times() (times []time.Duration, again int) {
	m.from.mu.Lock()
	defer m.from.mu.Unlock()
	m.to.mu.Lock()
	defer m.to.mu.Unlock()
	for id, arrived := range m.to.first {
		if sent, is := m.from.first[id]; is {
			times = append(times, arrived.Sub(sent))
		}
	}
	slices.Sort(times)
	return times, m.from.again
}

// listen notes the segments of a namespace that come in one direction.
func (m *Transit) listen(at *Namespace, seen *sightings, direction uint8) error {
	var fd int
	err := at.Do(func() (err error) {
		fd, err = unix.Socket(unix.AF_PACKET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, int(htons(unix.ETH_P_ALL)))
		return err
	})
	if err != nil {
		return fmt.Errorf("listen in %s: %w", at.Name, err)
	}
	if unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, transitBuffer) != nil {
		// Only root may have that much. With less some segments are missed, which are not measured then.
		err = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, transitBuffer)
	}
	err = errors.Join(err,
		unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TIMESTAMPNS, 1),
		unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Usec: 100_000}),
	)
	if err != nil {
		return errors.Join(err, unix.Close(fd))
	}
	m.done.Go(func() {
		defer func() { _ = unix.Close(fd) }()
		packet, control := make([]byte, 128), make([]byte, 128)
		for !m.ended.Load() {
			n, controls, _, from, err := unix.Recvmsg(fd, packet, control, 0)
			link, known := from.(*unix.SockaddrLinklayer)
			if err != nil || !known || link.Pkttype != direction {
				continue
			}
			id, isData := parseSegment(packet[:n])
			if at, stamped := stamp(control[:controls]); isData && stamped {
				seen.add(id, at)
			}
		}
	})
	return nil
}

func (s *sightings) add(id segmentID, at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, before := s.first[id]; before {
		s.again++
		return
	}
	s.first[id] = at
}

// stamp is the time in the control messages of a packet, at which the kernel saw it.
func stamp(control []byte) (time.Time, bool) {
	messages, err := unix.ParseSocketControlMessage(control)
	if err != nil {
		return time.Time{}, false
	}
	for _, m := range messages {
		if m.Header.Level == unix.SOL_SOCKET && m.Header.Type == unix.SO_TIMESTAMPNS && len(m.Data) >= 16 {
			seconds, nanoseconds := binary.NativeEndian.Uint64(m.Data), binary.NativeEndian.Uint64(m.Data[8:])
			return time.Unix(int64(seconds), int64(nanoseconds)), true
		}
	}
	return time.Time{}, false
}

// parseSegment reads the head of an IP packet (RFC 791, RFC 8200 without extension headers); false: it has no data of TCP.
func parseSegment(packet []byte) (id segmentID, isData bool) {
	const heads4, heads6, tcpHead = 20, 40, 20
	if len(packet) < heads4 {
		return id, false
	}
	var total, head int
	var protocol byte
	switch packet[0] >> 4 {
	case 4:
		total, head, protocol = int(binary.BigEndian.Uint16(packet[2:])), int(packet[0]&15)*4, packet[9]
	case 6:
		if len(packet) < heads6 {
			return id, false
		}
		total, head, protocol = heads6+int(binary.BigEndian.Uint16(packet[4:])), heads6, packet[6]
	}
	if protocol != unix.IPPROTO_TCP || len(packet) < head+tcpHead {
		return id, false
	}
	tcp := packet[head:]
	length := total - head - int(tcp[12]>>4)*4
	if length <= 0 {
		return id, false
	}
	return segmentID{binary.BigEndian.Uint32(tcp[4:]), binary.BigEndian.Uint32(tcp[8:]), uint32(length)}, true
}

func htons(n uint16) uint16 { return n<<8 | n>>8 }
