package env

import (
	"context"
	"errors"
	"fmt"
	"time"

	"k8s.io/cli-runtime/pkg/printers"

	"github.com/daymark-lb/daymark/cli/source"
)

// watchInterval is the shortest time between two looks of a command with --watch.
const watchInterval = time.Second

// Each reads objects and shows them; with watch again whenever they have changed, until ctx ends or show fails. That something is
// wrong (ErrWrong) does not end a watch. A terminal is cleared before each time.
func (e *Env) Each(ctx context.Context, watch bool, queries []source.Query, show func(*source.Objects) error) error {
	from, err := e.Source()
	if err != nil {
		return err
	}
	if !watch {
		objects, err := from.Read(ctx, queries...)
		if err != nil {
			return err
		}
		return show(objects)
	}
	all, err := from.Follow(ctx, watchInterval, queries...)
	if err != nil {
		return err
	}
	for objects := range all {
		if printers.IsTerminal(e.Out) {
			fmt.Fprint(e.Out, "\x1b[H\x1b[2J\x1b[3J")
		}
		if err := show(objects); err != nil && !errors.Is(err, ErrWrong) {
			return err
		}
	}
	return nil
}
