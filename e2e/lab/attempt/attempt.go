// Package attempt is the lab's T outside of tests. What the lab cannot do ends the attempt and is kept, and the program that made it
// goes on. It refuses to judge what came of it.
package attempt

import (
	"fmt"
	"io"
	"slices"
	"strings"
)

// Attempt is a T for a part of what a program does.
type Attempt struct {
	Out   io.Writer // where Logf writes
	Wrong []string  // why parts ended early, in order

	cleanups []func()
}

// given up is what Fatalf panics with.
type givenUp struct{ why string }

// Helper does nothing: there are no lines of a test to name.
func (a *Attempt) Helper() {}

// Logf writes a line.
func (a *Attempt) Logf(format string, values ...any) {
	fmt.Fprintf(a.Out, "    "+format+"\n", values...)
}

// Fatalf ends what Do does.
func (a *Attempt) Fatalf(format string, values ...any) {
	panic(givenUp{fmt.Sprintf(format, values...)})
}

// Skipf is Fatalf: what was asked for cannot be left out.
func (a *Attempt) Skipf(format string, values ...any) { a.Fatalf(format, values...) }

// Cleanup has something done by End.
func (a *Attempt) Cleanup(f func()) { a.cleanups = append(a.cleanups, f) }

// Failed reports whether something went wrong so far.
func (a *Attempt) Failed() bool { return len(a.Wrong) > 0 }

// Do does something, as far as it goes.
func (a *Attempt) Do(f func()) {
	defer func() {
		if why := recover(); why != nil {
			given, ok := why.(givenUp)
			if !ok {
				panic(why)
			}
			a.Wrong = append(a.Wrong, strings.TrimSpace(given.why))
		}
	}()
	f()
}

// End undoes all, the last first.
func (a *Attempt) End() {
	for _, f := range slices.Backward(a.cleanups) {
		a.Do(f)
	}
	a.cleanups = nil
}
