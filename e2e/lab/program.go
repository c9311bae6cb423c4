package lab

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Program is a program on a host that can be started, ended in several ways, and started again. Its output goes to one
// file, whatever the number of its lives.
type Program struct {
	Name string
	Host *Host
	Log  string // the file its output goes to

	argv  []string
	env   []string
	needs string // a file that another program makes and that must be there before this one starts

	mu   sync.Mutex
	life *life
}

// life is one run of a program, from start to end.
type life struct {
	cmd   *exec.Cmd
	ended chan struct{}
	err   error
}

// errNotRunning is what a signal to an ended program gives.
var errNotRunning = errors.New("it is not running")

func newProgram(h *Host, name, logs string, argv ...string) *Program {
	return &Program{Name: name, Host: h, Log: filepath.Join(logs, name+".log"), argv: argv}
}

// Start starts the program; with more arguments than it was made with, if there are any, for this life only.
func (p *Program) Start(more ...string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.life != nil && !p.life.over() {
		return fmt.Errorf("start %s: it is running", p.Name)
	}
	if p.needs != "" {
		if _, err := eventually(10*time.Second, func() error { _, err := os.Stat(p.needs); return err }); err != nil {
			return fmt.Errorf("start %s: %w", p.Name, err)
		}
	}
	log, err := os.OpenFile(p.Log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return fmt.Errorf("open the log of %s: %w", p.Name, err)
	}
	defer func() { _ = log.Close() }()
	l := &life{ended: make(chan struct{})}
	l.cmd = exec.Command(p.argv[0], append(p.argv[1:len(p.argv):len(p.argv)], more...)...)
	l.cmd.Stdout, l.cmd.Stderr = log, log
	l.cmd.Env = append(os.Environ(), p.env...)
	l.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // Ctrl-C is for the lab to handle
	if err := p.Host.Do(l.cmd.Start); err != nil {
		return fmt.Errorf("start %s: %w", p.Name, err)
	}
	go func() {
		l.err = l.cmd.Wait()
		close(l.ended)
	}()
	p.life = l
	return nil
}

func (l *life) over() bool {
	select {
	case <-l.ended:
		return true
	default:
		return false
	}
}

// Running tells whether it runs.
func (p *Program) Running() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.life != nil && !p.life.over()
}

// PID is the process id of the running program, else 0.
func (p *Program) PID() int {
	if !p.Running() {
		return 0
	}
	return p.life.cmd.Process.Pid
}

// Exit waits for the program to end by itself and gives its exit status, -1 if a signal ended it.
func (p *Program) Exit(ctx context.Context) (int, error) {
	p.mu.Lock()
	l := p.life
	p.mu.Unlock()
	if l == nil {
		return 0, fmt.Errorf("wait for %s: %w", p.Name, errNotRunning)
	}
	select {
	case <-l.ended:
		return l.cmd.ProcessState.ExitCode(), nil
	case <-ctx.Done():
		return 0, fmt.Errorf("wait for %s to end: %w", p.Name, ctx.Err())
	}
}

// Stop asks the program to end and waits until it did; one that has not after 20 seconds is killed, which is an error.
func (p *Program) Stop() error {
	if err := p.signal(syscall.SIGTERM); err != nil {
		return ignoreNotRunning(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if _, err := p.Exit(ctx); err != nil {
		return errors.Join(err, p.Kill())
	}
	return nil
}

// Kill ends the program at once and waits until it is gone.
func (p *Program) Kill() error {
	if err := p.signal(syscall.SIGKILL); err != nil {
		return ignoreNotRunning(err)
	}
	_, err := p.Exit(context.Background())
	return err
}

// Freeze stops the program where it is, as a machine does that hangs; Thaw lets it go on.
func (p *Program) Freeze() error { return p.signal(syscall.SIGSTOP) }

// Thaw lets a frozen program go on.
func (p *Program) Thaw() error { return p.signal(syscall.SIGCONT) }

func (p *Program) signal(s syscall.Signal) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.life == nil || p.life.over() {
		return fmt.Errorf("signal %s: %w", p.Name, errNotRunning)
	}
	if err := p.life.cmd.Process.Signal(s); err != nil {
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
func (p *Program) Output() string {
	b, err := os.ReadFile(p.Log)
	if err != nil {
		return err.Error()
	}
	return string(b)
}

// Tail is the last lines that the program has written.
func (p *Program) Tail(lines int) string {
	all := strings.Split(strings.TrimRight(p.Output(), "\n"), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}

// LastWords is the beginning of what it said when it died of a fault, else the last lines that are of interest.
func (p *Program) LastWords() string {
	out := p.Output()
	for _, fault := range faults {
		if at := strings.Index(out, fault); at >= 0 {
			return fmt.Sprintf("%.4000s", out[at:])
		}
	}
	lines := slices.DeleteFunc(strings.Split(strings.TrimRight(out, "\n"), "\n"), func(line string) bool {
		return strings.Contains(line, "Starting EventSource")
	})
	return strings.Join(lines[max(0, len(lines)-20):], "\n")
}

// faults are how a Go program says that it is broken.
var faults = []string{"WARNING: DATA RACE", "panic: ", "fatal error: "}

// Run runs a program on the host to its end and gives what it wrote; on failure the error says it too.
func (h *Host) Run(ctx context.Context, stdin string, argv ...string) (string, error) {
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	var out, diagnosis bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &out, &diagnosis
	if err := h.Do(cmd.Start); err != nil {
		return "", fmt.Errorf("start %s: %w", argv[0], err)
	}
	if err := cmd.Wait(); err != nil {
		said := strings.TrimSpace(diagnosis.String() + out.String())
		return out.String(), fmt.Errorf("run %s: %w: %s", strings.Join(argv, " "), err, said)
	}
	return out.String(), nil
}
