// Package netnstest gives tests a network of their own: the test binary runs itself again inside new user and network
// namespaces, where it may create links and open raw sockets whoever started it, and which leave nothing behind. It puts
// what internal/testnet makes into the hands of a test, and knows nothing of what is tested. It refuses to skip: where
// namespaces are not permitted, the tests fail and say what to permit.
//
// A package uses it so:
//
//	func TestMain(m *testing.M) { os.Exit(netnstest.Main(m)) }
//
//	func TestX(t *testing.T) {
//		c := netnstest.NewCable(t) // to a namespace of its own
//		c.Other.Run(t, "ip", "neigh", "show", "dev", c.Far)
//		...
//	}
//
// Links of the package's own namespace are shared by its tests: give them names of their own, or do not run in parallel, and remove
// them at the end of the test. What is left when all have run fails the package.
package netnstest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/daymark-lb/daymark/internal/testnet"
)

// inside marks the process that already runs in its own namespaces, and its children.
const inside = "DAYMARK_TEST_NETNS"

// The main thread stays with the main goroutine, so that no test enters another namespace on it: /proc/self, which
// other programs look at, is the view of the main thread.
func init() { runtime.LockOSThread() }

// Main runs the tests of a package in namespaces of their own and returns the exit status. Call it from TestMain.
func Main(m *testing.M) int {
	if os.Getenv(inside) != "" {
		if err := inCurrent(func(here *testnet.Namespace) error { return here.Up("lo") }); err != nil {
			fmt.Fprintln(os.Stderr, "netnstest:", err)
			return 1
		}
		return tidily(m.Run)
	}
	status, err := again()
	if err != nil {
		fmt.Fprintf(os.Stderr, "netnstest: these tests need user and network namespaces of their own: %v\n"+
			"Permit unprivileged user namespaces (sysctl kernel.unprivileged_userns_clone=1, "+
			"kernel.apparmor_restrict_unprivileged_userns=0), or run them as root.\n", err)
	}
	return status
}

// tidily runs tests and returns their exit status, which is not zero when one left links or addresses behind: the tests after it, whose
// order is another each time, would see them.
func tidily(run func() int) int {
	before, err := things()
	if err != nil {
		fmt.Fprintln(os.Stderr, "netnstest:", err)
		return 1
	}
	status := run()
	_, err = testnet.Eventually(goneTimeout, func() error { // The kernel removes what belongs to a namespace some time after that has gone.
		after, err := things()
		if left := slices.DeleteFunc(after, func(thing string) bool { return slices.Contains(before, thing) }); len(left) > 0 {
			return fmt.Errorf("the tests left behind, in the namespace that they share: %s", strings.Join(left, ", "))
		}
		return err
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, "netnstest:", err)
		status = max(status, 1)
	}
	return status
}

// goneTimeout is how long the kernel may take to remove what tests gave back.
const goneTimeout = 10 * time.Second

// things names the links of this namespace, and the addresses that they have.
func things() ([]string, error) {
	links, err := net.Interfaces()
	if err != nil {
		return nil, fmt.Errorf("list links: %w", err)
	}
	var names []string
	for _, link := range links {
		names = append(names, link.Name)
		addresses, err := link.Addrs()
		if err != nil {
			return nil, fmt.Errorf("list the addresses of %s: %w", link.Name, err)
		}
		for _, address := range addresses {
			names = append(names, link.Name+" "+address.String())
		}
	}
	return names, nil
}

// again runs this very binary with the same arguments in new namespaces, as root of them.
func again() (int, error) {
	// The parent-death signal below is tied to the thread that starts the child, which is the main one: see init.
	ctx := context.Background() // As long as the tests take; the go command ends them when they take too long.
	cmd := exec.CommandContext(ctx, "/proc/self/exe", os.Args[1:]...)
	cmd.Args[0] = os.Args[0]
	cmd.Env = append(os.Environ(), inside+"=1")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNET,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}},
		Pdeathsig:   syscall.SIGKILL,
	}
	err := start(cmd)
	if err != nil && os.Geteuid() == 0 {
		// Root without user namespaces (some containers) can do without them.
		retry := exec.CommandContext(ctx, cmd.Path, os.Args[1:]...)
		retry.Args, retry.Env, retry.Stdin, retry.Stdout, retry.Stderr = cmd.Args, cmd.Env, os.Stdin, os.Stdout, os.Stderr
		retry.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL}
		cmd, err = retry, start(retry)
	}
	if err != nil {
		return 1, err
	}

	// SIGQUIT is how the go command asks for the stacks of a test that hangs; the child is the one to print them.
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGQUIT, syscall.SIGTERM, os.Interrupt)
	go func() {
		for s := range signals {
			_ = cmd.Process.Signal(s)
		}
	}()
	var exit *exec.ExitError
	if err := cmd.Wait(); err != nil && !errors.As(err, &exit) {
		return 1, err
	}
	if status := cmd.ProcessState.ExitCode(); status >= 0 {
		return status, nil
	}
	return 1, nil // Ended by a signal.
}

// start starts a command and says in words what it was for.
func start(cmd *exec.Cmd) error {
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start the test binary in new namespaces: %w", err)
	}
	return nil
}
