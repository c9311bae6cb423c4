package gossip

import "testing"

func TestCountExpected_WaitsForAllThatAreNotGone(t *testing.T) {
	expected := map[string]ExpectedPeer{
		"never tried": {}, "does not answer": {}, "behind a firewall": {}, "nobody listens": {}, "node is down": {Down: true},
	}
	failures := map[string]joinFailure{
		"does not answer":   {text: "nothing answers"},
		"behind a firewall": {text: "a firewall rejects the connection"},
		"nobody listens":    {text: "the connection is refused", refused: true},
		"not expected":      {refused: true},
	}
	if waitedFor, gone := countExpected(expected, failures); waitedFor != 3 || gone != 2 {
		t.Errorf("%d are waited for and %d gone, want 3 and 2", waitedFor, gone)
	}
}
