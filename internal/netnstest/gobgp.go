package netnstest

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/daymark-lb/daymark/internal/testnet"
)

// GoBGP is gobgpd in a namespace, with its files in a folder of its own.
type GoBGP struct {
	*Daemon
	t      testing.TB
	at     *Namespace
	target string
}

// StartGoBGP runs gobgpd with a configuration in TOML, and waits until it answers. The test is skipped where it is not
// installed, and fails in CI.
func StartGoBGP(t testing.TB, at *Namespace, config string) *GoBGP {
	t.Helper()
	need(t, testnet.Require("gobgpd", "gobgp"))
	dir := t.TempDir()
	file := filepath.Join(dir, "gobgpd.toml")
	must(t, os.WriteFile(file, []byte(config), 0o600))
	g := &GoBGP{t: t, at: at, target: "unix://" + filepath.Join(dir, "api")}
	g.Daemon = NewDaemon(t, at, "gobgpd",
		"gobgpd", "--log-plain", "--pprof-disable", "--config-file="+file, "--api-hosts="+g.target)
	g.Start()
	Eventually(t, "gobgpd answers", func() error { _, err := g.Ask("neighbor"); return err })
	return g
}

// Ask gives a command to gobgp, a word an argument, and returns the answer: in JSON for those that show something.
func (g *GoBGP) Ask(command ...string) (string, error) {
	return g.at.core.Run(g.t.Context(), "", append([]string{"gobgp", "--json", "--target", g.target}, command...)...)
}
