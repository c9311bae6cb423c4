// Package keep leaves a lab running after the program that made it has ended, and finds it again: for a person who wants to look
// around in it. It refuses to make one.
package keep

import (
	"bytes"
	"encoding/json"
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
	"text/tabwriter"
	"time"

	"github.com/daymark-lb/daymark/e2e/lab/build"
	"github.com/daymark-lb/daymark/e2e/lab/check"
	"github.com/daymark-lb/daymark/e2e/lab/sandbox"
)

// Asked tells whether whoever called wants the lab to be kept: KEEP=1.
func Asked() bool { return os.Getenv("KEEP") != "" && os.Getenv("KEEP") != "0" }

// Lab is a lab that was left running: what is needed to enter it again.
type Lab struct {
	PID        int    // of the process that the lab ends with
	Work       string // its folder, which is in that process's environment
	Programs   string // the folder of kubectl and others
	Kubeconfig string
}

// File describes the lab left running. It is beside the program of the same name without .json, which enters the lab.
type File string

// Stay leaves the lab running, prints how to use it, and returns when somebody ends it. The caller then takes the lab down, and with
// Remove its work folder.
func (f File) Stay(kubeconfig string, usage func(program string) string) error {
	pid, err := sandbox.OuterPID()
	if err != nil {
		return fmt.Errorf("leave the lab running: %w", err)
	}
	b, err := json.MarshalIndent(Lab{pid, sandbox.WorkFolder(), build.KubernetesFolder(), kubeconfig}, "", "  ")
	if err != nil {
		return fmt.Errorf("leave the lab running: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(string(f)), 0o755); err != nil {
		return fmt.Errorf("leave the lab running: %w", err)
	}
	if err := errors.Join(os.WriteFile(string(f), b, 0o644), copyProgram(f.program())); err != nil {
		return fmt.Errorf("leave the lab running: %w", err)
	}
	fmt.Print(usage(f.program()))
	if err := sandbox.Detach(filepath.Join(sandbox.WorkFolder(), "lab.log")); err != nil {
		return err
	}
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT)
	<-signals
	return os.Remove(string(f))
}

// Remove removes the work folder of a lab that stayed: there is no outer process any more that would.
func Remove() error { return os.RemoveAll(sandbox.WorkFolder()) }

// Usage is what can be asked of the program, and what each does, in two columns.
func Usage(program string, lines ...[2]string) string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 3, ' ', 0)
	for _, line := range lines {
		fmt.Fprintf(w, "  %s %s\t%s\n", program, line[0], line[1])
	}
	_ = w.Flush() // a builder takes everything
	return b.String()
}

func (f File) program() string { return string(f[:len(f)-len(filepath.Ext(string(f)))]) }

// copyProgram copies this program, which `go run` will soon delete.
func copyProgram(to string) error {
	in, err := os.Open("/proc/self/exe")
	if err != nil {
		return fmt.Errorf("open this program: %w", err)
	}
	defer func() { _ = in.Close() }()
	_ = os.Remove(to) // one that runs cannot be written to
	out, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY|os.O_EXCL, 0o755)
	if err != nil {
		return fmt.Errorf("write %s: %w", to, err)
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}

// find reads the file and makes sure that the process it names is still that of the lab.
func (f File) find() (l Lab, err error) {
	b, err := f.read()
	if err != nil {
		return l, errors.New("no lab is running: KEEP=1 leaves one")
	}
	if err := json.Unmarshal(b, &l); err != nil {
		return l, fmt.Errorf("read %s: %w", f, err)
	}
	if !l.running() {
		return l, errors.New("the lab that was left running is gone: KEEP=1 leaves another")
	}
	return l, nil
}

// read looks beside this program, which may be called from anywhere, and then where a program of `go run`, which is elsewhere and has the
// same name, has left the file.
func (f File) read() ([]byte, error) {
	if self, err := os.Executable(); err == nil {
		if b, err := os.ReadFile(filepath.Join(filepath.Dir(self), filepath.Base(string(f)))); err == nil {
			return b, nil
		}
	}
	return os.ReadFile(string(f))
}

func (l Lab) running() bool {
	environment, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(l.PID), "environ"))
	return err == nil && bytes.Contains(environment, []byte("="+l.Work+"\x00"))
}

// Free makes sure that no lab is running, so that one can be left.
func (f File) Free() error {
	if _, err := f.find(); err == nil {
		return fmt.Errorf("a lab is running already: `%s end` ends it", f.program())
	}
	return nil
}

// Run does what somebody asks of the lab: "kubectl ARGUMENTS", "on HOST COMMAND" or "end". Asked is false for anything else.
func (f File) Run(arguments []string) (asked bool, err error) {
	if len(arguments) == 0 {
		return false, nil
	}
	switch verb, rest := arguments[0], arguments[1:]; {
	case verb == "kubectl":
		return true, f.kubectl(rest)
	case verb == "on" && len(rest) > 1:
		return true, f.on(rest[0], rest[1:])
	case verb == "end" && len(rest) == 0:
		return true, f.end()
	}
	return false, nil
}

func (f File) kubectl(arguments []string) error {
	l, err := f.find()
	if err != nil {
		return err
	}
	return l.enter(append([]string{filepath.Join(l.Programs, "kubectl")}, arguments...))
}

func (f File) on(host string, command []string) error {
	l, err := f.find()
	if err != nil {
		return err
	}
	if host != "api" { // which is where we enter
		command = append([]string{"ip", "netns", "exec", host}, command...)
	}
	return l.enter(command)
}

// enter replaces this process by the command, in the lab's namespaces. What is beside this program is found: kubectl finds its plugin.
func (l Lab) enter(command []string) error {
	nsenter, err := exec.LookPath("nsenter")
	if err != nil {
		return fmt.Errorf("find nsenter, of util-linux: %w", err)
	}
	argv := []string{"nsenter", "--target", strconv.Itoa(l.PID), "--mount", "--net", "--pid"}
	if !sameUserNamespace(l.PID) {
		argv = append(argv, "--user", "--preserve-credentials")
	}
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find this program: %w", err)
	}
	path := strings.Join([]string{l.Programs, filepath.Dir(self), os.Getenv("PATH"), "/usr/sbin", "/sbin"}, ":")
	if err := errors.Join(os.Setenv("KUBECONFIG", l.Kubeconfig), os.Setenv("PATH", path)); err != nil {
		return err
	}
	return syscall.Exec(nsenter, append(append(argv, "--"), command...), os.Environ())
}

// sameUserNamespace is false when whoever made the lab was not root.
func sameUserNamespace(pid int) bool {
	there, errThere := os.Readlink(filepath.Join("/proc", strconv.Itoa(pid), "ns/user"))
	here, errHere := os.Readlink("/proc/self/ns/user")
	return errThere == nil && errHere == nil && here == there
}

// end asks the lab to end and waits until it did.
func (f File) end() error {
	l, err := f.find()
	if err != nil {
		return err
	}
	if err := syscall.Kill(l.PID, syscall.SIGTERM); err != nil {
		return fmt.Errorf("end the lab: %w", err)
	}
	for limit := time.Now().Add(30 * time.Second); l.running(); time.Sleep(check.Poll) {
		if time.Now().After(limit) {
			return fmt.Errorf("the lab (process %d) does not end", l.PID)
		}
	}
	fmt.Println("The lab is gone, and nothing of it is left.")
	return nil
}
