package kubelet

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/netip"
	"strings"
	"sync"

	"golang.org/x/net/dns/dnsmessage"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/daymark-lb/daymark/e2e/lab/check"
)

// nameServer is a cluster's DNS in its least form: each question is a request to the API server. It knows Services, by the addresses of
// their clusters' or their endpoints, and nothing else.
type nameServer struct {
	api    client.Client
	udp    net.PacketConn
	tcp    net.Listener
	serves sync.WaitGroup
}

// serveNames answers at the address until Close.
func serveNames(address netip.AddrPort, api client.Client) (s *nameServer, err error) {
	s = &nameServer{api: api}
	ctx := context.Background()
	if s.udp, err = (&net.ListenConfig{}).ListenPacket(ctx, "udp", address.String()); err != nil {
		return nil, err
	}
	if s.tcp, err = (&net.ListenConfig{}).Listen(ctx, "tcp", address.String()); err != nil {
		return nil, errors.Join(err, s.udp.Close())
	}
	s.serves.Go(s.serveUDP)
	s.serves.Go(s.serveTCP)
	return s, nil
}

// Close ends it.
func (s *nameServer) Close() error {
	err := errors.Join(s.udp.Close(), s.tcp.Close())
	s.serves.Wait()
	return err
}

func (s *nameServer) serveUDP() {
	for {
		question := make([]byte, 1500)
		n, from, err := s.udp.ReadFrom(question)
		if err != nil {
			return
		}
		go func() {
			if answer, err := s.answer(question[:n]); err == nil {
				_, _ = s.udp.WriteTo(answer, from)
			}
		}()
	}
}

func (s *nameServer) serveTCP() {
	for {
		connection, err := s.tcp.Accept()
		if err != nil {
			return
		}
		go func() {
			defer func() { _ = connection.Close() }()
			var length [2]byte
			if _, err := io.ReadFull(connection, length[:]); err != nil {
				return
			}
			question := make([]byte, binary.BigEndian.Uint16(length[:]))
			if _, err := io.ReadFull(connection, question); err != nil {
				return
			}
			if answer, err := s.answer(question); err == nil {
				_, _ = connection.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(answer))), answer...))
			}
		}()
	}
}

// answer answers the one question of a message.
func (s *nameServer) answer(message []byte) ([]byte, error) {
	var parser dnsmessage.Parser
	header, err := parser.Start(message)
	if err != nil {
		return nil, err
	}
	question, err := parser.Question()
	if err != nil {
		return nil, err
	}
	addresses, err := s.resolve(question.Name.String())
	reply := dnsmessage.Message{
		Header:    dnsmessage.Header{ID: header.ID, Response: true, Authoritative: true, RecursionDesired: header.RecursionDesired, RecursionAvailable: true},
		Questions: []dnsmessage.Question{question},
	}
	if err != nil {
		reply.RCode = dnsmessage.RCodeNameError
	}
	for _, a := range addresses {
		resource := dnsmessage.ResourceHeader{Name: question.Name, Class: question.Class, TTL: 5}
		switch {
		case a.Is4() && question.Type == dnsmessage.TypeA:
			reply.Answers = append(reply.Answers, dnsmessage.Resource{Header: resource, Body: &dnsmessage.AResource{A: a.As4()}})
		case a.Is6() && question.Type == dnsmessage.TypeAAAA:
			reply.Answers = append(reply.Answers, dnsmessage.Resource{Header: resource, Body: &dnsmessage.AAAAResource{AAAA: a.As16()}})
		}
	}
	return reply.Pack()
}

// errNoName is for everything that is no Service.
var errNoName = errors.New("there is no such name")

// resolve returns the addresses of [HOSTNAME.]NAME.NAMESPACE.svc.cluster.local.
func (s *nameServer) resolve(name string) ([]netip.Addr, error) {
	labels := strings.Split(strings.TrimSuffix(strings.ToLower(name), ".svc.cluster.local."), ".")
	if !strings.HasSuffix(strings.ToLower(name), ".svc.cluster.local.") || len(labels) < 2 || len(labels) > 3 {
		return nil, errNoName
	}
	hostname, key := "", client.ObjectKey{Name: labels[len(labels)-2], Namespace: labels[len(labels)-1]}
	if len(labels) == 3 {
		hostname = labels[0]
	}
	ctx, cancel := check.Context()
	defer cancel()
	service := &corev1.Service{}
	if err := s.api.Get(ctx, key, service); err != nil {
		if apierrors.IsNotFound(err) {
			return nil, errNoName
		}
		return nil, err
	}
	if service.Spec.ClusterIP != corev1.ClusterIPNone && hostname == "" {
		return parseAddresses(service.Spec.ClusterIPs), nil
	}
	return s.endpoints(ctx, key, hostname)
}

// endpoints are the addresses behind a Service, those of one host name if one is given.
func (s *nameServer) endpoints(ctx context.Context, key client.ObjectKey, hostname string) (all []netip.Addr, err error) {
	slices := &discoveryv1.EndpointSliceList{}
	of := client.MatchingLabels{discoveryv1.LabelServiceName: key.Name}
	if err := s.api.List(ctx, slices, client.InNamespace(key.Namespace), of); err != nil {
		return nil, err
	}
	for _, slice := range slices.Items {
		for _, e := range slice.Endpoints {
			if hostname == "" || e.Hostname != nil && *e.Hostname == hostname {
				all = append(all, parseAddresses(e.Addresses)...)
			}
		}
	}
	return all, nil
}

func parseAddresses(texts []string) (all []netip.Addr) {
	for _, text := range texts {
		if a, err := netip.ParseAddr(text); err == nil {
			all = append(all, a)
		}
	}
	return all
}
