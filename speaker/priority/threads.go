package priority

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The two policies.
const (
	realTime uint32 = unix.SCHED_RR
	ordinary uint32 = unix.SCHED_NORMAL
)

// setThreads gives all threads of this process a policy. Those that are made later have that of the thread that makes them, so it
// looks again until all have it.
func setThreads(want uint32) error {
	for {
		changed, err := setThreadsOnce(want)
		if err != nil || changed == 0 {
			return err
		}
	}
}

// setThreadsOnce reports for how many threads it has changed the policy.
func setThreadsOnce(want uint32) (changed int, err error) {
	tasks, err := os.ReadDir("/proc/self/task")
	if err != nil {
		return 0, fmt.Errorf("list the threads: %w", err)
	}
	for _, task := range tasks {
		id, err := strconv.Atoi(task.Name())
		if err != nil {
			return 0, fmt.Errorf("list the threads: %w", err)
		}
		has, err := unix.SchedGetAttr(id, 0)
		if err == nil && has.Policy == want {
			continue
		}
		if err == nil {
			err = setThread(id, want)
		}
		if errors.Is(err, unix.ESRCH) {
			continue // It has ended.
		}
		if err != nil {
			return 0, fmt.Errorf("set the scheduling policy of a thread: %w", err)
		}
		changed++
	}
	return changed, nil
}

// setThread gives a thread a policy, the lowest priority of that, and leaves its nice value alone.
func setThread(id int, policy uint32) error {
	var priority int32
	if policy == realTime {
		priority = 1
	}
	//nolint:gosec // The call does not block, and the kernel keeps no pointer.
	if _, _, errno := unix.RawSyscall(unix.SYS_SCHED_SETSCHEDULER, uintptr(id), uintptr(policy), uintptr(unsafe.Pointer(&priority))); errno != 0 {
		return errno
	}
	return nil
}
