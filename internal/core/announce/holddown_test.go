package announce

import (
	"net/netip"
	"testing"
	"time"

	"github.com/daymark-lb/daymark/internal/core/lb"
)

func TestHoldDown_RoutesWaitUntilBFDHasBeenUpWithoutABreak(t *testing.T) {
	const holdDown = 30 * time.Second
	now := time.Unix(1000, 0)
	path := []Path{{Prefix: netip.MustParsePrefix("198.19.0.1/32")}}
	watched := Session{Name: "tor", BFD: &lb.BFDProfile{HoldDown: holdDown}, Paths: path}
	unwatched, without := watched, watched
	unwatched.BFD, without.BFD = nil, &lb.BFDProfile{}
	for _, test := range []struct {
		name    string
		session Session
		failed  map[string]time.Time
		held    bool
		wait    time.Duration
	}{
		{"it has not failed", watched, nil, false, 0},
		{"another has failed", watched, map[string]time.Time{"other": {}}, false, 0},
		{"it has failed", watched, map[string]time.Time{"tor": {}}, true, 0},
		{"it has come up", watched, map[string]time.Time{"tor": now}, true, holdDown},
		{"it has been up for most of the time", watched, map[string]time.Time{"tor": now.Add(time.Second - holdDown)}, true, time.Second},
		{"it has been up for the time", watched, map[string]time.Time{"tor": now.Add(-holdDown)}, false, 0},
		{"its profile has none", without, map[string]time.Time{"tor": {}}, false, 0},
		{"BFD is taken from it", unwatched, map[string]time.Time{"tor": {}}, false, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			held, wait := HoldDown(now, []Session{test.session}, test.failed)
			if got := len(held[0].Paths) == 0; got != test.held || got != (len(held[0].Warnings) > 0) || wait != test.wait {
				t.Errorf("to ask again after %s, there is %+v", wait, held[0])
			}
			if len(test.session.Paths) != 1 {
				t.Error("the session was changed")
			}
		})
	}
}
