package layer2

import (
	"bytes"
	"net"
	"net/netip"
	"testing"

	"github.com/mdlayher/arp"
	"github.com/mdlayher/ndp"

	"github.com/daymark-lb/daymark/internal/core/lb"
	"github.com/daymark-lb/daymark/internal/traceapi"
	"github.com/daymark-lb/daymark/internal/traceapi/tracetest"
	"github.com/daymark-lb/daymark/speaker/trace"
)

// fakeHandler knows that proxy is the MAC address of n2.
type fakeHandler struct{}

func (fakeHandler) stale() bool                        { return false }
func (fakeHandler) addressInUse(string, addressUse)    {}
func (fakeHandler) serves(_ string, r *requester) bool { return r.of.serves(r.client) }
func (fakeHandler) ownerOf(m mac) (owner, bool)        { return owner{node: "n2"}, m == proxy }

func tracedSocket(family lb.Family, tracer *trace.Tracer, known addressSet) *socket {
	s := &socket{
		name: "eth0", nic: nic{mac: us}, protocol: protocols[family], metrics: newMetrics(nil).of(family), handler: fakeHandler{}, tracer: tracer,
	}
	s.store(known)
	return s
}

func TestSocket_TracesWhatItDecides(t *testing.T) {
	announcementOf := func(by mac, addr netip.Addr) []byte { return gratuitousARP(by, addr)[0] }
	for _, test := range []struct {
		name     string
		addr     netip.Addr
		known    addressSet
		standing trace.Standing
		frame    []byte
		did      reaction
		want     string
	}{
		{
			"answered", vip4, held4,
			trace.Standing{},
			request(broadcast, client4, vip4), answered,
			"ARP in eth0: who has 192.0.2.10, by 192.0.2.1 (02:00:00:00:00:09): answered",
		},
		{
			"held by another", vip4, nil,
			trace.Standing{Layer2: "n2 holds it"},
			request(broadcast, client4, vip4), nothing,
			"ARP in eth0: who has 192.0.2.10, by 192.0.2.1 (02:00:00:00:00:09): not answered: n2 holds it",
		},
		{
			"answered elsewhere", vip4, nil,
			trace.Standing{Holds: true},
			request(broadcast, client4, vip4), nothing,
			"ARP in eth0: who has 192.0.2.10, by 192.0.2.1 (02:00:00:00:00:09): not answered: this node answers for it on other interfaces",
		},
		{
			"probed first", vip4, addressesOf(false, vip4),
			trace.Standing{},
			request(broadcast, client4, vip4), nothing,
			"ARP in eth0: who has 192.0.2.10, by 192.0.2.1 (02:00:00:00:00:09): not answered: it is probed first, because no node has announced it before, " +
				"or a host outside the cluster has it",
		},
		{
			"stale", vip4, held4,
			trace.Standing{},
			request(broadcast, client4, vip4), wasStale,
			"ARP in eth0: who has 192.0.2.10, by 192.0.2.1 (02:00:00:00:00:09): not answered: this process was stopped for a while, and others may have " +
				"taken the address over",
		},
		{
			"not sent", vip4, held4,
			trace.Standing{},
			request(broadcast, client4, vip4), couldNotSend,
			"ARP in eth0: who has 192.0.2.10, by 192.0.2.1 (02:00:00:00:00:09): not answered: the kernel did not send the answer",
		},
		{
			"a probe", vip4, held4,
			trace.Standing{},
			request(broadcast, netip.IPv4Unspecified(), vip4), answered,
			"ARP in eth0: probe: who has 192.0.2.10, by 02:00:00:00:00:09: answered",
		},
		{
			"announced by a node", vip4, nil,
			trace.Standing{},
			announcementOf(proxy, vip4), nothing,
			"ARP in eth0: announcement: 192.0.2.10 is at 02:00:00:00:00:08: used by node n2",
		},
		{
			"announced by a foreign host", vip4, nil,
			trace.Standing{},
			announcementOf(client, vip4), nothing,
			"ARP in eth0: announcement: 192.0.2.10 is at 02:00:00:00:00:09: used by a host outside the cluster",
		},
		{
			"the sender is traced", client4, nil,
			trace.Standing{},
			request(broadcast, client4, vip4), nothing,
			"ARP in eth0: who has 192.0.2.10, by 192.0.2.1 (02:00:00:00:00:09): used by a host outside the cluster",
		},
		{
			"NDP", vip6, nil,
			trace.Standing{Layer2: "n2 holds it"},
			solicit(groupMAC6, client6, group6, vip6, link(ndp.Source, client)), nothing,
			"NDP in eth0: who has 2001:db8::10, by fe80::9 (02:00:00:00:00:09): not answered: n2 holds it",
		},
		{
			"an invalid request", vip6, addressesOf(true, vip6),
			trace.Standing{},
			solicit(groupMAC6, client6, client6, vip6), nothing,
			"NDP in eth0: who has 2001:db8::10, by fe80::9 (02:00:00:00:00:09): not answered: the request is not valid",
		},
		{
			"NDP, announced by a node", vip6, nil,
			trace.Standing{},
			unsolicitedAdvertisement(proxy, vip6)[0], nothing,
			"NDP in eth0: announcement: 2001:db8::10 is at 02:00:00:00:00:08: used by node n2",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			tracer := trace.New("n1")
			next := tracetest.Listen(t, tracer, test.addr)
			tracer.Tell(map[netip.Addr]trace.Standing{test.addr: test.standing})
			tracedSocket(lb.FamilyOf(test.addr), tracer, test.known).traceReceived(test.frame, test.did)
			e := next()
			if e.Direction == "" { // what Tell told
				e = next()
			}
			if got := string(e.Protocol) + " " + string(e.Direction) + " " + e.On + ": " + e.Summary + ": " + e.Decision; got != test.want {
				t.Errorf("%s\nwant\n%s", got, test.want)
			}
			if !bytes.Equal(e.Frame, test.frame) {
				t.Errorf("the frame is %x", e.Frame)
			}
		})
	}
}

func TestSocket_TracesWhatItSends(t *testing.T) {
	tracer := trace.New("n1")
	next := tracetest.Listen(t, tracer, vip4)
	s := tracedSocket(lb.IPv4, tracer, held4)
	s.traceSent(arpFrame(client, arp.OperationReply, us, vip4, client, client4), asAnswer)
	s.traceSent(gratuitousARP(us, vip4)[1], asAnnouncement)
	s.traceSent(probeARP(us, vip4), asProbe)
	for _, want := range []string{
		"192.0.2.10 is at 02:00:00:00:00:01, to 192.0.2.1 (02:00:00:00:00:09): the answer",
		"announcement: 192.0.2.10 is at 02:00:00:00:00:01: announced: this node holds it",
		"probe: who has 192.0.2.10, by 02:00:00:00:00:01: asked: no node has announced it before, so a host outside the cluster may have it",
	} {
		if e := next(); e.Summary+": "+e.Decision != want || e.Direction != traceapi.Out {
			t.Errorf("%+v\nwant %s", e, want)
		}
	}
}

func TestSocket_TracesARequestBeforeItsAnswer(t *testing.T) {
	cable, tracer := newSegment(t, "near0"), trace.New("n1")
	near, err := net.InterfaceByName(cable.near)
	if err != nil {
		t.Fatal(err)
	}
	s, err := open(socketKey{cable.near, lb.IPv4}, nic{index: near.Index, mac: us}, newMetrics(nil).of(lb.IPv4), fakeHandler{}, tracer)
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	s.store(held4)
	next := tracetest.Listen(t, tracer, vip4)
	s.handleFrame(request(broadcast, client4, vip4))
	for _, want := range []string{"in: answered", "out: the answer"} {
		if e := next(); string(e.Direction)+": "+e.Decision != want {
			t.Errorf("%+v\nwant %s", e, want)
		}
	}
}

// TestResponder_ListensWhereSomebodyTraces though it answers nothing there, and no longer than that.
func TestResponder_ListensWhereSomebodyTraces(t *testing.T) {
	s := newSegment(t, "near0")
	tracer := trace.New("n1")
	r := begin(t, Config{Tracer: tracer})
	mustSet(t, r, nil)
	next := tracetest.Listen(t, tracer, vip4)
	r.Listen([]netip.Addr{vip4}, []string{"near0", "none0"})
	if found := s.answers(t, vip4); len(found) > 0 {
		t.Errorf("answered: %v", found)
	}
	if e := next(); e.Decision != "not answered: this node does not hold it" {
		t.Errorf("%+v", e)
	}
	r.Listen(nil, nil)
	if open := *r.live.Load(); len(open) > 0 {
		t.Errorf("%d sockets are left", len(open))
	}
}

// BenchmarkSocket_HandleFrame is the cost of a request that is not for us, with nobody who traces, and with somebody who traces another
// address. Neither may cost memory.
func BenchmarkSocket_HandleFrame(b *testing.B) {
	for _, test := range []struct {
		name   string
		tracer *trace.Tracer
		traced bool
	}{{"without", nil, false}, {"off", trace.New("n1"), false}, {"another address", trace.New("n1"), true}} {
		b.Run("trace="+test.name, func(b *testing.B) {
			if test.traced {
				tracetest.Listen(b, test.tracer, vip4.Next())
			}
			s := tracedSocket(lb.IPv4, test.tracer, holding(1000))
			frame := request(broadcast, client4, client4.Next())
			b.ReportAllocs()
			for b.Loop() {
				s.handleFrame(frame)
			}
		})
	}
}
