package connections

import (
	"errors"
	"fmt"
	"net"
	"strings"
	"syscall"
	"testing"

	"github.com/daymark-lb/daymark/internal/core/handover"
	"github.com/daymark-lb/daymark/internal/netnstest"
)

// A pod that connects to the address of a Service goes by the service proxy of its own node, whoever has the address: also while that node
// passes on what it does not know, and when the address comes and goes.
func TestRelay_PodsGoByTheirOwnNode(t *testing.T) {
	for _, mode := range []proxyMode{modeNFTables, modeIPTables} {
		t.Run(string(mode), func(t *testing.T) {
			r := newRig(t, 2, mode, true)
			pod := r.nodes[1].pod
			var talks []*talk
			for _, plan := range []handover.Plan{{}, pass(0, 1), {Counted: counted(vip4, vip6)}, {}} {
				r.set(1, plan)
				talks = append(talks, append(r.dialIn(pod, vip4, 2), r.dialIn(pod, vip6, 2)...)...)
				r.expect("pod1", talks)
				if passed, _ := r.counters(1); passed > 0 {
					t.Fatalf("%d of their packets were passed on", passed)
				}
			}
		})
	}
}

// What is neither TCP nor an error about it begins and ends as nobody can see: it is served where it arrives.
func TestRelay_PassesOnNothingButTCP(t *testing.T) {
	r := newRig(t, 2, modeNFTables, false)
	r.set(1, pass(0, 1))
	r.move(1)
	n := r.nodes[1]
	sh(t, n.ns, `nft 'table ip seen { counter came { }; counter served { };
		chain in { type filter hook prerouting priority -300; ip daddr 192.0.2.200 meta l4proto { udp, sctp, icmp } counter name came; }
		chain out { type filter hook prerouting priority -90; ip daddr 192.0.2.200 meta l4proto { udp, sctp, icmp } counter name served; }; }'`)
	protocols := map[int][]byte{
		syscall.IPPROTO_UDP:  {0x9c, 0x40, 0, 80, 0, 20, 19: 0},
		syscall.IPPROTO_SCTP: {0x9c, 0x40, 0, 80, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 20, 0, 0, 0, 1, 0, 1, 0, 0, 0, 1, 0, 1, 0, 0, 0, 1}, // INIT
		syscall.IPPROTO_ICMP: {8, 0, 0xf7, 0xff, 19: 0},                                                                                // echo request
	}
	r.client.Do(t, func() {
		for protocol, payload := range protocols {
			conn, err := net.ListenPacket(fmt.Sprintf("ip4:%d", protocol), "0.0.0.0")
			if err != nil {
				t.Fatal(err)
			}
			_, err = conn.WriteTo(payload, &net.IPAddr{IP: vip4.AsSlice()})
			if err := errors.Join(err, conn.Close()); err != nil {
				t.Fatal(err)
			}
		}
	})
	for _, name := range []string{"came", "served"} {
		netnstest.Eventually(t, "the packets have "+name, func() error {
			if seen := n.ns.Run(t, "nft", "list", "counter", "ip", "seen", name); !strings.Contains(seen, fmt.Sprintf("packets %d ", len(protocols))) {
				return errors.New(seen)
			}
			return nil
		})
	}
	if passed, _ := r.counters(1); passed > 0 {
		t.Errorf("%d packets were passed on", passed)
	}
}
