package netnstest

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/daymark-lb/daymark/internal/testnet"
)

// OpenBGPD is the portable OpenBGPD in a namespace, with its files in a folder of its own.
type OpenBGPD struct {
	*Daemon
	t   testing.TB
	at  *Namespace
	dir string
}

// StartOpenBGPD runs OpenBGPD with a configuration, and waits until it answers. The test is skipped where it is not
// installed, and fails in CI. FRR's bgpd has the same name: OpenBGPD's is the one on the PATH that comes with bgpctl.
func StartOpenBGPD(t testing.TB, at *Namespace, config string) *OpenBGPD {
	t.Helper()
	need(t, testnet.Require("bgpd", "bgpctl", "unshare", "mount"))
	bgpd, err := testnet.Find("bgpd")
	must(t, err)
	self, err := os.Executable()
	must(t, err)
	o := &OpenBGPD{t: t, at: at, dir: t.TempDir()}
	o.write("conf", fmt.Sprintf("socket %q\n%s", o.path("ctl"), config))
	// It gives its rights to a user, and an ordinary user's namespace has none but root. That user is root, in a file of users
	// that only it sees; Debian calls him otherwise than OpenBSD does.
	users := ""
	for _, name := range []string{"_bgpd", "_openbgpd"} {
		users += fmt.Sprintf("%s:x:0:0::%s:/bin/false\n", name, o.dir)
	}
	o.write("passwd", users)
	o.Daemon = NewDaemon(t, at, "openbgpd", "unshare", "--mount", "sh", "-c", `mount --bind "$0" /etc/passwd && exec "$@"`,
		o.path("passwd"), "env", groupless+"=1", self, bgpd, "-d", "-f", o.path("conf"))
	o.Start()
	Eventually(t, "OpenBGPD answers", func() error { _, err := o.Ask("show"); return err })
	return o
}

func (o *OpenBGPD) path(name string) string { return filepath.Join(o.dir, name) }

func (o *OpenBGPD) write(name, content string) {
	o.t.Helper()
	must(o.t, os.WriteFile(o.path(name), []byte(content), 0o600))
}

// Ask gives a command to bgpctl, a word an argument, and returns the answer: in JSON for those that show something.
func (o *OpenBGPD) Ask(command ...string) (string, error) {
	path, err := testnet.Find("bgpctl")
	if err != nil {
		return "", err
	}
	return o.at.core.Run(o.t.Context(), "", append([]string{path, "-j", "-s", o.path("ctl")}, command...)...)
}
