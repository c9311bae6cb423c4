package netnstest

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/daymark-lb/daymark/internal/testnet"
)

// ExaBGP is ExaBGP in a namespace. It has no table of routes: it tells a program what it is sent.
type ExaBGP struct {
	*Daemon
	events, commands string
}

// exaBGPProcess keeps what it reads, and writes a command when there is one and something was read. It outlives ExaBGP by a moment, in which it
// makes no file in a folder that is being removed.
const exaBGPProcess = `#!/bin/sh
cd %s
exec 3>>events
while IFS= read -r line; do
	printf '%%s\n' "$line" >&3
	if [ -e commands ]; then cat commands; rm commands; fi
done
`

// StartExaBGP runs ExaBGP. What it is sent goes, in JSON, to a process with the name "events" that the configuration may
// name. The test is skipped where it is not installed, and fails in CI.
func StartExaBGP(t testing.TB, at *Namespace, config string) *ExaBGP {
	t.Helper()
	need(t, testnet.Require("exabgp"))
	path, err := testnet.Find("exabgp")
	must(t, err)
	dir := t.TempDir()
	x := &ExaBGP{events: filepath.Join(dir, "events"), commands: filepath.Join(dir, "commands")}
	script, file := filepath.Join(dir, "process"), filepath.Join(dir, "conf")
	must(t, os.WriteFile(script, fmt.Appendf(nil, exaBGPProcess, dir), 0o700))
	must(t, os.WriteFile(x.events, nil, 0o600))
	config = fmt.Sprintf("process events { run %s; encoder json; }\n%s", script, config)
	must(t, os.WriteFile(file, []byte(config), 0o600))
	x.Daemon = NewDaemon(t, at, "exabgp", "env", "exabgp.daemon.user=root", "exabgp.daemon.drop=false", "exabgp.api.cli=false",
		"exabgp.tcp.port=179", path, file)
	x.Start()
	return x
}

// Events are the lines that ExaBGP has written so far, each an object in JSON.
func (x *ExaBGP) Events() ([]string, error) {
	content, err := os.ReadFile(x.events)
	if err != nil {
		return nil, fmt.Errorf("read ExaBGP's events: %w", err)
	}
	lines := strings.Split(string(content), "\n")
	return lines[:len(lines)-1], nil // The last one is empty, or not complete yet.
}

// Tell gives it a command, which it takes after its next event.
func (x *ExaBGP) Tell(command string) error {
	complete := x.commands + ".new"
	if err := os.WriteFile(complete, []byte(command+"\n"), 0o600); err != nil {
		return fmt.Errorf("write a command for ExaBGP: %w", err)
	}
	return os.Rename(complete, x.commands)
}
