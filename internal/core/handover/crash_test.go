package handover

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"testing"
	"time"
)

func TestCrashes_CountAfterAMoment(t *testing.T) {
	var c Crashes
	for _, step := range []struct {
		name    string
		at      time.Duration
		silent  []string
		crashed []string
		wait    time.Duration
	}{
		{"one falls silent", 0, []string{"n1"}, nil, CrashDelay},
		{"another does", CrashDelay / 4, []string{"n1", "n2"}, nil, CrashDelay * 3 / 4},
		{"the first has been for long enough", CrashDelay, []string{"n1", "n2"}, []string{"n1"}, CrashDelay / 4},
		{"the second is back in time", CrashDelay + CrashDelay/8, []string{"n1"}, []string{"n1"}, 0},
		{"it falls silent again", CrashDelay + CrashDelay/4, []string{"n1", "n2"}, []string{"n1"}, CrashDelay},
		{"all are back", 2 * CrashDelay, nil, nil, 0},
		{"the first falls silent again", 3 * CrashDelay, []string{"n1"}, nil, CrashDelay},
	} {
		crashed, wait := c.Next(start.Add(step.at), step.silent)
		if got := slices.Sorted(maps.Keys(crashed)); !slices.Equal(got, step.crashed) || wait != step.wait {
			t.Errorf("%s: %v have crashed, and more may in %s; want %v, %s", step.name, got, wait, step.crashed, step.wait)
		}
	}
}

// The speaker of a node may have no processor time for a while. The connections that its kernel knows go on by it.
func TestMemory_ASilentNodeThatAnswersHasNotCrashed(t *testing.T) {
	c := newCluster("n1", "n2", "n3")
	c.hold("n1", "n2", "n3")
	if asked := c.last["n1"].Plan.Asked; len(asked) > 0 {
		t.Errorf("all are heard, and %v are asked", asked)
	}
	c.away["n2"], c.silent, c.answered = true, []string{"n2"}, []string{"n2"}
	c.hold("n1", "n3")
	if asked := c.last["n1"].Plan.Asked; !slices.Equal(asked, []netip.Addr{address4("n2")}) {
		t.Errorf("n2 is silent, and %v are asked", asked)
	}
	c.after(3 * CrashDelay)
	c.expectWay(t, "n2 answers", "n1", "n2", "n3")
	c.expectWay(t, "and from another", "n3", "n1", "n2")
	c.answered = nil
	c.hold("n1", "n3")
	c.expectWay(t, "it has just ceased to answer", "n1", "n2", "n3")
	if wait := c.last["n1"].Wait; wait > CrashDelay {
		t.Errorf("that is looked at again in %s", wait)
	}
	c.after(CrashDelay)
	c.expectWay(t, "it has not answered for long", "n1", "n3")
	c.away["n2"], c.silent = false, nil
	c.hold("n1", "n2", "n3")
	c.expectWay(t, "it is heard again", "n1", "n2", "n3")
	c.after(draining)
	c.away["n3"], c.silent = true, []string{"n3"}
	c.holders, c.draining = []string{"n1"}, 0
	c.decide()
	if asked := c.last["n1"].Plan.Asked; len(asked) > 0 {
		t.Errorf("nothing is passed on, and %v are asked", asked)
	}
}

// Of many silent nodes, as when the gossip is cut in two, no more are asked than a segment bears.
func TestMemory_FewOfManySilentNodesAreAsked(t *testing.T) {
	var nodes []string
	for i := range 2 * maxAsked {
		nodes = append(nodes, fmt.Sprintf("n%d", i+1))
	}
	c := newCluster(nodes...)
	c.hold("n1", "n2", "n3")
	c.silent = nodes[2:]
	for _, node := range c.silent {
		c.away[node] = true
	}
	c.hold("n1", "n2")
	if asked := c.last["n1"].Plan.Asked; len(asked) != maxAsked {
		t.Errorf("%d are asked", len(asked))
	}
}
