package reconcile

import (
	"strings"
	"testing"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/speaker/gossip"
)

// TestMemory_SaysWhyNothingIsShared while a speaker of an earlier version is there.
func TestMemory_SaysWhyNothingIsShared(t *testing.T) {
	m := &memory{}
	if texts := m.texts(); len(texts) > 0 {
		t.Errorf("%v", texts)
	}
	m.unshared = true
	if texts := m.texts(); len(texts) != 1 || !strings.Contains(texts[0], "no address is shared before all speakers have a version that can share") {
		t.Errorf("%v", texts)
	}
}

// TestLoop_SharesWhenAllSpeakersCan, and not before, and says why.
func TestLoop_SharesWhenAllSpeakersCan(t *testing.T) {
	inTime(t, func(t *testing.T, f *fixture) {
		f.sharing = v1beta1.SharingPerClient
		f.untilHeld(t)
		for _, test := range []struct {
			version int
			shared  bool
		}{{gossip.VersionOfShares - 1, false}, {gossip.VersionOfShares, true}, {gossip.VersionOfShares - 1, false}} {
			f.gossip.view.Version = test.version
			f.pass(t)
			if len(f.layer2.desired) != 1 || (f.layer2.desired[0].Sharing != nil) != test.shared {
				t.Errorf("version %d: layer 2 is told %+v, want shared: %v", test.version, f.layer2.desired, test.shared)
			}
			if texts := f.memory.texts(); (len(texts) == 0) != test.shared {
				t.Errorf("version %d: it says %v", test.version, texts)
			}
		}
	})
}
