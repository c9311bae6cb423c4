package connections

import (
	"testing"

	"github.com/daymark-lb/daymark/internal/progress/progresstest"
)

func TestRelay_KnowsThatItIsStuck(t *testing.T) {
	r := New(Config{})
	r.mu.Lock()
	go func() { _ = r.Start(t.Context()) }()
	notify(r.hurry)
	progresstest.Notices(t, &r.steps, "keeps open connections", r.mu.Unlock)
	if err := r.Alive(); err != nil {
		t.Error(err)
	}
}
