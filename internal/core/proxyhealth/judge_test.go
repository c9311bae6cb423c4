package proxyhealth

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// node is a judge with a clock.
type node struct {
	Judge
	t       *testing.T
	now     time.Time
	input   Input
	verdict Verdict
}

func newNode(t *testing.T, before Memory, others ...State) *node {
	t.Helper()
	return &node{t: t, now: time.Unix(0, 0), input: Input{OthersKnown: true, Before: before, Others: others}}
}

// says lets the proxy answer alike for some time, judged each second, and returns the state at the end.
func (n *node) says(check Check, long time.Duration) State {
	n.t.Helper()
	for end := n.now.Add(long); ; n.now = n.now.Add(time.Second) {
		n.input.Now, n.input.Check = n.now, check
		n.verdict = n.Update(n.input)
		if !n.now.Before(end) {
			return n.verdict.State
		}
	}
}

// expects checks the state after the proxy has answered alike for some time.
func (n *node) expects(check Check, long time.Duration, want State) {
	n.t.Helper()
	if got := n.says(check, long); got != want {
		n.t.Errorf("after %s of %d: state %d, not %d", long, check, got, want)
	}
}

var (
	workedBefore = Memory{Seen: true, Worked: true}
	seenBefore   = Memory{Seen: true}
)

func TestJudge_FailureOfTenSecondsWithdraws(t *testing.T) {
	for _, check := range []Check{Failing, Absent} {
		n := newNode(t, Memory{}, Works, Works)
		n.expects(Working, 0, Works)
		n.expects(check, 9*time.Second, Fails)
		n.expects(Working, 0, Works)
		n.expects(check, 9*time.Second, Fails)
		n.expects(check, time.Second, Withdrawn)
		n.expects(check, time.Hour, Withdrawn)
		n.expects(Working, 0, Works)
	}
}

func TestJudge_AfterBoot(t *testing.T) {
	n := newNode(t, Memory{}, Works, Works)
	n.expects(Absent, 0, Awaited)
	n.expects(Absent, 2*time.Minute, Awaited)
	n.expects(Starting, time.Second, Awaited)
	n.expects(Failing, time.Minute, Awaited)
	n.expects(Working, 0, Works)
	n.expects(Starting, time.Minute, Works) // Its rules are in the kernel.
}

func TestJudge_AfterARestartOfTheSpeaker(t *testing.T) {
	newNode(t, workedBefore).expects(Working, 0, Works)
	n := newNode(t, workedBefore, Works, Works)
	n.expects(Absent, 9*time.Second, Fails)
	n.expects(Absent, time.Second*2, Withdrawn)
	n = newNode(t, workedBefore, Works, Works)
	n.input.OthersKnown = false
	n.expects(Absent, 0, Fails)
}

// While the others are being asked about nothing moves, and then what they say counts at once.
func TestJudge_AsksAboutTheOthers(t *testing.T) {
	begin := func(before Memory) *node {
		n := newNode(t, before)
		n.input.Asking = true
		return n
	}
	n := begin(workedBefore)
	n.expects(Absent, time.Minute, Fails)
	n.input.Asking, n.input.Others = false, []State{Works, Works}
	n.expects(Absent, 0, Withdrawn)

	n = begin(workedBefore)
	n.expects(Absent, time.Minute, Fails)
	n.input.Asking, n.input.Others = false, []State{Works, Fails}
	n.expects(Absent, 9*time.Second, Fails)
	n.expects(Absent, time.Second, FailsOnMost)

	n = begin(Memory{Seen: true, Worked: true, Withdrawn: true})
	n.expects(Absent, time.Minute, Withdrawn)
	n.input.Asking, n.input.Others = false, []State{Fails}
	n.expects(Absent, 9*time.Second, Withdrawn)
	n.expects(Absent, time.Second, FailsOnMost)
}

// A node that was withdrawn is not taken back because its speaker restarts, unless the proxy works or most fail by now.
func TestJudge_AfterARestartOfASpeakerThatAttractedNothing(t *testing.T) {
	withdrawn := Memory{Seen: true, Worked: true, Withdrawn: true}
	n := newNode(t, withdrawn, Works, Works)
	n.input.OthersKnown, n.input.Others = false, nil
	n.expects(Absent, time.Minute, Withdrawn)
	n.input.OthersKnown, n.input.Others = true, []State{Works, Works}
	n.expects(Failing, time.Hour, Withdrawn)
	n.expects(Working, 0, Works)
	newNode(t, withdrawn, Works, Works).expects(Working, 0, Works)
	n = newNode(t, withdrawn, Fails, Fails)
	n.expects(Absent, 9*time.Second, Withdrawn)
	n.expects(Absent, time.Second, FailsOnMost)
}

func TestJudge_ProxyThatNoNodeHas(t *testing.T) {
	for name, others := range map[string][]State{"alone": nil, "as the others": {NotFound, NotFound}, "others do not tell": {NotChecked, 200}} {
		n := newNode(t, Memory{}, others...)
		t.Log(name)
		n.expects(Absent, 0, NotFound)
		n.expects(Absent, time.Hour, NotFound)
	}
	n := newNode(t, Memory{})
	n.input.OthersKnown = false
	n.expects(Absent, 0, Awaited)
	n.expects(Absent, 15*time.Second, NotFound)
	n = newNode(t, Memory{NotFound: true})
	n.input.OthersKnown = false
	n.expects(Absent, 0, NotFound)
}

// kube-proxy was there before the node booted, and now something else is in its place on all nodes.
func TestJudge_ProxyThatWasReplaced(t *testing.T) {
	n := newNode(t, seenBefore, NotFound, Fails)
	n.expects(Absent, 0, Awaited)
	n.expects(Absent, time.Minute, NotFound)
	n.expects(Absent, time.Hour, NotFound)
}

// kube-proxy is rolled out where there was none: the pods of the other nodes start sooner.
func TestJudge_ProxyThatIsNew(t *testing.T) {
	n := newNode(t, Memory{}, NotFound, NotFound)
	n.expects(Absent, time.Hour, NotFound)
	n.input.Others = []State{Works, Works}
	n.expects(Absent, 9*time.Second, Fails)
	n.expects(Working, time.Second, Works)
}

func TestJudge_NothingIsWithdrawnWhenMostFail(t *testing.T) {
	n := newNode(t, Memory{}, Works, Works)
	n.expects(Working, 0, Works)
	n.input.Others = []State{Fails, Works} // 2 of 3
	n.expects(Failing, 9*time.Second, Fails)
	n.expects(Failing, 2*time.Second, FailsOnMost)
	n.expects(Failing, time.Hour, FailsOnMost)
	n.input.Others = []State{Works, Works}
	n.expects(Failing, 9*time.Second, Fails)
	n.expects(Failing, 2*time.Second, Withdrawn)
	// A third node restarts its proxy.
	n.input.Others = []State{Fails, Works}
	n.expects(Failing, 5*time.Second, Withdrawn)
	n.input.Others = []State{Works, Works}
	n.expects(Failing, 5*time.Second, Withdrawn)
	// And stays down.
	n.input.Others = []State{Withdrawn, Works}
	n.expects(Failing, 11*time.Second, FailsOnMost)
}

func TestJudge_HalfIsNotMost(t *testing.T) {
	n := newNode(t, Memory{}, Fails, Works, Works)
	n.expects(Working, 0, Works)
	n.expects(Failing, 11*time.Second, Withdrawn)
}

// The whole cluster boots. None attracts anything before its proxy works, and when none ever does, all do.
func TestJudge_AllNodesBoot(t *testing.T) {
	n := newNode(t, seenBefore, Awaited, Awaited)
	n.expects(Absent, 10*time.Second, Awaited)
	n.input.Others = []State{Works, Awaited}
	n.expects(Failing, 10*time.Second, Awaited)
	n.expects(Working, 0, Works)
	n = newNode(t, seenBefore, Awaited, Awaited)
	n.expects(Failing, 59*time.Second, Awaited)
	n.expects(Failing, 2*time.Second, FailsOnMost)
}

func TestJudge_ProxyThatFailsAgainMustWorkLonger(t *testing.T) {
	n := newNode(t, Memory{}, Works, Works)
	n.expects(Working, 0, Works)
	for _, rest := range []time.Duration{0, 10, 20, 40, 80, 160, 300, 300} {
		n.expects(Failing, 12*time.Second, Withdrawn)
		if rest > 0 {
			n.expects(Working, rest*time.Second-time.Second, Unsteady)
		}
		n.expects(Working, 2*time.Second, Works)
	}
	n.expects(Working, 11*time.Minute, Works)
	n.expects(Failing, 12*time.Second, Withdrawn)
	n.expects(Working, 0, Works)
}

// What only time changes is looked at again, and nothing else: a pass costs.
func TestJudge_LooksAgainWhileTimeCounts(t *testing.T) {
	n := newNode(t, Memory{}, Works, Works)
	waits := func(check Check, long time.Duration, want bool) {
		t.Helper()
		if n.says(check, long); n.verdict.Wait > 0 != want {
			t.Errorf("after %s of %d: %+v", long, check, n.verdict)
		}
	}
	waits(Working, 0, false)
	waits(Absent, 9*time.Second, true)
	waits(Absent, 2*time.Second, false)
	n.input.Others = []State{Fails, Works}
	waits(Absent, 0, true)
	waits(Absent, 10*time.Second, false)
	waits(Working, 0, true) // The ports are the proxy's for some time.
	waits(Working, time.Minute, false)
}

func TestJudge_OffJudgesNothing(t *testing.T) {
	n := newNode(t, Memory{}, Works)
	n.expects(Off, 0, NotChecked)
	if n.verdict.Ports != Unwatched || !n.verdict.State.Healthy() || n.verdict.Wait != 0 {
		t.Errorf("%+v", n.verdict)
	}
}

func TestJudge_HealthCheckPorts(t *testing.T) {
	n := newNode(t, Memory{}, Works)
	are := func(check Check, long time.Duration, want Ports) {
		t.Helper()
		if n.says(check, long); n.verdict.Ports != want {
			t.Errorf("after %s of %d: they are %d, not %d", long, check, n.verdict.Ports, want)
		}
	}
	are(Working, 0, Free) // Those that it has are in use.
	for range 2 {
		are(Absent, 9*time.Second, ProxysOwn)
		are(Working, 0, Free)
	}
	are(Absent, 15*time.Second, Free)
	are(Starting, 0, ProxysOwn)
	are(Working, 34*time.Second, ProxysOwn)
	are(Working, 2*time.Second, Free)
	are(Failing, time.Hour, ProxysOwn) // It has them, or will.
	n = newNode(t, Memory{})
	are(Absent, 0, Unwatched) // Its health check may be somewhere else.
	are(Starting, time.Second, ProxysOwn)
	are(Working, 33*time.Second, ProxysOwn) // Those that were free may have been taken.
	are(Working, 2*time.Second, Free)
	// All proxies were gone, and those of the others are back a moment sooner.
	n = newNode(t, workedBefore, Fails, Fails)
	are(Absent, 11*time.Second, Free)
	n.input.Others = []State{Works, Works}
	are(Absent, 0, ProxysOwn)
	are(Working, 34*time.Second, ProxysOwn)
	are(Working, 2*time.Second, Free)
}

// Whatever happens: a cluster in which a proxy works on most nodes has a node that attracts, and one in which all fail has only
// such.
func TestJudge_NeverEmptiesACluster(t *testing.T) {
	for seed := range uint64(200) {
		random := rand.New(rand.NewPCG(seed, 0))
		nodes := make([]*node, 1+random.IntN(6))
		for i := range nodes {
			nodes[i] = newNode(t, []Memory{{}, seenBefore, workedBefore}[random.IntN(3)])
		}
		checks := slices.Repeat([]Check{Absent}, len(nodes))
		step := func() (attracting int) {
			for i, n := range nodes {
				n.input.Others = nil
				for j, other := range nodes {
					if i != j {
						n.input.Others = append(n.input.Others, other.verdict.State)
					}
				}
				n.says(checks[i], 0)
				n.now = n.now.Add(time.Second)
				if !n.verdict.State.AttractsNothing() {
					attracting++
				}
			}
			return attracting
		}
		for range 300 {
			if random.IntN(20) == 0 {
				checks[random.IntN(len(checks))] = Check(1 + random.IntN(4))
			}
			step()
		}
		var attracting int
		for range 400 {
			attracting = step()
		}
		working := 0
		for _, n := range nodes {
			if n.works {
				working++
			}
		}
		if attracting == 0 || working == 0 && attracting != len(nodes) || attracting < working {
			t.Errorf("seed %d: proxies answer %v, states %v", seed, checks, states(nodes))
		}
	}
}

func states(nodes []*node) string {
	var all []State
	for _, n := range nodes {
		all = append(all, n.verdict.State)
	}
	return fmt.Sprintf("%d", all)
}
