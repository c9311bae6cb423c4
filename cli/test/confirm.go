package test

import (
	"context"
	"strings"
	"time"

	"github.com/daymark-lb/daymark/cli/source"
	"github.com/daymark-lb/daymark/internal/core/lb"
)

// confirmInterval is the shortest time between two looks at the whole cluster.
const confirmInterval = time.Second

// confirm that what the condition says has happened: a node says that it holds each address that is announced by layer 2, and each router
// that should have a route was sent it. What one of them has not done yet is awaited. What the user may not see makes the step a note.
func (t *trial) confirm(ctx context.Context) Step {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	from, err := t.Source()
	if err != nil {
		return Step{Name: "confirmed", Message: err.Error()}
	}
	changes, err := from.Follow(ctx, confirmInterval, t.World(t.Namespace)...)
	if err != nil {
		return Step{Name: "confirmed", Message: err.Error()}
	}
	return t.confirmFrom(changes)
}

// confirmFrom what is seen of the cluster, again and again until it is so, or the channel ends.
func (t *trial) confirmFrom(changes <-chan *source.Objects) (step Step) {
	step.Name = "confirmed"
	missing := ""
	for objects := range changes {
		at, done, now := t.look(objects)
		if done {
			return at
		}
		if now != missing {
			missing = now
			t.Warn("waiting: %s", missing)
		}
	}
	step.Message = "after " + t.timeout.String() + ": " + missing
	return step
}

// look at the cluster once; missing is what there is to wait for.
func (t *trial) look(objects *source.Objects) (step Step, done bool, missing string) {
	t.cluster = t.View(objects)
	step.Name = "confirmed"
	seen := t.cluster.Announcing(lb.Key{Namespace: t.Namespace, Name: t.Name})
	if len(seen.Missing) > 0 {
		return step, false, strings.Join(seen.Missing, "; ")
	}
	step.OK, step.Message = len(seen.Unknown) == 0, strings.Join(seen.Told, ", ")
	if !step.OK {
		step.Message = strings.TrimPrefix(step.Message+"; not all is known", "; ")
		step.Note = "Not seen: " + strings.Join(seen.Unknown, "; ") + "."
	}
	return step, true, ""
}
