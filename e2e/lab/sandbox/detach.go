package sandbox

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/daymark-lb/daymark/internal/testnet"
)

// detached is set once the inner process goes on without the outer one.
var detached atomic.Bool

// Detach ends the outer process with status 0 while this one goes on in the background, its output going to the file.
// The work folder then stays until somebody removes it.
func Detach(output string) error {
	file, err := os.OpenFile(output, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return fmt.Errorf("open the log of the detached lab: %w", err)
	}
	if _, err := unix.Setsid(); err != nil {
		return fmt.Errorf("leave the terminal: %w", err)
	}
	for _, fd := range []int{1, 2} {
		if err := unix.Dup2(int(file.Fd()), fd); err != nil {
			return fmt.Errorf("redirect output: %w", err)
		}
	}
	detached.Store(true)
	if _, err := os.NewFile(detachedFD, "detached").Write([]byte{1}); err != nil {
		return fmt.Errorf("end the outer process: %w", err)
	}
	return nil
}

// pidFile, in the work folder, holds the id that the inner process has outside.
const pidFile = "pid"

// OuterPID is the id that this process has outside: what nsenter needs.
func OuterPID() (pid int, err error) {
	_, err = testnet.Eventually(time.Second, func() error {
		b, err := os.ReadFile(filepath.Join(WorkFolder(), pidFile))
		if err == nil {
			pid, err = strconv.Atoi(string(b))
		}
		return err
	})
	return pid, err
}

// WorkFolder is where this run keeps its logs and state.
func WorkFolder() string { return os.Getenv(workEnv) }
