package wire

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/mdlayher/arp"
	"github.com/mdlayher/ethernet"
	"golang.org/x/net/bpf"
)

var (
	began   = time.Date(2026, 11, 27, 0, 0, 0, 0, time.UTC)
	vip     = netip.MustParseAddr("192.0.2.200")
	clientA = netip.MustParseAddr("192.0.2.100")
	router  = netip.MustParseAddr("192.0.2.1")
	n1      = netip.MustParseAddr("192.0.2.11")
	asker   = net.HardwareAddr{2, 0, 0, 0, 0, 100}
	nodes   = []string{"n1", "n2"}
)

func owner(mac net.HardwareAddr) string { return fmt.Sprintf("n%d", mac[5]) }

func frameOf(t *testing.T, op arp.Operation, from, to net.HardwareAddr, sender, target netip.Addr) Frame {
	t.Helper()
	p, err := arp.NewPacket(op, from, sender, to, target)
	if err != nil {
		t.Fatal(err)
	}
	payload, err := p.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	b, err := (&ethernet.Frame{Destination: to, Source: from, EtherType: ethernet.EtherTypeARP, Payload: payload}).MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	return Frame{began, b}
}

func TestParseResolution_TellsKindsApart(t *testing.T) {
	node := net.HardwareAddr{2, 0, 0, 0, 0, 1}
	for _, test := range []struct {
		name    string
		frame   Frame
		kind    Kind
		address netip.Addr
	}{
		{"who asks", frameOf(t, arp.OperationRequest, asker, ethernet.Broadcast, clientA, vip), Question, vip},
		{"who answers", frameOf(t, arp.OperationReply, node, asker, vip, clientA), Answer, vip},
		{"who announces by a request", frameOf(t, arp.OperationRequest, node, ethernet.Broadcast, vip, vip), Announcement, vip},
		{"who announces by a reply", frameOf(t, arp.OperationReply, node, ethernet.Broadcast, vip, vip), Announcement, vip},
		{"who probes", frameOf(t, arp.OperationRequest, node, ethernet.Broadcast, netip.IPv4Unspecified(), vip), Question, vip},
	} {
		if s, ok := ParseResolution(test.frame); !ok || s.Kind != test.kind || s.Address != test.address {
			t.Errorf("%s: kind %v of %s", test.name, s.Kind, s.Address)
		}
	}
	if _, ok := ParseResolution(Frame{began, make([]byte, 10)}); ok {
		t.Error("ten bytes are read")
	}
}

func TestFilters_TakeWhatTheyAreFor(t *testing.T) {
	question := frameOf(t, arp.OperationRequest, asker, ethernet.Broadcast, clientA, vip).Data
	neighbor := func(header, message byte) []byte {
		b := make([]byte, icmpv6At+24)
		binary.BigEndian.PutUint16(b[etherTypeAt:], typeIPv6)
		b[headerLength], b[headerLength+6], b[icmpv6At] = 0x60, header, message
		return b
	}
	update := speak(40000, 1, told(1), 100)[1].Data
	from := slices.Clone(update)
	copy(from[headerLength+20:], update[headerLength+22:headerLength+24])
	copy(from[headerLength+22:], update[headerLength+20:headerLength+22])
	web := slices.Clone(update)
	binary.BigEndian.PutUint16(web[headerLength+22:], 80)
	for _, test := range []struct {
		name            string
		frame           []byte
		resolution, bgp bool
	}{
		{"ARP", question, true, false},
		{"a solicitation", neighbor(58, solicitation), true, false},
		{"an advertisement", neighbor(58, advertised), true, false},
		{"an echo request", neighbor(58, 128), false, false},
		{"TCP by IPv6", neighbor(6, solicitation), false, false},
		{"to port 179", update, false, true},
		{"from port 179", from, false, true},
		{"to port 80", web, false, false},
	} {
		for filter, want := range map[*[]bpf.Instruction]bool{&Resolution: test.resolution, &BGP: test.bgp} {
			machine, err := bpf.NewVM(*filter)
			if err != nil {
				t.Fatal(err)
			}
			if n, err := machine.Run(test.frame); err != nil || n > 0 != want {
				t.Errorf("%s: %d bytes are taken, error %v; want %v", test.name, n, err, want)
			}
		}
	}
}

// answers plays questions every 20 ms; each word is who answers one, by the numbers of the nodes.
func answers(words ...string) Answers {
	a := Answers{}
	for i, word := range words {
		at := began.Add(time.Duration(i) * 20 * time.Millisecond)
		a.Add(Said{Frame: Frame{At: at}, Kind: Question, Address: vip, By: asker}, asker, owner)
		for _, digit := range word {
			by := net.HardwareAddr{2, 0, 0, 0, 0, byte(digit - '0')}
			a.Add(Said{Frame: Frame{At: at}, Kind: Answer, Address: vip, By: by}, asker, owner)
		}
	}
	return a
}

func TestAnswers_TellHowLongAndWho(t *testing.T) {
	const ms = time.Millisecond
	for _, test := range []struct {
		name           string
		words          []string
		unheld, shared time.Duration
		holder         string
	}{
		{"one holder", []string{"1", "1", "1"}, 0, 0, "n1"},
		{"one is replaced", []string{"1", "", "", "2", "2"}, 40 * ms, 0, ""},
		{"two for a moment", []string{"1", "12", "12", "2"}, 0, 40 * ms, ""},
		{"two of which one is no node", []string{"1", "19", "1"}, 0, 0, "n1"},
		{"nobody but one that is no node", []string{"1", "9", "1"}, 20 * ms, 0, ""},
		{"nobody to the end", []string{"1", "", ""}, 20 * ms, 0, ""},
		{"the longest of two counts", []string{"", "1", "", "", "1"}, 40 * ms, 0, ""},
		{"two of the same are one", []string{"11", "1"}, 0, 0, "n1"},
	} {
		a := answers(test.words...)
		if unheld, shared := a.Unheld(nodes).Lasted, a.Shared(nodes).Lasted; unheld != test.unheld || shared != test.shared {
			t.Errorf("%s: nobody for %s, two for %s", test.name, unheld, shared)
		}
		if got := a.Holders(nodes)[vip]; got != test.holder {
			t.Errorf("%s: held by %q", test.name, got)
		}
	}
	if left := answers("1", "", "1").Since(began.Add(10 * ms))[vip]; len(left) != 1 || len(left[0].By) > 0 {
		t.Errorf("since the second question: %v", left)
	}
}

// speak makes frames of bytes that n1 sends to the router, in segments of some bytes.
func speak(port uint16, first uint32, sent []byte, size int) (all []Frame) {
	segment := func(sequence uint32, flags byte, payload []byte) {
		b := make([]byte, headerLength+40, headerLength+40+len(payload)+3)
		binary.BigEndian.PutUint16(b[etherTypeAt:], typeIPv4)
		ip, from, to := b[headerLength:], n1.As4(), router.As4()
		ip[0], ip[9] = 0x45, 6
		binary.BigEndian.PutUint16(ip[2:], uint16(40+len(payload)))
		copy(ip[12:], from[:])
		copy(ip[16:], to[:])
		tcp := ip[20:]
		binary.BigEndian.PutUint16(tcp, port)
		binary.BigEndian.PutUint16(tcp[2:], bgpPort)
		binary.BigEndian.PutUint32(tcp[4:], sequence)
		tcp[12], tcp[13] = 5<<4, flags
		all = append(all, Frame{began, append(append(b, payload...), 0, 0, 0)}) // filled up
	}
	segment(first, 2, nil)
	sequence := first + 1
	for part := range slices.Chunk(sent, size) {
		segment(sequence, 16, part)
		sequence += uint32(len(part))
	}
	return all
}

func message(kind byte, body ...byte) []byte {
	b := append(make([]byte, 16), 0, byte(messageHeader+len(body)), kind)
	return append(b, body...)
}

// told is an UPDATE with a route for 198.19.0.x/32, or with its withdrawal.
func told(x byte) []byte    { return message(messageUpdate, 0, 0, 0, 0, 32, 198, 19, 0, x) }
func untold(x byte) []byte  { return message(messageUpdate, 0, 5, 32, 198, 19, 0, x, 0, 0) }
func endOfRIB() []byte      { return message(messageUpdate, 0, 0, 0, 0) }
func route(x byte) []string { return []string{fmt.Sprintf("198.19.0.%d/32", x)} }

func (s *Speakers) all() (all []string) {
	for x := range 10 {
		if prefix := netip.MustParsePrefix(fmt.Sprintf("198.19.0.%d/32", x)); len(s.Telling(prefix)) > 0 {
			all = append(all, prefix.String())
		}
	}
	return all
}

func TestSpeakers_FollowWhatIsTold(t *testing.T) {
	for _, test := range []struct {
		name  string
		lives [][]byte // what n1 says in each of its connections
		know  []string
		lost  []string
	}{
		{"a route", [][]byte{told(1)}, route(1), nil},
		{"a route and its withdrawal", [][]byte{slices.Concat(told(1), told(2), untold(1))}, route(2), []string{"198.19.0.1/32 withdrawn"}},
		{"the withdrawal of nothing", [][]byte{untold(1)}, nil, nil},
		{"a restart, all told again", [][]byte{told(1), slices.Concat(told(1), endOfRIB())}, route(1), nil},
		{"a restart, not at its end", [][]byte{told(1), told(2)}, []string{"198.19.0.1/32", "198.19.0.2/32"}, nil},
		{"a restart, and one is missing", [][]byte{told(1), slices.Concat(told(2), endOfRIB())}, route(2), []string{"198.19.0.1/32 not told again"}},
		{"a farewell", [][]byte{slices.Concat(told(1), message(messageNotification, 6, 2))}, nil, []string{"NOTIFICATION 6/2"}},
	} {
		for seed := range uint64(20) {
			random := rand.New(rand.NewPCG(seed, 0))
			s := NewSpeakers(router)
			for life, sent := range test.lives {
				port, first := uint16(40000+life), ^uint32(0)-uint32(random.IntN(60))
				frames := speak(port, first, sent, 1+random.IntN(30))
				// All again in other segments, the SYN once more, and some a third time.
				frames = append(frames, speak(port, first, sent, 1+random.IntN(30))...)
				for _, i := range random.Perm(len(frames) / 3) {
					frames = append(frames, frames[i])
				}
				s.Add(frames[0])
				rest := frames[1:]
				random.Shuffle(len(rest), func(i, j int) { rest[i], rest[j] = rest[j], rest[i] })
				for _, f := range rest {
					s.Add(f)
				}
			}
			var lost []string
			withdrawals, broken := s.Take()
			for _, w := range withdrawals {
				lost = append(lost, w.What)
			}
			if !reflect.DeepEqual(s.all(), test.know) || !reflect.DeepEqual(lost, test.lost) || broken > 0 {
				t.Errorf("%s, seed %d: knows %v, lost %v, %d broken; want %v, %v", test.name, seed, s.all(), lost, broken, test.know, test.lost)
			}
		}
	}
}

func TestSpeakers_SayWhenAStreamIsBroken(t *testing.T) {
	s := NewSpeakers(router)
	frames := speak(40000, 7, make([]byte, maxAhead+100_000), 50_000)
	for i, f := range frames {
		if i != 1 {
			s.Add(f)
		}
	}
	if _, broken := s.Take(); broken != 1 {
		t.Errorf("%d broken", broken)
	}
}
