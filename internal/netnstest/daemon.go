package netnstest

import (
	"bytes"
	"os/exec"
	"syscall"
	"testing"
)

// Daemon is a program that runs in a namespace until it is killed, or the test ends.
type Daemon struct {
	process *exec.Cmd
	ended   chan struct{}
}

// StartDaemon starts a program in a namespace. What it has said is shown when the test fails.
func StartDaemon(t testing.TB, n *Namespace, command *exec.Cmd) *Daemon {
	t.Helper()
	var said bytes.Buffer // Not read before the program has ended.
	if command.Stdout == nil {
		command.Stdout = &said
	}
	command.Stderr = &said
	if command.SysProcAttr == nil {
		command.SysProcAttr = &syscall.SysProcAttr{}
	}
	command.SysProcAttr.Pdeathsig = syscall.SIGKILL
	d := &Daemon{process: command, ended: make(chan struct{})}
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
		d.Kill()
		if t.Failed() {
			t.Logf("%s said: %s", command.Args, said.String())
		}
	})
	return d
}

// Wait waits until the program has ended.
func (d *Daemon) Wait() { <-d.ended }

// Kill ends the program as a crash would.
func (d *Daemon) Kill() {
	_ = d.process.Process.Kill()
	d.Wait()
}
