package proxyhealth

import (
	"slices"
	"testing"
	"time"
)

// cluster is nodes whose speakers hear of each other within a second.
type cluster struct {
	judges []Judge
	checks []Check
	states []State
	now    time.Time
	// moves counts how often nodes have come to attract nothing, or to attract again.
	moves int
}

func newCluster(n int) *cluster {
	c := &cluster{judges: make([]Judge, n), checks: slices.Repeat([]Check{Working}, n), states: make([]State, n), now: time.Unix(0, 0)}
	c.run(time.Minute)
	c.moves = 0
	return c
}

// run lets some time pass, and returns the most nodes that attracted nothing meanwhile.
func (c *cluster) run(long time.Duration) (most int) {
	for end := c.now.Add(long); c.now.Before(end); c.now = c.now.Add(time.Second) {
		heard, nothing := slices.Clone(c.states), 0
		for i := range c.judges {
			others := slices.Delete(slices.Clone(heard), i, i+1)
			before := c.states[i].AttractsNothing()
			c.states[i] = c.judges[i].Update(Input{Now: c.now, Check: c.checks[i], Others: others, OthersKnown: true}).State
			if after := c.states[i].AttractsNothing(); after {
				nothing++
			}
			if c.states[i].AttractsNothing() != before {
				c.moves++
			}
		}
		most = max(most, nothing)
	}
	return most
}

// The proxies of ten nodes die one by one, one a minute: never are more than half of the nodes withdrawn, each once, and in the end none.
func TestJudge_ProxiesThatDieOneAfterTheOther(t *testing.T) {
	c := newCluster(10)
	for i := range c.checks {
		c.checks[i] = Failing
		if most := c.run(time.Minute); most > 5 || i < 5 && most != i+1 {
			t.Errorf("%d nodes attract nothing when the proxies of %d have failed", most, i+1)
		}
	}
	if most := c.run(time.Hour); most > 0 || c.moves != 10 {
		t.Errorf("in the end %d nodes attract nothing, after %d moves", most, c.moves)
	}
	// They are mended one by one: those that still fail are withdrawn once they are the fewer.
	c.moves = 0
	for i := range c.checks {
		c.checks[i] = Working
		if most := c.run(time.Minute); most > 5 {
			t.Errorf("%d nodes attract nothing when the proxies of %d work again", most, i+1)
		}
	}
	if c.moves != 10 || c.states[9] != Works {
		t.Errorf("%d moves until all work", c.moves)
	}
}

// Five of ten fail, and a sixth goes and comes: that does not take the five away and back each time.
func TestJudge_ProxyThatFlapsAmongMany(t *testing.T) {
	c := newCluster(10)
	for i := range 5 {
		c.checks[i] = Failing
	}
	c.run(time.Minute)
	c.moves = 0
	for range 60 {
		c.checks[5] = Absent
		c.run(30 * time.Second)
		c.checks[5] = Working
		c.run(30 * time.Second)
	}
	if c.moves > 60 {
		t.Errorf("the nodes came and went %d times in an hour", c.moves)
	}
	c.run(6 * time.Minute)
	if got := c.states[:6]; !slices.Equal(got, []State{Withdrawn, Withdrawn, Withdrawn, Withdrawn, Withdrawn, Works}) {
		t.Errorf("when it is steady: %v", got)
	}
}
