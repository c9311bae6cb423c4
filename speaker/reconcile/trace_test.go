package reconcile

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/daymark-lb/daymark/internal/core/election"
	"github.com/daymark-lb/daymark/speaker/trace"
)

// patient is a client that takes whatever it is sent.
type patient struct{ *httptest.ResponseRecorder }

func (patient) SetWriteDeadline(time.Time) error { return nil }

func TestLoop_TellsWhoTracesWhatItDecides(t *testing.T) {
	inTime(t, func(t *testing.T, f *fixture) {
		tracer := trace.New("n1")
		f.exec.Tracer = tracer
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		unused := vip.Next()
		for _, addr := range []netip.Addr{vip, unused} {
			request := httptest.NewRequestWithContext(ctx, http.MethodGet, "/trace?address="+addr.String(), http.NoBody)
			go tracer.ServeHTTP(patient{httptest.NewRecorder()}, request)
		}
		synctest.Wait()
		bgp, bfd := []string{"192.0.2.200/32 is to be announced to router"}, []string{"router"}
		for _, step := range []struct {
			name string
			do   func()
			addr netip.Addr
			want trace.Standing
		}{
			{"at first", func() {}, vip, trace.Standing{Layer2: "no node holds it yet", BGP: bgp, BFD: bfd}},
			{"it holds it", func() { f.untilHeld(t) }, vip, trace.Standing{Holds: true, Layer2: "this node holds it", BGP: bgp, BFD: bfd}},
			{"nobody has it", func() {}, unused, trace.Standing{Layer2: "no Service has it"}},
			{"another holds it", func() {
				f.addNode()
				f.gossip.view.Claims.Learn(election.Claim{Addr: vip, Node: "n2", Incarnation: 1, Term: 9, Announced: true})
			}, vip, trace.Standing{Layer2: "n2 holds it", BGP: bgp, BFD: bfd}},
		} {
			step.do()
			f.pass(t)
			if got, _ := tracer.Standing(step.addr); !cmp.Equal(got, step.want) {
				t.Errorf("%s: %s", step.name, cmp.Diff(step.want, got))
			}
		}
		if want := []string{"eth0"}; !cmp.Equal(f.layer2.listened, want) {
			t.Errorf("listened is on %v", f.layer2.listened)
		}
		stop()
		synctest.Wait()
		if f.pass(t); len(f.layer2.listened) > 0 {
			t.Errorf("listened is on %v though nobody traces", f.layer2.listened)
		}
	})
}
