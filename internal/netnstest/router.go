package netnstest

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// FRR is a set of FRR's daemons in a namespace, with their files in a folder of their own.
type FRR struct {
	t   testing.TB
	at  *Namespace
	dir string
}

// NewFRR starts nothing yet. The test is skipped where FRR is not installed, and fails in CI.
func NewFRR(t testing.TB, at *Namespace) *FRR {
	t.Helper()
	f := &FRR{t: t, at: at, dir: t.TempDir()}
	for _, program := range []string{"vtysh", "sh", "mount"} {
		NeedProgram(t, program)
	}
	// FRR wants its user in a group of its own. Root is a member, in a list of groups that only FRR sees.
	f.write("group", "root:x:0:\nfrrvty:x:0:root\n")
	f.write("vtysh.conf", "")
	return f
}

func (f *FRR) write(name, content string) {
	f.t.Helper()
	if err := os.WriteFile(filepath.Join(f.dir, name), []byte(content), 0o600); err != nil {
		f.t.Fatal(err)
	}
}

// Path of a file in the folder.
func (f *FRR) Path(name string) string { return filepath.Join(f.dir, name) }

// Start runs a daemon, "bgpd", with a configuration, and waits until it answers. Those that need zebra come after it.
func (f *FRR) Start(name, config string, more ...string) *Daemon {
	f.t.Helper()
	program := "/usr/lib/frr/" + name
	NeedProgram(f.t, program)
	f.write(name+".conf", config)
	command := exec.Command("sh", append([]string{
		"-c", `mount --bind "$0" /etc/group && exec "$@"`, f.Path("group"),
		program, "-u", "root", "-g", "root", "-f", f.Path(name + ".conf"), "-i", f.Path(name + ".pid"),
		"--vty_socket", f.dir, "-P", "0", "-z", f.Path("zserv"), "--log", "stdout",
	}, more...)...)
	command.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS}
	d := StartDaemon(f.t, f.at, command)
	Eventually(f.t, name+" answers", func() error { _, err := f.Ask(name, "show version"); return err })
	if name == "zebra" {
		Eventually(f.t, "zebra listens", func() error {
			conn, err := net.Dial("unix", f.Path("zserv"))
			if err == nil {
				err = conn.Close()
			}
			return err
		})
	}
	return d
}

// Ask gives commands to a daemon, and returns what it answers.
func (f *FRR) Ask(daemon string, commands ...string) (string, error) {
	args := []string{"--vty_socket", f.dir, "--config_dir", f.dir, "-d", daemon}
	for _, command := range commands {
		args = append(args, "-c", command)
	}
	answer, err := exec.Command("vtysh", args...).Output()
	if err != nil {
		err = fmt.Errorf("ask %s to %s: %w: %s", daemon, strings.Join(commands, "; "), err, answer)
	}
	return string(answer), err
}

// BIRD is BIRD 2 in a namespace.
type BIRD struct {
	t   testing.TB
	at  *Namespace
	dir string
	*Daemon
}

// StartBIRD runs BIRD with a configuration. The test is skipped where it is not installed, and fails in CI.
func StartBIRD(t testing.TB, at *Namespace, config string) *BIRD {
	t.Helper()
	NeedVersion(t, birdProgram, "--version", "BIRD version 2", "BIRD version 3") // BIRD 1 has another configuration language.
	NeedProgram(t, "birdc")
	b := &BIRD{t: t, at: at, dir: t.TempDir()}
	b.write(config)
	b.Start()
	return b
}

const birdProgram = "/usr/sbin/bird"

func (b *BIRD) path(name string) string { return filepath.Join(b.dir, name) }

func (b *BIRD) write(config string) {
	b.t.Helper()
	if err := os.WriteFile(b.path("bird.conf"), []byte("log stderr all;\n"+config), 0o600); err != nil {
		b.t.Fatal(err)
	}
}

// Start runs it again after Kill.
func (b *BIRD) Start() {
	b.t.Helper()
	b.Daemon = StartDaemon(b.t, b.at, exec.Command(birdProgram, "-f", "-c", b.path("bird.conf"), "-s", b.path("ctl"), "-P", b.path("pid")))
}

// Configure changes the configuration in place.
func (b *BIRD) Configure(config string) {
	b.t.Helper()
	b.write(config)
	if answer, err := b.Ask("configure"); err != nil || !strings.Contains(answer, "Reconfigured") {
		b.t.Fatalf("configure BIRD: %v: %s", err, answer)
	}
}

// Ask gives it a command, and returns what it answers.
func (b *BIRD) Ask(command string) (string, error) {
	answer, err := exec.Command("birdc", append([]string{"-s", b.path("ctl")}, strings.Fields(command)...)...).CombinedOutput()
	if err != nil {
		err = fmt.Errorf("ask BIRD to %s: %w: %s", command, err, answer)
	}
	return string(answer), err
}
