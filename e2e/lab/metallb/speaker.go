package metallb

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/mdlayher/arp"
	"github.com/mdlayher/ethernet"
	"github.com/mdlayher/packet"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"

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
	since := map[netip.Addr]time.Time{}
	for service, addresses := range services {
		if _, before := s.services[service]; !before {
			begun = append(begun, service)
		}
		for _, address := range addresses {
			since[address] = time.Now()
			if began, held := s.since[address]; held {
				since[address] = began
			}
		}
	}
	for service := range s.services {
		if _, still := services[service]; !still {
			ended = append(ended, service)
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

// announce has each speaker announce its Services, and writes who announces which, as the speakers do afterwards.
func (s *StandIn) announce(ctx context.Context, w *world) error {
	wanted := map[string]map[lb.Key][]netip.Addr{}
	for _, one := range s.speakers {
		wanted[one.node] = map[lb.Key][]netip.Addr{}
	}
	for _, service := range w.services {
		addresses := shown(service)
		if len(addresses) > 0 && w.serving[key(service)] && w.advertised(service, addresses[0]) {
			wanted[s.elect(addresses[0])][key(service)] = addresses
		}
	}
	var errs []error
	for _, one := range s.speakers {
		begun, ended := one.set(wanted[one.node])
		for _, service := range ended {
			errs = append(errs, s.write(ctx, one.node, service, false))
		}
		for _, service := range begun {
			errs = append(errs, s.write(ctx, one.node, service, true))
		}
	}
	return errors.Join(errs...)
}

// advertised says whether an L2Advertisement selects the pool and the Service. MetalLB after 0.16.1 does not announce a Service that may
// share its address while an advertisement has serviceSelectors.
func (w *world) advertised(service *corev1.Service, address netip.Addr) bool {
	for _, o := range w.advertisements {
		names, _, _ := unstructured.NestedStringSlice(o.Object, "spec", "ipAddressPools")
		p := w.poolOf(address)
		if p == nil || len(names) > 0 && !slices.Contains(names, p.name) {
			continue
		}
		selectors, _, _ := unstructured.NestedSlice(o.Object, "spec", "serviceSelectors")
		if len(selectors) == 0 {
			return true
		}
		if service.Annotations[sharingAnnotation] == "" && slices.ContainsFunc(selectors, func(item any) bool { return selects(item, service) }) {
			return true
		}
	}
	return false
}

func selects(item any, service *corev1.Service) bool {
	fields, _ := item.(map[string]any)
	var from metav1.LabelSelector
	if runtime.DefaultUnstructuredConverter.FromUnstructured(fields, &from) != nil {
		return false
	}
	selector, err := metav1.LabelSelectorAsSelector(&from)
	return err == nil && selector.Matches(labels.Set(service.Labels))
}

// elect the node of an address as MetalLB does: the first by a hash of both.
func (s *StandIn) elect(address netip.Addr) string {
	hash := func(one *speaker) []byte {
		sum := sha256.Sum256([]byte(one.node + "#" + address.String()))
		return sum[:]
	}
	return slices.MinFunc(s.speakers, func(a, b *speaker) int { return bytes.Compare(hash(a), hash(b)) }).node
}

// write the ServiceL2Status of a Service on a node, or delete it.
func (s *StandIn) write(ctx context.Context, node string, service lb.Key, announced bool) error {
	o := &unstructured.Unstructured{Object: map[string]any{"status": map[string]any{
		"node": node, "serviceName": service.Name, "serviceNamespace": service.Namespace,
	}}}
	o.SetGroupVersionKind(statuses.GroupVersionKind)
	o.SetNamespace(Namespace)
	o.SetName(fmt.Sprintf("l2-%s-%s-%s", node, service.Namespace, service.Name))
	do := func() error { return s.cluster.API().Delete(ctx, o) }
	if announced {
		do = func() error { return s.cluster.API().Create(ctx, o) }
	}
	err := do()
	if apierrors.IsNotFound(err) || apierrors.IsAlreadyExists(err) {
		return nil
	}
	return err
}
