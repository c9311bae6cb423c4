// Package sandbox runs a program again in namespaces of its own: user (unless it is root), mount, network and process. What
// it makes there is nowhere else, ends with it, and needs no root. It refuses to know what the program does in them.
package sandbox

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

const (
	// workEnv names the folder of this run; that it is set tells a process that it is inside.
	workEnv = "DAYMARK_LAB_WORK"
	// keepEnv keeps that folder at the end, for the logs.
	keepEnv = "DAYMARK_LAB_KEEP"
	// Files 3 and 4 of the inner process: the lifeline closes when the outer process dies; a byte on detached tells the
	// outer process to end.
	lifelineFD, detachedFD = 3, 4
)

// Preparation is work to be done outside the namespaces, such as building programs from modules that may have to be fetched. What
// it sets in the environment is seen inside.
type Preparation func(ctx context.Context, progress io.Writer) error

// Inside tells whether this process is already in namespaces of its own.
func Inside() bool { return os.Getenv(workEnv) != "" }

// Exit ends this process with a status, which is never 0 when there is an error to say.
func Exit(status int, err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, filepath.Base(os.Args[0])+":", err)
		status = max(status, 1)
	}
	os.Exit(status)
}

// Enter does the preparations, runs this very program again, with the same arguments, in new namespaces, and returns its
// exit status. All that the inner process starts dies with it, and it dies with this one.
func Enter(ctx context.Context, progress io.Writer, prepare ...Preparation) (status int, err error) {
	if err := runAll(ctx, progress, prepare); err != nil {
		return 1, err
	}
	work, err := os.MkdirTemp("", "daymark-lab-")
	if err != nil {
		return 1, fmt.Errorf("make the work folder: %w", err)
	}
	detached := false
	defer func() {
		switch {
		case detached:
		case os.Getenv(keepEnv) != "":
			fmt.Fprintln(progress, "lab: kept", work)
		default:
			err = errors.Join(err, os.RemoveAll(work))
		}
	}()
	status, detached, err = runInside(work)
	return status, err
}

// runAll does the preparations. A signal ends them, and they remove what is not finished; a second one ends the program at once, since
// a preparation may wait for that of another process.
func runAll(ctx context.Context, progress io.Writer, prepare []Preparation) error {
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	context.AfterFunc(ctx, stop)
	for _, p := range prepare {
		if err := errors.Join(p(ctx, progress), ctx.Err()); err != nil {
			return err
		}
	}
	return nil
}

// runInside starts the inner process and stays until it ends or detaches.
func runInside(work string) (status int, detached bool, err error) {
	lifeline, hold, err := os.Pipe()
	if err != nil {
		return 1, false, fmt.Errorf("make the lifeline: %w", err)
	}
	defer func() { _ = hold.Close() }()
	detach, tell, err := os.Pipe()
	if err != nil {
		return 1, false, fmt.Errorf("make the pipe for detaching: %w", err)
	}

	cmd := exec.Command("/proc/self/exe", os.Args[1:]...)
	cmd.Args[0] = os.Args[0]
	cmd.Env = append(os.Environ(), workEnv+"="+work)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.ExtraFiles = []*os.File{lifeline, tell}
	cmd.SysProcAttr = namespaces()
	if err := cmd.Start(); err != nil {
		return 1, false, fmt.Errorf("enter namespaces of our own (needs user namespaces, or root): %w", err)
	}
	_, _ = lifeline.Close(), tell.Close()
	pid := []byte(strconv.Itoa(cmd.Process.Pid)) // which the inner process cannot see
	if err := os.WriteFile(filepath.Join(work, pidFile), pid, 0o600); err != nil {
		return 1, false, fmt.Errorf("note the process: %w", err)
	}
	stop := forwardSignals(cmd.Process)
	defer stop()

	if n, _ := detach.Read(make([]byte, 1)); n == 1 { // ends when the inner process does, or when it detaches
		return 0, true, nil
	}
	err = cmd.Wait()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		if code := exit.ExitCode(); code > 0 {
			return code, false, nil
		}
	}
	if err != nil {
		return 1, false, fmt.Errorf("run inside: %w", err)
	}
	return 0, false, nil
}

func namespaces() *syscall.SysProcAttr {
	attr := &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWNET | syscall.CLONE_NEWPID}
	if uid := os.Getuid(); uid != 0 {
		attr.Cloneflags |= syscall.CLONE_NEWUSER
		attr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: uid, Size: 1}}
		attr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}}
	}
	return attr
}

// forwardSignals passes on what asks the program to end; go test asks for stacks with SIGQUIT.
func forwardSignals(p *os.Process) (stop func()) {
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT)
	go func() {
		for s := range signals {
			if s != syscall.SIGQUIT {
				s = syscall.SIGTERM // the others may be ignored, as in the background of a script
			}
			_ = p.Signal(s)
		}
	}()
	return func() { signal.Stop(signals); close(signals) }
}

// SetUp is the first thing that the inner process does. It mounts what the new namespaces need: nothing that is mounted or
// written under /run is seen outside, and vice versa.
func SetUp() error {
	unix.CloseOnExec(lifelineFD)
	unix.CloseOnExec(detachedFD)
	go dieWithTheLifeline()
	mounts := []struct {
		what, where, kind string
		flags             uintptr
		optional          bool
	}{
		{"none", "/", "", unix.MS_REC | unix.MS_PRIVATE, false},
		{"proc", "/proc", "proc", unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC, false},
		{"sysfs", "/sys", "sysfs", unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC, true},
		{"lab", "/run", "tmpfs", unix.MS_NOSUID | unix.MS_NODEV, false},
	}
	for _, m := range mounts {
		if err := unix.Mount(m.what, m.where, m.kind, m.flags, ""); err != nil && !m.optional {
			return fmt.Errorf("mount %s on %s: %w", m.what, m.where, err)
		}
	}
	if target, err := filepath.EvalSymlinks("/var/run"); err == nil && target != "/run" {
		if err := unix.Mount("/run", "/var/run", "", unix.MS_BIND, ""); err != nil {
			return fmt.Errorf("mount /var/run: %w", err)
		}
	}
	if err := os.MkdirAll("/run/netns", 0o755); err != nil {
		return fmt.Errorf("make /run/netns: %w", err)
	}
	return nil
}

// dieWithTheLifeline ends this process, and with it all others of its process namespace, when the outer one is gone.
func dieWithTheLifeline() {
	_, _ = os.NewFile(lifelineFD, "lifeline").Read(make([]byte, 1))
	if detached.Load() {
		return
	}
	if os.Getenv(keepEnv) == "" {
		_ = os.RemoveAll(WorkFolder()) // the outer one cannot any more
	}
	os.Exit(1)
}

// NewFolder is a new folder of this run for one part of it. Its name is short, because paths of sockets must be.
func NewFolder(name string) (string, error) {
	dir, err := os.MkdirTemp(os.Getenv(workEnv), strings.ReplaceAll(name, "/", "-")+"-")
	if err != nil {
		return "", fmt.Errorf("make a work folder: %w", err)
	}
	return dir, nil
}
