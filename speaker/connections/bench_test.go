package connections

import (
	"fmt"
	"io"
	"net"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/daymark-lb/daymark/internal/core/handover"
)

// thousand is a plan of a node to which 1,000 addresses moved, none of which is vip4, and from which as many moved away.
func thousand() handover.Plan {
	var plan handover.Plan
	for i, addr := 0, netip.MustParseAddr("198.19.0.0"); i < 1000; i, addr = i+1, addr.Next() {
		plan.Passages = append(plan.Passages, handover.Passage{Addr: addr, Via: nodeAddr(1), Hops: 2})
		plan.Counted = append(plan.Counted, counted(addr)...)
	}
	return plan
}

// BenchmarkRelay_AddressThatDidNotMove is what the table costs an address that did not move: the time of an echo, of a new
// connection, and of a MiB that is sent to a pod, without and with the table by turns. The figures are medians.
func BenchmarkRelay_AddressThatDidNotMove(b *testing.B) {
	r := newRig(b, 2, modeNFTables, false)
	drain := discard(b, r.nodes[0])
	talk := r.dial(vip4, 1)[0]
	var echoes, opens, pours [2][]float64
	for range b.N {
		for i, plan := range []handover.Plan{{}, thousand()} {
			r.set(0, plan)
			echoes[i] = append(echoes[i], measure(b, 500, func() error { _, err := talk.ask(); return err }))
			opens[i] = append(opens[i], measure(b, 100, func() error { r.dial(vip4, 1)[0].Close(); return nil }))
			pours[i] = append(pours[i], measure(b, 1, func() error { return pour(r, drain, 64) })/64)
		}
	}
	for i, name := range []string{"without", "with"} {
		b.ReportMetric(median(echoes[i]), "µs/echo-"+name)
		b.ReportMetric(median(opens[i]), "µs/open-"+name)
		b.ReportMetric(median(pours[i]), "µs/MiB-"+name)
	}
	b.ReportMetric(0, "ns/op")
}

// BenchmarkRelay_Flood is what a forged packet costs all nodes together, in the time of the machine: where nothing is passed on and the
// pod answers with a reset; where it is passed on and the pod of the other node answers; and above the limit.
func BenchmarkRelay_Flood(b *testing.B) {
	for _, row := range []struct {
		name string
		plan handover.Plan
		rate uint64
	}{{"without", handover.Plan{}, 0}, {"passed on", pass(0, 1), 1 << 30}, {"above the limit", pass(0, 1), 1}} {
		b.Run(row.name, func(b *testing.B) {
			r := newRig(b, 2, modeNFTables, false)
			r.nodes[1].relay = New(Config{Rate: row.rate})
			r.set(1, row.plan)
			r.move(1)
			b.ResetTimer()
			r.client.Do(b, func() { forge(b, netip.MustParseAddr(client4), vip4, b.N, 0x10) })
		})
	}
}

// measure returns the microseconds that f takes, the median of some times.
func measure(b *testing.B, times int, f func() error) float64 {
	b.Helper()
	var took []float64
	for range times {
		begin := time.Now()
		if err := f(); err != nil {
			b.Fatal(err)
		}
		took = append(took, float64(time.Since(begin).Nanoseconds())/1000)
	}
	return median(took)
}

func median(values []float64) float64 {
	slices.Sort(values)
	return values[len(values)/2]
}

// discard has a node's pod read what comes to port 81 of the Service, and say when it has all.
func discard(b testing.TB, n *rigNode) netip.AddrPort {
	b.Helper()
	sh(b, n.ns, "nft add rule ip kube-proxy nat-prerouting ip daddr "+vip4.String()+" tcp dport 81 dnat to 203.0.113.11:81")
	n.pod.Do(b, func() {
		listener, err := net.Listen("tcp", ":81")
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { _ = listener.Close() })
		go func() {
			for {
				conn, err := listener.Accept()
				if err != nil {
					return
				}
				_, _ = io.Copy(io.Discard, conn)
				_ = conn.Close()
			}
		}()
	})
	return netip.AddrPortFrom(vip4, 81)
}

// pour sends so many MiB and waits until the pod has them.
func pour(r *rig, to netip.AddrPort, count int) (err error) {
	r.client.Do(r.t, func() {
		var conn net.Conn
		if conn, err = net.Dial("tcp", to.String()); err != nil {
			return
		}
		defer conn.Close()
		err = upload(conn, count)
	})
	return err
}

// upload sends so many MiB by a connection, ends, and waits until the other side does.
func upload(conn net.Conn, count int) error {
	part := make([]byte, 1<<20)
	for range count {
		if _, err := conn.Write(part); err != nil {
			return fmt.Errorf("send: %w", err)
		}
	}
	if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
		return fmt.Errorf("end: %w", err)
	}
	_, err := io.Copy(io.Discard, conn)
	return err
}

// BenchmarkRelay_Set is what a move costs the new node before it answers: an address comes to the plan, or leaves it.
func BenchmarkRelay_Set(b *testing.B) {
	r := newRig(b, 2, modeNFTables, false)
	without := thousand()
	with := handover.Plan{Passages: append(slices.Clone(without.Passages), pass(1, 1).Passages[0]), Counted: without.Counted}
	r.set(0, with)
	talks := r.dial(vip4, 200)
	var took []float64
	for i := range b.N {
		plan := with
		if i%2 == 0 {
			plan = without
		}
		took = append(took, measure(b, 1, func() error { r.set(0, plan); return nil }))
		r.expect("pod1", talks) // The kernel clears up after a transaction; the next one would wait for that.
	}
	b.ReportMetric(median(took), "µs/set")
	b.ReportMetric(0, "ns/op")
}
