package netnstest

import (
	"context"
	"testing"

	"github.com/daymark-lb/daymark/internal/testnet"
)

// Daemon is a program that runs in a namespace until it is killed, or the test ends.
type Daemon struct {
	*testnet.Process
	t testing.TB
}

// NewDaemon prepares a program and starts nothing yet. It is killed at the end of the test; its output is shown when the
// test fails.
func NewDaemon(t testing.TB, n *Namespace, name string, argv ...string) *Daemon {
	t.Helper()
	return adopt(t, testnet.NewProcess(n.core, name, t.TempDir(), argv...))
}

// adopt puts a process into the hands of a test.
func adopt(t testing.TB, p *testnet.Process) *Daemon {
	t.Helper()
	d := &Daemon{Process: p, t: t}
	t.Cleanup(func() {
		d.Kill()
		if t.Failed() {
			t.Logf("output of %s:\n%s", p.Argv, p.Output())
		}
	})
	return d
}

// Start runs it.
func (d *Daemon) Start() {
	d.t.Helper()
	must(d.t, d.Process.Start())
}

// Wait waits until the program has ended.
func (d *Daemon) Wait() {
	d.t.Helper()
	_, err := d.Exit(context.Background())
	must(d.t, err)
}

// Kill ends the program as a crash would. One that does not run stays so.
func (d *Daemon) Kill() {
	d.t.Helper()
	must(d.t, d.Process.Kill())
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
