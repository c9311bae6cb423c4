package main

import (
	"errors"
	"fmt"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"
)

// narrator is the lab's T for a person: it prints what happens and when. What the lab cannot do ends the whole.
type narrator struct {
	began    time.Time
	failed   bool
	mu       sync.Mutex // held while the cleanups run
	cleanups []func()
}

// failure is what Fatalf panics with, to be caught by tell.
type failure struct{ error }

func (n *narrator) Helper()                        {}
func (n *narrator) Fatalf(format string, a ...any) { panic(failure{fmt.Errorf(format, a...)}) }
func (n *narrator) Skipf(format string, a ...any)  { n.Fatalf(format, a...) }
func (n *narrator) Cleanup(f func()) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.cleanups = append(n.cleanups, f)
}
func (n *narrator) Failed() bool { return n.failed }

// Logf prints a line with the time since the beginning.
func (n *narrator) Logf(format string, a ...any) {
	if n.began.IsZero() {
		n.began = time.Now()
	}
	fmt.Printf("%6.1f s  %s\n", time.Since(n.began).Seconds(), fmt.Sprintf(format, a...))
}

// tell calls f; what it fails with, by Fatalf too, is returned.
func (n *narrator) tell(f func() error) (err error) {
	defer func() {
		if why := recover(); why != nil {
			failed, ok := why.(failure)
			if !ok {
				panic(why)
			}
			err = errors.Join(err, failed.error)
		}
		n.failed = n.failed || err != nil
	}()
	return f()
}

// end calls the cleanups, the last first, once.
func (n *narrator) end() {
	n.mu.Lock()
	defer n.mu.Unlock()
	defer func() { n.cleanups = nil }()
	for i := len(n.cleanups) - 1; i >= 0; i-- {
		if err := n.tell(func() error { n.cleanups[i](); return nil }); err != nil {
			n.Logf("%v", err)
		}
	}
}

// endOnSignal calls the cleanups and ends the process when it is asked to end: the nodes' cgroups would outlive it.
func (n *narrator) endOnSignal() {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM)
	go func() {
		<-signals
		n.end()
		os.Exit(1)
	}()
}
