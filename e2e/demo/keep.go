package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/daymark-lb/daymark/e2e/lab"
)

// keptLab is a lab that KEEP=1 left running: what is needed to enter it again.
type keptLab struct {
	PID        int    // of the process that the lab ends with
	Work       string // its folder, which is in that process's environment
	Programs   string // the folder of kubectl and others
	Kubeconfig string
}

// stateFile describes the lab left running. It is beside the program bin/lab.
type stateFile string

const kept stateFile = "bin/lab.json"

// stay leaves the lab running and prints how to use it. It returns when somebody ends the lab.
func stay(d *demo) (int, error) {
	pid, err := lab.OuterPID()
	if err != nil {
		return 1, fmt.Errorf("leave the lab running: %w", err)
	}
	self := keptLab{pid, lab.WorkFolder(), lab.KubernetesFolder(), d.Kubeconfig()}
	b, err := json.MarshalIndent(self, "", "  ")
	if err != nil {
		return 1, fmt.Errorf("leave the lab running: %w", err)
	}
	if err := errors.Join(os.WriteFile(string(kept), b, 0o644), copyProgram("bin/lab")); err != nil {
		return 1, fmt.Errorf("leave the lab running: %w", err)
	}
	fmt.Printf(`
The lab stays up in the background. Use it:

  bin/lab kubectl get services                     kubectl in it
  bin/lab kubectl get speakers                     who announces what
  bin/lab on client curl -s http://%s/    a command on one of its hosts: n1 n2 n3 client far router api
  ls %s      the logs of its programs
  bin/lab end                                      end it
`, d.web, d.Logs())
	if err := lab.Detach(filepath.Join(lab.WorkFolder(), "demo.log")); err != nil {
		return 1, err
	}
	waitForSignal()
	return 0, errors.Join(os.Remove(string(kept)), os.RemoveAll(lab.WorkFolder()))
}

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
func (f stateFile) find() (l keptLab, err error) {
	path := string(f)
	if self, err := os.Executable(); err == nil && filepath.Base(self) == "lab" {
		path = filepath.Join(filepath.Dir(self), filepath.Base(path))
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return l, errors.New("no lab is running: `make demo KEEP=1` leaves one")
	}
	if err := json.Unmarshal(b, &l); err != nil {
		return l, fmt.Errorf("read %s: %w", path, err)
	}
	if !l.running() {
		return l, errors.New("the lab that was left running is gone: `make demo KEEP=1` leaves another")
	}
	return l, nil
}

func (l keptLab) running() bool {
	environment, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(l.PID), "environ"))
	return err == nil && bytes.Contains(environment, []byte("="+l.Work+"\x00"))
}

// free makes sure that no lab is running, so that one can be left.
func (f stateFile) free() error {
	if _, err := f.find(); err == nil {
		return errors.New("a lab is running already: `bin/lab end` ends it")
	}
	return nil
}

func (f stateFile) kubectl(arguments []string) error {
	l, err := f.find()
	if err != nil {
		return err
	}
	return l.enter(append([]string{filepath.Join(l.Programs, "kubectl")}, arguments...))
}

func (f stateFile) on(host string, command []string) error {
	l, err := f.find()
	if err != nil {
		return err
	}
	if host != "api" { // which is where we enter
		command = append([]string{"ip", "netns", "exec", host}, command...)
	}
	return l.enter(command)
}

// enter replaces this process by the command, in the lab's namespaces.
func (l keptLab) enter(command []string) error {
	nsenter, err := exec.LookPath("nsenter")
	if err != nil {
		return fmt.Errorf("find nsenter, of util-linux: %w", err)
	}
	argv := []string{"nsenter", "--target", strconv.Itoa(l.PID), "--mount", "--net", "--pid"}
	if !sameUserNamespace(l.PID) {
		argv = append(argv, "--user", "--preserve-credentials")
	}
	environment := append(os.Environ(), "KUBECONFIG="+l.Kubeconfig, "PATH="+l.Programs+":"+os.Getenv("PATH")+":/usr/sbin:/sbin")
	return syscall.Exec(nsenter, append(append(argv, "--"), command...), environment)
}

// sameUserNamespace is false when the caller of the demo was not root.
func sameUserNamespace(pid int) bool {
	there, errThere := os.Readlink(filepath.Join("/proc", strconv.Itoa(pid), "ns/user"))
	here, errHere := os.Readlink("/proc/self/ns/user")
	return errThere == nil && errHere == nil && here == there
}

// end asks the lab to end and waits until it did.
func (f stateFile) end() error {
	l, err := f.find()
	if err != nil {
		return err
	}
	if err := syscall.Kill(l.PID, syscall.SIGTERM); err != nil {
		return fmt.Errorf("end the lab: %w", err)
	}
	for limit := time.Now().Add(10 * time.Second); l.running(); time.Sleep(lab.Poll) {
		if time.Now().After(limit) {
			return fmt.Errorf("the lab (process %d) does not end", l.PID)
		}
	}
	fmt.Println("The lab is gone, and nothing of it is left.")
	return nil
}
