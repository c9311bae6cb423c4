package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
)

// attempt is the lab's T for one part of a step. What the lab cannot do ends that part and is kept; the run goes on.
type attempt struct {
	out      io.Writer
	cleanups []func()
	wrong    []string
}

// given up is what Fatalf panics with.
type givenUp struct{ why string }

func (a *attempt) Helper() {}
func (a *attempt) Logf(format string, values ...any) {
	fmt.Fprintf(a.out, "    "+format+"\n", values...)
}

func (a *attempt) Fatalf(format string, values ...any) {
	panic(givenUp{fmt.Sprintf(format, values...)})
}
func (a *attempt) Skipf(format string, values ...any) { a.Fatalf(format, values...) }
func (a *attempt) Cleanup(f func())                   { a.cleanups = append(a.cleanups, f) }
func (a *attempt) Failed() bool                       { return len(a.wrong) > 0 }

// do does something, as far as it goes.
func (a *attempt) do(f func()) {
	defer func() {
		if why := recover(); why != nil {
			given, ok := why.(givenUp)
			if !ok {
				panic(why)
			}
			a.wrong = append(a.wrong, strings.TrimSpace(given.why))
		}
	}()
	f()
}

// end undoes all, the last first.
func (a *attempt) end() {
	for _, f := range slices.Backward(a.cleanups) {
		a.do(f)
	}
	a.cleanups = nil
}
