package netnstest

import (
	"context"
	"strings"
	"testing"

	"github.com/daymark-lb/daymark/internal/testnet"
)

// FRR is a set of FRR's daemons in a namespace.
type FRR struct {
	t    testing.TB
	core *testnet.FRR
}

// NewFRR starts nothing yet. The test is skipped where FRR is not installed, and fails in CI.
func NewFRR(t testing.TB, at *Namespace) *FRR {
	t.Helper()
	need(t, testnet.RequireFRR())
	core, err := testnet.NewFRR(at.core, t.TempDir())
	must(t, err)
	return &FRR{t, core}
}

// Start runs a daemon, "bgpd", with a configuration, and waits until it answers. Those that need zebra come after it.
func (f *FRR) Start(daemon, config string, more ...string) *Daemon {
	f.t.Helper()
	need(f.t, testnet.RequireFRR(daemon))
	p, err := f.core.Start(daemon, config, more...)
	must(f.t, err)
	return adopt(f.t, p)
}

// Ask gives commands to a daemon, and returns what it answers.
func (f *FRR) Ask(daemon string, commands ...string) (string, error) {
	return f.core.Ask(context.Background(), daemon, commands...)
}

// BIRD is BIRD 2 in a namespace.
type BIRD struct {
	*Daemon
	core *testnet.BIRD
}

// StartBIRD runs BIRD with a configuration. The test is skipped where it is not installed, and fails in CI.
func StartBIRD(t testing.TB, at *Namespace, config string) *BIRD {
	t.Helper()
	need(t, testnet.RequireBIRD())
	core, err := testnet.NewBIRD(at.core, t.TempDir(), config)
	must(t, err)
	b := &BIRD{adopt(t, core.Process), core}
	b.Start()
	return b
}

// Start runs it again after Kill, and waits until it answers.
func (b *BIRD) Start() {
	b.t.Helper()
	must(b.t, b.core.Start())
}

// Configure changes the configuration in place.
func (b *BIRD) Configure(config string) {
	b.t.Helper()
	must(b.t, b.core.Configure(context.Background(), config))
}

// Ask gives it a command, and returns what it answers.
func (b *BIRD) Ask(command string) (string, error) {
	return b.core.Ask(context.Background(), strings.Fields(command)...)
}
