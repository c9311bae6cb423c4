package testnet

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// FRR is a set of FRR's daemons in a namespace, with their files in a folder of their own.
type FRR struct {
	at  *Namespace
	dir string
}

// readyTimeout is how long a router's program may take until it answers.
const readyTimeout = 20 * time.Second

// frrPath is where Debian and FRR's own packages have the daemons.
func frrPath(daemon string) string { return filepath.Join("/usr/lib/frr", daemon) }

// RequireFRR returns an error when FRR's daemons of these names, or what they are started with, are not installed.
func RequireFRR(daemons ...string) error {
	names := []string{"vtysh", "sh", "mount"}
	for _, daemon := range daemons {
		names = append(names, frrPath(daemon))
	}
	return Require(names...)
}

// NewFRR prepares the folder and starts nothing yet. The folder's path must be short: it holds sockets.
func NewFRR(at *Namespace, dir string) (*FRR, error) {
	f := &FRR{at: at, dir: dir}
	// FRR wants its user in a group of its own, and an ordinary user's namespace has no users but root. Root is a member, in
	// a file of groups that only FRR sees.
	return f, errors.Join(f.write("group", "root:x:0:\nfrrvty:x:0:root\n"), f.write("vtysh.conf", ""))
}

func (f *FRR) write(name, content string) error {
	if err := os.WriteFile(f.Path(name), []byte(content), 0o600); err != nil {
		return fmt.Errorf("write a file of FRR: %w", err)
	}
	return nil
}

// Path of a file in the folder.
func (f *FRR) Path(name string) string { return filepath.Join(f.dir, name) }

// Start runs a daemon, "bgpd", with a configuration, and waits until it answers. Those that need zebra come after it.
func (f *FRR) Start(daemon, config string, more ...string) (*Process, error) {
	if err := f.write(daemon+".conf", config); err != nil {
		return nil, err
	}
	p := NewProcess(f.at, daemon, f.dir, append([]string{
		"sh", "-c", `mount --make-rslave / && mount --bind "$0" /etc/group && exec "$@"`, f.Path("group"),
		frrPath(daemon), "-u", "root", "-g", "root", "-f", f.Path(daemon + ".conf"), "-i", f.Path(daemon + ".pid"),
		"--vty_socket", f.dir, "-P", "0", "-z", f.Path("zserv"), "--log", "stdout",
	}, append(f.sockets(daemon), more...)...)...)
	p.mounts = true
	if err := p.Start(); err != nil {
		return nil, err
	}
	_, err := Eventually(readyTimeout, func() error { return f.ready(daemon) })
	if err != nil {
		return nil, errors.Join(fmt.Errorf("wait for %s: %w\n%s", daemon, err, p.Tail(10)), p.Kill())
	}
	return p, nil
}

// sockets are arguments for the sockets that a daemon would have outside the folder.
func (f *FRR) sockets(daemon string) []string {
	if daemon == "bfdd" {
		return []string{"--bfdctl", f.Path("bfdd.sock")}
	}
	return nil
}

// ready is nil when a daemon answers. Zebra must also listen for the others, which look for it once and then not again for
// seconds.
func (f *FRR) ready(daemon string) error {
	ctx, cancel := context.WithTimeout(context.Background(), readyTimeout)
	defer cancel()
	if _, err := f.Ask(ctx, daemon, "show version"); err != nil || daemon != "zebra" {
		return err
	}
	conn, err := net.Dial("unix", f.Path("zserv"))
	if err != nil {
		return err
	}
	return conn.Close()
}

// Ask gives commands to a daemon, "" for all, and returns the answer.
func (f *FRR) Ask(ctx context.Context, daemon string, commands ...string) (string, error) {
	argv := f.vtysh()
	if daemon != "" {
		argv = append(argv, "-d", daemon)
	}
	for _, command := range commands {
		argv = append(argv, "-c", command)
	}
	return f.at.Run(ctx, "", argv...)
}

// Configure adds lines to the configuration of all daemons.
func (f *FRR) Configure(ctx context.Context, config string) error {
	if err := f.write("frr.conf", config); err != nil {
		return err
	}
	_, err := f.at.Run(ctx, "", append(f.vtysh(), "-f", f.Path("frr.conf"))...)
	return err
}

// Shell is the command of FRR's shell on its host.
func (f *FRR) Shell() string { return strings.Join(f.vtysh(), " ") }

func (f *FRR) vtysh() []string {
	return []string{"vtysh", "--vty_socket", f.dir, "--config_dir", f.dir}
}
