package connections

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/nftables/expr"

	"github.com/daymark-lb/daymark/internal/core/handover"
	"github.com/daymark-lb/daymark/internal/netnstest"
)

// Forged packets of no connection are passed on only so often, leave no entry behind where they come in, and cost one packet each.
func TestRelay_AFloodIsBounded(t *testing.T) {
	netnstest.NeedProgram(t, "conntrack")
	r := newRig(t, 2, modeNFTables, false)
	r.nodes[1].relay = New(Config{Rate: 100})
	r.set(1, pass(0, 1))
	r.move(1)
	const count = 20_000
	begin := time.Now()
	r.client.Do(t, func() { forge(t, netip.MustParseAddr(client4), vip4, count, 0x10) })
	netnstest.Eventually(t, "all packets have been seen", func() error {
		if passed, limited := r.counters(1); passed+limited != count {
			return fmt.Errorf("%d passed on, %d dropped of %d", passed, limited, count)
		}
		return nil
	})
	passed, _ := r.counters(1)
	if most := burst + 100*uint64(time.Since(begin)/time.Second+2); passed > most {
		t.Errorf("%d packets were passed on, of at most %d", passed, most)
	}
	if entries := r.nodes[1].ns.Run(t, "sh", "-c", "conntrack -L -p tcp -d "+vip4.String()+" 2>/dev/null | wc -l"); strings.TrimSpace(entries) != "0" {
		t.Errorf("%s entries are left", entries)
	}
}

// forge sends TCP segments of connections that do not exist, each from another port.
func forge(t testing.TB, from, to netip.Addr, count int, flags byte) {
	t.Helper()
	conn, err := net.Dial("ip4:tcp", to.String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	for i := range count {
		segment := make([]byte, 20)
		binary.BigEndian.PutUint16(segment, uint16(1024+i%60000))
		binary.BigEndian.PutUint16(segment[2:], 80)
		binary.BigEndian.PutUint32(segment[4:], uint32(i))
		segment[12], segment[13] = 5<<4, flags
		pseudo := append(append(append([]byte{}, from.AsSlice()...), to.AsSlice()...), 0, 6, 0, 20)
		binary.BigEndian.PutUint16(segment[16:], checksum(append(pseudo, segment...)))
		for _, err := conn.Write(segment); err != nil; _, err = conn.Write(segment) {
			if !errors.Is(err, syscall.ENOBUFS) {
				t.Fatal(err)
			}
		}
	}
}

// Forged packets to one address leave room for those of others.
func TestRelay_AFloodOfOneAddressLeavesTheOthers(t *testing.T) {
	r := newRig(t, 2, modeNFTables, false)
	r.nodes[1].relay = New(Config{Rate: 100})
	plan, other := pass(0, 1), vip4.Next()
	plan.Passages = slices.Insert(plan.Passages, 1, handover.Passage{Addr: other, Via: nodeAddr(0), Hops: 1})
	r.set(1, plan)
	r.move(1)
	sh(t, r.client, fmt.Sprintf("ip neigh replace %s lladdr %s dev eth0", other, r.nodes[1].mac))
	const flood, some = 20_000, 2_000
	send := func(to netip.Addr, count int, seen uint64) {
		t.Helper()
		r.client.Do(t, func() { forge(t, netip.MustParseAddr(client4), to, count, 0x10) })
		netnstest.Eventually(t, "all packets have been seen", func() error {
			if passed, limited := r.counters(1); passed+limited != seen {
				return fmt.Errorf("%d passed on, %d dropped of %d", passed, limited, seen)
			}
			return nil
		})
	}
	send(vip4, flood, flood)
	_, before := r.counters(1)
	send(other, some, flood+some)
	if _, after := r.counters(1); after != before {
		t.Errorf("%d of %d packets to the other address are dropped", after-before, some)
	}
}

// The open connections of an address have room beside a flood of forged packets to it, up to the figure that docs/connections.md gives.
func TestRules_AnAddressHasThreeQuartersOfTheLimit(t *testing.T) {
	var limits []expr.Limit
	for _, rule := range newTable(ipv4).passRules(DefaultRate) {
		for _, e := range rule {
			switch e := e.(type) {
			case *expr.Dynset:
				limits = append(limits, *e.Exprs[0].(*expr.Limit))
			case *expr.Limit:
				limits = append(limits, *e)
			}
		}
	}
	if len(limits) != 2 || limits[0].Rate != 150_000 || limits[0].Burst != 7500 || limits[1].Rate != 200_000 {
		t.Errorf("the limits are %+v", limits)
	}
}
