package metallb

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"sync"
	"time"

	"github.com/mdlayher/arp"
	"github.com/mdlayher/ethernet"
	"github.com/mdlayher/packet"

	"github.com/daymark-lb/daymark/e2e/lab"
	"github.com/daymark-lb/daymark/internal/core/lb"
)

// The times of internal/layer2/announcer.go: a gratuitous ARP at once, and again for a while.
const (
	gratuitousInterval = 1100 * time.Millisecond
	gratuitousTime     = 5 * time.Second
)

// speaker answers ARP on one node.
type speaker struct {
	node string
	mac  net.HardwareAddr
	conn *packet.Conn
	done chan struct{}

	mu    sync.Mutex
	since map[netip.Addr]time.Time
	// last gratuitous ARP of each address.
	last map[netip.Addr]time.Time
	// services that it announces, with their addresses.
	services map[lb.Key][]netip.Addr
}

func newSpeaker(node lab.Node) (*speaker, error) {
	s := &speaker{
		node: node.Name, mac: node.MAC, done: make(chan struct{}),
		since: map[netip.Addr]time.Time{}, last: map[netip.Addr]time.Time{}, services: map[lb.Key][]netip.Addr{},
	}
	err := node.Do(func() error {
		link, err := net.InterfaceByName("eth0")
		if err != nil {
			return fmt.Errorf("find eth0: %w", err)
		}
		s.conn, err = packet.Listen(link, packet.Raw, int(ethernet.EtherTypeARP), nil)
		return err
	})
	if err != nil {
		return nil, err
	}
	go s.run()
	return s, nil
}

func (s *speaker) close() error {
	err := s.conn.Close()
	<-s.done
	return err
}

// run answers, and says again where the addresses are, until the socket is closed.
func (s *speaker) run() {
	defer close(s.done)
	buffer := make([]byte, 2048)
	for {
		if err := s.conn.SetReadDeadline(time.Now().Add(gratuitousInterval / 4)); err != nil {
			return
		}
		n, _, err := s.conn.ReadFrom(buffer)
		if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
			return
		}
		s.mu.Lock()
		if err == nil {
			s.answer(buffer[:n])
		}
		s.repeat()
		s.mu.Unlock()
	}
}

// answer a request that is sent to everybody or to us.
func (s *speaker) answer(frame []byte) {
	var request arp.Packet
	var around ethernet.Frame
	if around.UnmarshalBinary(frame) != nil || request.UnmarshalBinary(around.Payload) != nil || request.Operation != arp.OperationRequest {
		return
	}
	toUs := bytes.Equal(around.Destination, s.mac) || bytes.Equal(around.Destination, ethernet.Broadcast)
	if _, held := s.since[request.TargetIP]; held && toUs {
		s.send(arp.OperationReply, request.TargetIP, request.SenderHardwareAddr, request.SenderIP)
	}
}

// repeat the gratuitous ARPs that are due, in both forms.
func (s *speaker) repeat() {
	now := time.Now()
	for address, since := range s.since {
		if now.Sub(since) > gratuitousTime || now.Sub(s.last[address]) < gratuitousInterval {
			continue
		}
		s.last[address] = now
		s.send(arp.OperationRequest, address, ethernet.Broadcast, address)
		s.send(arp.OperationReply, address, ethernet.Broadcast, address)
	}
}

// send a frame. One that is lost is asked for again.
func (s *speaker) send(operation arp.Operation, address netip.Addr, to net.HardwareAddr, target netip.Addr) {
	p, err := arp.NewPacket(operation, s.mac, address, to, target)
	if err != nil {
		return
	}
	payload, err := p.MarshalBinary()
	if err != nil {
		return
	}
	frame := ethernet.Frame{Destination: to, Source: s.mac, EtherType: ethernet.EtherTypeARP, Payload: payload}
	if out, err := frame.MarshalBinary(); err == nil {
		_, _ = s.conn.WriteTo(out, &packet.Addr{HardwareAddr: to})
	}
}

// set what it announces, and return the Services that are new and gone.
func (s *speaker) set(services map[lb.Key][]netip.Addr) (begun, ended []lb.Key) {
	s.mu.Lock()
	defer s.mu.Unlock()
	begun, ended = changes(s.services, services)
	since := map[netip.Addr]time.Time{}
	for _, addresses := range services {
		for _, address := range addresses {
			since[address] = time.Now()
			if began, held := s.since[address]; held {
				since[address] = began
			}
		}
	}
	for address := range s.last {
		if _, held := since[address]; !held {
			delete(s.last, address)
		}
	}
	s.services, s.since = services, since
	s.repeat()
	return begun, ended
}
