package election

import (
	"net/netip"
	"slices"
	"testing"
	"time"
)

// reunionPass is what a pass of a node that is called "us" decides.
type reunionPass struct {
	at      time.Duration
	live    map[string]uint64
	claimed []int
	// again are addresses whose claim of the beginning is made again, as announced.
	again []int
	// ceded are addresses that another node has given to us, and taken those of another node that we go on answering for.
	ceded, taken []int
	// want are the addresses to announce once more.
	want []int
	wait time.Duration
}

func TestReunion_AnnouncesWhatWasContested(t *testing.T) {
	const later = time.Hour
	both, alone, restarted := map[string]uint64{"us": 1, "n1": 1}, map[string]uint64{"us": 1}, map[string]uint64{"us": 1, "n1": 2}
	for _, test := range []struct {
		name   string
		passes []reunionPass
	}{
		{"what was claimed while the other was away", []reunionPass{
			{live: both, claimed: []int{0}},
			{at: later, live: alone},
			{at: later + sec, live: alone, claimed: []int{2, 1}},
			{at: later + 2*sec, live: both, wait: claimExchange},
			{at: later + 2*sec + 60*ms, live: both, wait: claimExchange - 60*ms},
			{at: later + 2*sec + claimExchange, live: both, want: []int{1, 2}},
			{at: later + 3*sec, live: both},
		}},
		{"and shortly before", []reunionPass{
			{live: both, claimed: []int{0, 1}},
			{at: later, live: both, claimed: []int{1}},
			{at: later + 2*sec, live: alone},
			{at: later + 3*sec, live: both, wait: claimExchange},
			{at: later + 4*sec, live: both, want: []int{1}},
		}},
		{"nothing if nothing was", []reunionPass{
			{live: both, claimed: []int{0, 1, 2}},
			{at: later, live: alone},
			{at: later + sec, live: both, wait: claimExchange},
			{at: later + 2*sec, live: both},
		}},
		{"nothing if a claim of before was made again, as announced", []reunionPass{
			{live: both, claimed: []int{0, 1, 2}},
			{at: later, live: alone, again: []int{2}},
			{at: later + sec, live: both, wait: claimExchange},
			{at: later + 2*sec, live: both},
		}},
		{"what the other has claimed and ceded to us, once", []reunionPass{
			{live: both, claimed: []int{0, 1, 2}},
			{at: later, live: alone},
			{at: later + sec, live: both, wait: claimExchange},
			{at: later + 2*sec, live: both, ceded: []int{1}, taken: []int{2}, want: []int{1}},
			{at: 2 * later, live: alone, ceded: []int{1}},
			{at: 2*later + sec, live: both, ceded: []int{1}, wait: claimExchange},
			{at: 2*later + 2*sec, live: both, ceded: []int{1}},
		}},
		{"nothing when the other has restarted, and holds nothing of what it held", []reunionPass{
			{live: both},
			{at: later, live: alone, claimed: []int{0}},
			{at: later + sec, live: restarted},
			{at: later + 2*sec, live: restarted},
		}},
		{"nothing when somebody comes that was never there", []reunionPass{
			{live: alone, claimed: []int{0}},
			{at: sec, live: both},
			{at: 2 * sec, live: both},
		}},
		{"nothing when the other was away for more than a day", []reunionPass{
			{live: both},
			{at: later, live: alone, claimed: []int{0}},
			{at: later + maxAbsence + sec, live: alone},
			{at: later + maxAbsence + 2*sec, live: both},
			{at: later + maxAbsence + 3*sec, live: both},
		}},
		{"what was claimed since the first of several went, after the last of them has returned", []reunionPass{
			{live: map[string]uint64{"us": 1, "n1": 1, "n2": 1}},
			{at: later, live: both},
			{at: later + sec, live: both, claimed: []int{1}},
			{at: 2 * later, live: alone, claimed: []int{0}},
			{at: 2*later + sec, live: both, wait: claimExchange},
			{at: 2*later + sec + 60*ms, live: map[string]uint64{"us": 1, "n1": 1, "n2": 1}, wait: claimExchange},
			{at: 2*later + 2*sec, live: both, want: []int{0, 1}},
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			var r Reunion
			for _, p := range test.passes {
				contested, wait := r.Observe(ReunionInput{epoch.Add(p.at), "us", p.live, p.claims(), p.decision()})
				if got := numbers(contested); !slices.Equal(got, p.want) || wait != p.wait {
					t.Errorf("at %v: announces %v, wait %v; want %v, %v", p.at, got, wait, p.want, p.wait)
				}
			}
		})
	}
}

// decision holds the addresses 0, 1 and 2.
func (p reunionPass) decision() Decision {
	d := Decision{Hold: []Hold{{Addr: addr(0)}, {Addr: addr(1)}, {Addr: addr(2)}}}
	for _, i := range p.claimed {
		d.Claims = append(d.Claims, Claim{Addr: addr(i), Node: "us", Incarnation: 1, Term: 1 + uint64(p.at)})
	}
	for _, i := range p.again {
		d.Claims = append(d.Claims, Claim{Addr: addr(i), Node: "us", Incarnation: 1, Term: 1, Announced: true})
	}
	return d
}

// claims that are known after the pass, beside those of before.
func (p reunionPass) claims() Claims {
	claims := Claims{}
	for _, i := range p.ceded {
		claims.Learn(Claim{Addr: addr(i), Node: "us", Incarnation: 1, Term: 1 << 60})
	}
	for _, i := range p.taken {
		claims.Learn(Claim{Addr: addr(i), Node: "n1", Incarnation: 1, Term: 1 << 60})
	}
	return claims
}

func numbers(addresses []netip.Addr) []int {
	var all []int
	for _, a := range addresses {
		all = append(all, number(a))
	}
	return all
}

func TestReunion_ForgetsWhatIsNotHeldAnyMore(t *testing.T) {
	var r Reunion
	for i := range 1000 {
		r.Observe(ReunionInput{Now: epoch, Node: "n0", Live: alive(2), Decision: Decision{
			Hold: []Hold{{Addr: addr(i)}}, Claims: []Claim{{Addr: addr(i), Node: "n0", Incarnation: 1, Term: 1}, {Addr: addr(i + 1), Term: 2}},
		}})
	}
	if len(r.claimed) > 20 || r.claimed[addr(999)].at != epoch {
		t.Errorf("%d claims are remembered", len(r.claimed))
	}
}
