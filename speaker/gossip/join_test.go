package gossip

import "testing"

func TestCountExpected_WaitsForAllThatAreNotGone(t *testing.T) {
	expected := map[string]ExpectedPeer{
		"never tried": {}, "does not answer": {}, "behind a firewall": {}, "nobody listens": {}, "node is down": {Down: true}, "refuses and speaks": {},
	}
	failures := map[string]joinFailure{
		"does not answer":   {text: "nothing answers"},
		"behind a firewall": {text: "a firewall rejects the connection"},
		"nobody listens":    {text: "the connection is refused", refused: true},
		"not expected":      {refused: true}, "refuses and speaks": {refused: true},
	}
	spoke := func(node string) bool { return node == "refuses and speaks" }
	if waitedFor, gone := countExpected(expected, failures, spoke); waitedFor != 4 || gone != 2 {
		t.Errorf("%d are waited for and %d gone, want 4 and 2", waitedFor, gone)
	}
}

// A pass of the loop that Changes woke calls Set: it must not wake the next one.
func TestMembership_SettingTheSameWakesNobody(t *testing.T) {
	m := New(Config{Node: "n1"})
	woken := func(expected map[string]ExpectedPeer) bool {
		m.Set(expected)
		select {
		case <-m.Changes():
			return true
		default:
			return false
		}
	}
	peers := func(down bool) map[string]ExpectedPeer { return map[string]ExpectedPeer{"n1": {}, "n2": {Down: down}} }
	for i, step := range []struct {
		expected map[string]ExpectedPeer
		wakes    bool
	}{{nil, true}, {nil, false}, {peers(false), true}, {peers(false), false}, {peers(true), true}, {peers(true), false}} {
		if got := woken(step.expected); got != step.wakes {
			t.Errorf("step %d: woken is %v, not %v", i, got, step.wakes)
		}
	}
}
