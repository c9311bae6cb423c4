package bfd

import (
	"bytes"
	"os/exec"
	"testing"

	"github.com/daymark-lb/daymark/internal/netnstest"
)

// daemon is a program that runs in another namespace until it is killed, or the test ends.
type daemon struct {
	process *exec.Cmd
	ended   chan struct{}
}

// startDaemon starts a program. What it has said is shown when the test fails.
func startDaemon(t testing.TB, n *netnstest.Namespace, command *exec.Cmd) *daemon {
	t.Helper()
	var output bytes.Buffer
	if command.Stdout == nil {
		command.Stdout = &output
	}
	command.Stderr = &output
	d := &daemon{process: command, ended: make(chan struct{})}
	begun := make(chan error)
	go n.Do(t, func() { // The thread must live as long as its child.
		defer close(d.ended)
		err := command.Start()
		begun <- err
		if err == nil {
			_ = command.Wait()
		}
	})
	if err := <-begun; err != nil {
		t.Fatalf("start %s: %v", command.Path, err)
	}
	t.Cleanup(func() {
		d.kill()
		if t.Failed() {
			t.Logf("%s said: %s", command.Args, output.String())
		}
	})
	return d
}

// kill ends the program as a crash would.
func (d *daemon) kill() {
	_ = d.process.Process.Kill()
	<-d.ended
}
