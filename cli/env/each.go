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
// wrong (ErrWrong) does not end a watch. A terminal is cleared before each time. When the API server does not answer meanwhile, the user
// is told that what he sees may be old.
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
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	all, err := from.Follow(ctx, watchInterval, queries...)
	if err != nil {
		return err
	}
	probed := make(chan error)
	go source.Probe(ctx, from, e.ProbeQuery(), func(failure error) {
		select {
		case probed <- failure:
		case <-ctx.Done():
		}
	})
	for {
		select {
		case failure := <-probed:
			e.sayProbed(failure)
		case objects, more := <-all:
			if !more {
				return nil
			}
			if printers.IsTerminal(e.Out) {
				fmt.Fprint(e.Out, "\x1b[H\x1b[2J\x1b[3J")
			}
			if err := show(objects); err != nil && !errors.Is(err, ErrWrong) {
				return err
			}
			if err := e.Written(); err != nil {
				return err
			}
		}
	}
}

// Written is an error when something could not be written to the output: what goes on until its user ends it ends by that.
func (e *Env) Written() error {
	if out, asks := e.Out.(interface{ Failed() error }); asks {
		return out.Failed()
	}
	return nil
}

// ProbeQuery asks for one object that everybody may ask for, be it in vain.
func (e *Env) ProbeQuery() source.Query {
	return source.Query{Kind: source.Namespaces, Name: e.System, Optional: true}
}

func (e *Env) sayProbed(failure error) {
	at := e.Now().Format(time.TimeOnly)
	if failure != nil {
		e.Warn("%s what is shown may be old, the API server does not answer: %v", at, failure)
		return
	}
	e.Warn("%s the API server answers again", at)
}
