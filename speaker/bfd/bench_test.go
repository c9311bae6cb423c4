package bfd

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/daymark-lb/daymark/internal/core/announce"
	"github.com/daymark-lb/daymark/internal/core/bfdsession"
	"github.com/daymark-lb/daymark/internal/cputime"
	"github.com/daymark-lb/daymark/internal/netnstest"
)

// many sessions at the default interval.
const many = 300

// peerProcess is the variable that marks a process as the other end of the benchmarks, so that its work is not measured.
// Its value is our address.
const peerProcess = "DAYMARK_TEST_BFD_PEER"

// peerAddr is one of the addresses of the other end.
func peerAddr(i int) netip.Addr { return netip.AddrFrom4([4]byte{198, 18, byte(i >> 8), byte(i)}) }

// runPeer is the other end: one session with us from each of its addresses. It runs until it is killed.
func runPeer() int {
	ours := netip.MustParseAddr(os.Getenv(peerProcess))
	m := New(Config{Log: slog.New(slog.NewTextHandler(os.Stderr, nil))})
	var desired []announce.BFDSession
	for i := 1; i <= many; i++ {
		desired = append(desired, announce.BFDSession{Name: fmt.Sprint(i), Peer: ours, Local: peerAddr(i)})
	}
	if err := m.Set(context.Background(), desired); err != nil {
		return 1
	}
	if m.Start(context.Background()) != nil {
		return 1
	}
	return 0
}

// manySessions brings up many sessions, and returns the cable and our Monitor.
func manySessions(b *testing.B) (*cable, *running) {
	b.Helper()
	c := newCable(b)
	ours := netip.MustParseAddr("198.18.255.1")
	netnstest.Address(b, c.Near, netip.PrefixFrom(ours, 16))
	c.Other.Do(b, func() {
		for i := 1; i <= many; i++ {
			netnstest.Address(b, c.Far, netip.PrefixFrom(peerAddr(i), 16))
		}
	})
	peer := netnstest.NewDaemon(b, c.Other, "peer", "/proc/self/exe")
	peer.Env = []string{peerProcess + "=" + ours.String()}
	peer.Start()
	var desired []announce.BFDSession
	for i := 1; i <= many; i++ {
		desired = append(desired, announce.BFDSession{Name: fmt.Sprint(i), Peer: peerAddr(i)})
	}
	r := start(b, desired...)
	netnstest.Eventually(b, "all are up", func() error { return r.allUp() })
	return c, r
}

func (r *running) allUp() error {
	for _, s := range r.Status() {
		if s.State != bfdsession.Up || s.Polling {
			return fmt.Errorf("%+v", s)
		}
	}
	return nil
}

// BenchmarkMonitor_ManySessions measures the part of a core that 300 sessions at 300 ms cost. An operation is one second.
func BenchmarkMonitor_ManySessions(b *testing.B) {
	_, r := manySessions(b)
	before, start := cputime.Used(b), time.Now()
	for b.Loop() {
		time.Sleep(time.Second)
	}
	b.ReportMetric(100*float64(cputime.Used(b)-before)/float64(time.Since(start)), "%core")
	for _, s := range r.Status() {
		if s.Downs > 0 {
			b.Errorf("%+v", s)
		}
	}
}

// BenchmarkMonitor_Jitter measures the gaps between packets of a session, as they arrive at the other end, with 300
// sessions at 300 ms: idle, and beside goroutines that keep all cores and the garbage collector busy. RFC 5880 section
// 6.8.7 wants 225 to 300 ms.
func BenchmarkMonitor_Jitter(b *testing.B) {
	for _, busy := range []int{0, 2, 16} {
		b.Run(fmt.Sprintf("busy=%d", busy), func(b *testing.B) {
			c, r := manySessions(b)
			stop := load(busy)
			end := startTap(b, c)
			for b.Loop() {
				time.Sleep(time.Second)
			}
			stop()
			gaps := end()
			if len(gaps) == 0 {
				b.Fatal("nothing was heard")
			}
			slices.Sort(gaps)
			in := func(d time.Duration) float64 { return float64(d) / float64(ms) }
			b.ReportMetric(in(gaps[0]), "ms-least")
			b.ReportMetric(in(gaps[len(gaps)/2]), "ms-p50")
			b.ReportMetric(in(gaps[len(gaps)*99/100]), "ms-p99")
			b.ReportMetric(in(gaps[len(gaps)*999/1000]), "ms-p99.9")
			b.ReportMetric(in(gaps[len(gaps)-1]), "ms-most")
			b.ReportMetric(0, "ns/op")
			downs := uint64(0)
			for _, s := range r.Status() {
				downs += s.Downs
			}
			b.ReportMetric(float64(downs), "downs")
		})
	}
}

// load keeps goroutines allocating until it is stopped. Some of the memory lives long.
func load(goroutines int) (stop func()) {
	var (
		ended   atomic.Bool
		workers sync.WaitGroup
	)
	for range goroutines {
		workers.Go(func() {
			kept := make([][]*int, 2000)
			for i := 0; !ended.Load(); i++ {
				piece := make([]*int, 200)
				for at := range piece {
					piece[at] = new(int)
				}
				kept[i%len(kept)] = piece
			}
		})
	}
	return func() { ended.Store(true); workers.Wait() }
}
