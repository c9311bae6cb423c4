package testnet

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Process is a program in a namespace that can be started, ended in several ways, and started again. It dies with the
// process that started it. The output of all its runs goes to one file.
type Process struct {
	Name string
	At   *Namespace
	Log  string // the file its output goes to
	Argv []string
	Env  []string // in addition to ours

	Stdin *os.File // nil: it reads nothing

	mounts bool // it has a mount namespace of its own

	mu  sync.Mutex
	run *run
}

// run is one run of a program, from start to end.
type run struct {
	cmd   *exec.Cmd
	ended chan struct{}
}

// errNotRunning is what a signal to an ended program gives.
var errNotRunning = errors.New("it is not running")

// stopTimeout is how long Stop waits for a program to end.
const stopTimeout = 20 * time.Second

// NewProcess starts nothing yet. The output will go to the file NAME.log in the folder.
func NewProcess(at *Namespace, name, folder string, argv ...string) *Process {
	return &Process{Name: name, At: at, Log: filepath.Join(folder, name+".log"), Argv: argv}
}

// Start starts the program, with more arguments for this run only.
func (p *Process) Start(more ...string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.run != nil && !p.run.over() {
		return fmt.Errorf("start %s: it is running", p.Name)
	}
	log, err := os.OpenFile(p.Log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return fmt.Errorf("open the log of %s: %w", p.Name, err)
	}
	defer func() { _ = log.Close() }()
	cmd := exec.Command(p.Argv[0], append(p.Argv[1:len(p.Argv):len(p.Argv)], more...)...)
	cmd.Stdout, cmd.Stderr = log, log
	if p.Stdin != nil {
		cmd.Stdin = p.Stdin
	}
	cmd.Env = append(os.Environ(), p.Env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL} // Ctrl-C is for us to handle
	if p.mounts {
		cmd.SysProcAttr.Cloneflags = syscall.CLONE_NEWNS
	}
	r := &run{cmd: cmd, ended: make(chan struct{})}
	if err := r.start(p.At); err != nil {
		return fmt.Errorf("start %s: %w", p.Name, err)
	}
	p.run = r
	return nil
}

// start starts it from a thread that lives until the program has ended: the kernel sends the death signal when that thread
// dies.
func (r *run) start(at *Namespace) error {
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := at.Do(r.cmd.Start)
		started <- err
		if err == nil {
			_ = r.cmd.Wait()
			close(r.ended)
		}
	}()
	return <-started
}

func (r *run) over() bool {
	select {
	case <-r.ended:
		return true
	default:
		return false
	}
}

// Running tells whether it runs.
func (p *Process) Running() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.run != nil && !p.run.over()
}

// PID is the process id of the running program, else 0.
func (p *Process) PID() int {
	if !p.Running() {
		return 0
	}
	return p.run.cmd.Process.Pid
}

// Exit waits for the program to end by itself and returns its exit status, -1 if a signal ended it.
func (p *Process) Exit(ctx context.Context) (int, error) {
	p.mu.Lock()
	r := p.run
	p.mu.Unlock()
	if r == nil {
		return 0, fmt.Errorf("wait for %s: %w", p.Name, errNotRunning)
	}
	select {
	case <-r.ended:
		return r.cmd.ProcessState.ExitCode(), nil
	case <-ctx.Done():
		return 0, fmt.Errorf("wait for %s to end: %w", p.Name, ctx.Err())
	}
}

// Stop sends SIGTERM and waits until the program has ended; one that has not after 20 seconds is killed, which is an error.
func (p *Process) Stop() error {
	if err := p.signal(syscall.SIGTERM); err != nil {
		return ignoreNotRunning(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), stopTimeout)
	defer cancel()
	if _, err := p.Exit(ctx); err != nil {
		return errors.Join(err, p.Kill())
	}
	return nil
}

// Kill sends SIGKILL, as a crash, and waits until the program has ended.
func (p *Process) Kill() error {
	if err := p.signal(syscall.SIGKILL); err != nil {
		return ignoreNotRunning(err)
	}
	_, err := p.Exit(context.Background())
	return err
}

// Freeze stops the program where it is, as a machine does that hangs.
func (p *Process) Freeze() error { return p.signal(syscall.SIGSTOP) }

// Thaw lets a frozen program go on.
func (p *Process) Thaw() error { return p.signal(syscall.SIGCONT) }

func (p *Process) signal(s syscall.Signal) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.run == nil || p.run.over() {
		return fmt.Errorf("signal %s: %w", p.Name, errNotRunning)
	}
	if err := p.run.cmd.Process.Signal(s); err != nil {
		if errors.Is(err, os.ErrProcessDone) {
			err = errNotRunning
		}
		return fmt.Errorf("signal %s: %w", p.Name, err)
	}
	return nil
}

func ignoreNotRunning(err error) error {
	if errors.Is(err, errNotRunning) {
		return nil
	}
	return err
}

// Output is all that the program has written so far.
func (p *Process) Output() string {
	b, err := os.ReadFile(p.Log)
	if err != nil {
		return err.Error()
	}
	return string(b)
}

// Tail is the last lines that the program has written.
func (p *Process) Tail(lines int) string {
	all := strings.Split(strings.TrimRight(p.Output(), "\n"), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}

// Excerpt is the beginning of the report of a fault, if there is one, else the last lines that are of interest.
func (p *Process) Excerpt() string {
	out := p.Output()
	if fault := Fault(out); fault != "" {
		return fmt.Sprintf("%.4000s", fault)
	}
	lines := slices.DeleteFunc(strings.Split(strings.TrimRight(out, "\n"), "\n"), func(line string) bool {
		return strings.Contains(line, "Starting EventSource")
	})
	return strings.Join(lines[max(0, len(lines)-20):], "\n")
}

// Fault is the output of a Go program from the first report of a race, a panic or a fatal error on, a panic that was recovered with its stack; "" if
// there is none.
func Fault(output string) string {
	for _, report := range []string{"WARNING: DATA RACE", "Observed a panic", "panic: ", "fatal error: "} {
		if at := strings.Index(output, report); at >= 0 {
			return output[at:]
		}
	}
	return ""
}

// Run runs a program in the namespace to its end and returns its standard output; on failure the error says all its output.
func (n *Namespace) Run(ctx context.Context, stdin string, argv ...string) (string, error) {
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	var out, diagnosis bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &out, &diagnosis
	if err := n.Do(cmd.Start); err != nil {
		return "", fmt.Errorf("start %s: %w", argv[0], err)
	}
	if err := cmd.Wait(); err != nil {
		output := strings.TrimSpace(diagnosis.String() + out.String())
		return out.String(), fmt.Errorf("run %s: %w: %s", strings.Join(argv, " "), err, output)
	}
	return out.String(), nil
}
