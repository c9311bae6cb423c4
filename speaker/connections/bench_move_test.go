package connections

import (
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/daymark-lb/daymark/internal/core/handover"
	"github.com/daymark-lb/daymark/internal/netnstest"
)

const (
	// movedTalks are how many connections are open in BenchmarkRelay_Move, half of them over IPv6, each of which asks so often.
	movedTalks, movedAsk = 1000, 250 * time.Millisecond
	// phase is how long each part of a measurement takes. It begins with what is measured.
	phase = 3 * time.Second
)

// BenchmarkRelay_Move is what it adds to packets of connections that are open that their addresses move: how long those with requests
// take from the client's kernel to the pod's at most, 99 of 100 and all, and how many are sent again, because they were lost. In turn nothing
// happens, the node that takes nothing writes a table of other addresses ("control"), and the addresses move. No program but those that
// write the tables is in these times: what programs wait for a processor depends on what else the machine does.
func BenchmarkRelay_Move(b *testing.B) {
	times, lost, broken := map[string][]time.Duration{}, map[string]int{}, 0
	for range b.N {
		r := newRig(b, 3, modeNFTables, false)
		transit := netnstest.Transit(b, r.client, r.nodes[0].pod)
		stop := talkAll(b, append(r.dial(vip4, movedTalks/2), r.dial(vip6, movedTalks/2)...))
		for _, part := range []struct {
			name string
			do   func()
		}{
			{"quiet", func() {}},
			{"control", func() { r.set(2, thousand()) }},
			{"moving", func() {
				r.set(1, pass(0, 1)) // before it answers for them
				r.move(1)
				r.set(0, handover.Plan{Counted: counted(vip4, vip6)})
			}},
		} {
			transit.Reset()
			end := time.After(phase)
			part.do()
			<-end
			took, again := transit.Times()
			times[part.name], lost[part.name] = append(times[part.name], took...), lost[part.name]+again
		}
		broken += stop()
		if passed, _ := r.counters(1); passed == 0 {
			b.Fatal("nothing was passed on")
		}
	}
	for name, took := range times {
		if len(took) == 0 {
			b.Fatalf("no packet arrived while it was %s", name)
		}
		slices.Sort(took)
		b.ReportMetric(float64(len(took)), "packets-"+name)
		b.ReportMetric(float64(took[len(took)*99/100].Microseconds()), "µs-p99-"+name)
		b.ReportMetric(float64(took[len(took)-1].Microseconds()), "µs-most-"+name)
		b.ReportMetric(float64(lost[name]), "sent-again-"+name)
	}
	b.ReportMetric(float64(broken), "broken")
	b.ReportMetric(0, "ns/op")
}

// talkAll asks on all connections again and again until stop, which returns how many broke.
func talkAll(b *testing.B, talks []*talk) (stop func() (broken int)) {
	b.Helper()
	var talking sync.WaitGroup
	var mu sync.Mutex
	failed := 0
	end := make(chan struct{})
	for i, c := range talks {
		talking.Go(func() {
			select { // All at once would wait for each other.
			case <-end:
			case <-time.After(movedAsk * time.Duration(i) / time.Duration(len(talks))):
			}
			for {
				if _, err := c.ask(); err != nil {
					mu.Lock()
					failed++
					mu.Unlock()
					return
				}
				select {
				case <-end:
					return
				case <-time.After(movedAsk):
				}
			}
		})
	}
	return func() int {
		close(end)
		talking.Wait()
		return failed
	}
}
