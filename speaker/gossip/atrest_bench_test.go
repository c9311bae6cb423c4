package gossip

import (
	"fmt"
	"log/slog"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/memberlist"
)

// weighed is a transport that counts what it sends by datagram: our own, and memberlist's.
type weighed struct {
	memberlist.NodeAwareTransport

	mu   sync.Mutex
	ours weights
	its  weights
}

// weights are datagrams and their bytes, without the headers of UDP and IP.
type weights struct{ datagrams, bytes float64 }

func (w *weights) add(b []byte) { w.datagrams, w.bytes = w.datagrams+1, w.bytes+float64(len(b)) }

func (w *weighed) drain() { w.NodeAwareTransport.(*transport).drain() }

func (w *weighed) WriteToAddress(b []byte, to memberlist.Address) (time.Time, error) {
	const ours = 0xd0 // Nothing of memberlist begins so.
	w.mu.Lock()
	if len(b) > 0 && b[0]&0xf0 == ours {
		w.ours.add(b)
	} else {
		w.its.add(b)
	}
	w.mu.Unlock()
	return w.NodeAwareTransport.WriteToAddress(b, to)
}

// BenchmarkBytesAtRest weighs what 12 speakers on one machine send for 5 s while nothing happens, and what that comes to in a cluster of
// 1,000: there a node sends 184 heartbeats a second, which BenchmarkDatagramsAtRest of the detector counts. With the headers of UDP and IPv4
// there are 28 bytes more to each datagram. Run it with -benchtime=1x.
func BenchmarkBytesAtRest(b *testing.B) {
	const nodes, rest, atRest, headers = 12, 5 * time.Second, 184, 28
	for _, name := range []string{"n%02d", "worker-01%02d", "ip-10-0-12-%02d.eu-central-1.compute.internal"} {
		b.Run(fmt.Sprintf(name, 7), func(b *testing.B) {
			var (
				all    []*speaker
				names  []string
				counts []*weighed
			)
			for i := range nodes {
				w := &weighed{}
				names = append(names, fmt.Sprintf(name, i))
				cfg := Config{Node: names[i], Bind: gossipAt(fmt.Sprint("127.2.9.", i+1)), Keys: secrets("k")}
				all = append(all, beginChanged(b, cfg, func(m *Membership) {
					m.listen = func(at netip.AddrPort, log *slog.Logger, guard *guard, sealed receiver) (transport memberlist.NodeAwareTransport, err error) {
						w.NodeAwareTransport, err = listen(at, log, guard, sealed)
						return w, err
					}
				}))
				counts = append(counts, w)
			}
			meet(b, all...)
			for _, s := range all {
				s.awaits(b, "all", alive(names...))
				s.BroadcastClaims(s.claims(fmt.Sprint("192.0.2.", s.at.Addr().As4()[3])))
			}
			time.Sleep(3 * time.Second) // What is news is said more than once.
			for b.Loop() {
				total := func() (ours, its weights) {
					for _, w := range counts {
						w.mu.Lock()
						ours.datagrams, ours.bytes = ours.datagrams+w.ours.datagrams, ours.bytes+w.ours.bytes
						its.datagrams, its.bytes = its.datagrams+w.its.datagrams, its.bytes+w.its.bytes
						w.mu.Unlock()
					}
					return ours, its
				}
				ours, its := total()
				time.Sleep(rest)
				oursAfter, itsAfter := total()
				each := (oursAfter.bytes - ours.bytes) / (oursAfter.datagrams - ours.datagrams)
				b.ReportMetric(each, "B/heartbeat")
				b.ReportMetric((oursAfter.datagrams-ours.datagrams)/rest.Seconds()/nodes, "heartbeats/s")
				b.ReportMetric((its.datagrams-itsAfter.datagrams)/-rest.Seconds()/nodes, "others/s")
				b.ReportMetric((itsAfter.bytes-its.bytes)/(itsAfter.datagrams-its.datagrams), "B/other")
				b.ReportMetric(each*atRest*8/1000, "kbit/s-of-1000")
				b.ReportMetric((each+headers)*atRest*8/1000, "kbit/s-of-1000-with-headers")
			}
		})
	}
}

// BenchmarkExchangeOfMany weighs an exchange of memberlist with 1,000 speakers that hold nothing, as one side sends it.
func BenchmarkExchangeOfMany(b *testing.B) {
	m := New(Config{Node: "worker-0000", Keys: secrets("k")})
	for i := range 999 {
		node := fmt.Sprintf("worker-%04d", i+1)
		m.peers.setListed(begins, node, listing{uint64(begins.UnixNano()), versionRange{version1, newest}, gossipAt("127.0.0.1")}, true)
		state := State{Known: true, PassesOn: true, DrainingTold: true, Links: manyLinks(1).Links}
		m.peers.mergeState(begins, stateRecord{node: node, incarnation: uint64(begins.UnixNano()), seq: 1, version: stateVersion, body: state.encode(stateVersion)})
	}
	for b.Loop() {
		b.ReportMetric(float64(len(delegate{m}.LocalState(false))), "bytes")
	}
}
