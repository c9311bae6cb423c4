package reconcile

import (
	"strings"
	"testing"
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
