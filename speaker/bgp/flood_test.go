package bgp

import (
	"net"
	"net/netip"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/daymark-lb/daymark/internal/core/announce"
)

// A router that sends a hundred thousand routes costs no lasting memory.
func TestSession_FloodOfRoutesIsCountedAndForgotten(t *testing.T) { // Not parallel: it measures the memory of the process.
	const routes = 100_000
	flood := newAdjRIBOut(someEncoder, &adjRIBOut{}, many(routes, false, med(1)), bothFamilies, someHops).diff(&adjRIBOut{}).messages([2]bool{})
	flood = append(flood, newAdjRIBOut(someEncoder, &adjRIBOut{}, many(routes, true, med(1)), bothFamilies, someHops).diff(&adjRIBOut{}).messages([2]bool{})...)
	at := newHost(t)
	send := make(chan struct{})
	open := routerSettings(nil).mustEncodeOpen(t)
	serveRouter(t, at, func(conn net.Conn) {
		_, _ = conn.Write(append(open, keepaliveMessage...))
		<-send
		for _, batch := range flood {
			_, _ = conn.Write(batch)
		}
	})
	speaker := start(t, local(t, "tor", at, nil))
	speaker.up("tor")
	before := heap()
	close(send)
	speaker.await("tor", "has refused all", func(s Status) bool { return s.PrefixesReceived == 2*routes })
	after := heap()
	t.Logf("%d routes: %d KB of heap more", 2*routes, (int64(after)-int64(before))>>10)
	if after > before+1<<20 {
		t.Errorf("the heap grew from %d to %d bytes", before, after)
	}
	if s := speaker.up("tor"); s.LastError != "" {
		t.Errorf("status %+v", s)
	}
	runtime.KeepAlive(flood)
}

// heap is the heap in use after garbage collection, in bytes.
func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// The memory that a prefix costs for each router, besides the plan that all share: ten thousand prefixes to three routers.
func BenchmarkAdjRIBOut_MemoryPerPrefixAndRouter(b *testing.B) {
	const prefixes, routers = 10_000, 3
	for b.Loop() {
		paths := many(prefixes, false, med(1))
		var sessions []announce.Session
		var ready []*router
		for _, name := range []string{"one", "two", "three"} {
			session := local(b, name, newHost(b), nil)
			ready = append(ready, startRouter(b, session))
			sessions = append(sessions, session)
		}
		speaker := start(b, sessions...)
		for _, s := range sessions {
			speaker.up(s.Name)
		}
		runtime.KeepAlive(ready)
		for _, r := range ready { // What the routers learn must not be measured.
			r.discard.Store(true)
		}
		before := heap()
		for i := range sessions {
			sessions[i].Paths = paths
		}
		speaker.set(sessions...)
		for _, s := range sessions {
			speaker.await(s.Name, "has told all", func(s Status) bool { return s.IPv4 == prefixes })
		}
		after := heap()
		b.ReportMetric(float64(int64(after)-int64(before))/prefixes/routers, "B/prefix/router")
		runtime.KeepAlive(paths)
		speaker.end()
	}
}

// The time from Set to the last byte at the router: for ten thousand new prefixes, and for one.
func BenchmarkSpeaker_Announce(b *testing.B) {
	const prefixes = 10_000
	paths := many(prefixes, false, med(1))
	extra := announce.Path{Prefix: netip.MustParsePrefix("198.19.0.1/32"), Attributes: med(1)}
	for name, states := range map[string][2][]announce.Path{
		"10000 prefixes":        {nil, paths},
		"one more beside 10000": {paths, append(slices.Clone(paths), extra)},
	} {
		b.Run(name, func(b *testing.B) {
			session := local(b, "tor", newHost(b), nil)
			r := startRouter(b, session)
			speaker := start(b, session)
			speaker.up("tor")
			for i := 0; b.Loop(); i++ {
				want := states[(i+1)%2]
				session.Paths = want
				speaker.set(session)
				for r.count() != len(want) {
					time.Sleep(50 * time.Microsecond)
				}
			}
		})
	}
}

// The cost of a pass that changes nothing, or one prefix of ten thousand.
func BenchmarkAdjRIBOut_Diff(b *testing.B) {
	paths := many(10_000, false, med(1))
	told := newAdjRIBOut(someEncoder, &adjRIBOut{}, paths, bothFamilies, someHops)
	for name, next := range map[string][]announce.Path{"no change": paths, "one less": paths[1:]} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				newAdjRIBOut(someEncoder, told, next, bothFamilies, someHops).diff(told).messages([2]bool{})
			}
		})
	}
}
