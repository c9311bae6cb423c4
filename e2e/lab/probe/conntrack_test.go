package probe

import (
	"net"
	"testing"

	"github.com/vishvananda/netlink"
)

func TestUnserved_IsWhatNobodyAnswered(t *testing.T) {
	address, pod := net.ParseIP("192.0.2.200"), net.ParseIP("203.0.113.1")
	const established = 3
	for _, test := range []struct {
		name     string
		to, from net.IP
		state    uint8
		want     bool
	}{
		{"no service proxy has translated it", address, address, established, true},
		{"a pod serves it", address, pod, established, false},
		{"the pod never answered", address, pod, synSent, true},
		{"it is to another address", pod, pod, synSent, false},
	} {
		flow := &netlink.ConntrackFlow{ProtoInfo: &netlink.ProtoInfoTCP{State: test.state}}
		flow.Forward.DstIP, flow.Reverse.SrcIP = test.to, test.from
		if got := (unserved{address}).MatchConntrackFlow(flow); got != test.want {
			t.Errorf("%s: it is to be forgotten: %t", test.name, got)
		}
	}
}
