package priority

import (
	"fmt"
	"os"
	"os/signal"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// useClock tells that this process has used some more processor time. The kernel counts, so it costs a process at rest nothing.
type useClock struct {
	timer   int32
	signals chan os.Signal
}

// newUseClock returns a clock that is not set. stop must be called.
func newUseClock() (*useClock, error) {
	c := &useClock{signals: make(chan os.Signal, 1)}
	// What the kernel calls sigevent; the zero of notify is a signal to the process.
	event := struct {
		value          uint64
		signal, notify int32
		_              [12]int32
	}{signal: int32(unix.SIGXCPU)}
	signal.Notify(c.signals, unix.SIGXCPU) // Before the first one comes: it would end the process.
	//nolint:gosec // The call does not block, and the kernel keeps no pointer.
	if _, _, errno := unix.RawSyscall(unix.SYS_TIMER_CREATE, unix.CLOCK_PROCESS_CPUTIME_ID,
		uintptr(unsafe.Pointer(&event)), uintptr(unsafe.Pointer(&c.timer))); errno != 0 {
		signal.Stop(c.signals)
		return nil, fmt.Errorf("make a timer of processor time: %w", errno)
	}
	return c, nil
}

// set has the clock tell once, when so much more has been used.
func (c *useClock) set(more time.Duration) {
	at := unix.ItimerSpec{Value: unix.NsecToTimespec(int64(more))}
	//nolint:gosec // The call does not block, and the kernel keeps no pointer. It cannot fail with a timer that is there.
	_, _, _ = unix.RawSyscall6(unix.SYS_TIMER_SETTIME, uintptr(c.timer), 0, uintptr(unsafe.Pointer(&at)), 0, 0, 0)
}

// used is the processor time that this process has used.
func used() time.Duration {
	var used unix.Timespec
	//nolint:gosec // As in set. That clock is always there.
	_, _, _ = unix.RawSyscall(unix.SYS_CLOCK_GETTIME, unix.CLOCK_PROCESS_CPUTIME_ID, uintptr(unsafe.Pointer(&used)), 0)
	return time.Duration(used.Nano())
}

// stop leaves the signal to be ignored: one more may be on its way.
func (c *useClock) stop() {
	_, _, _ = unix.RawSyscall(unix.SYS_TIMER_DELETE, uintptr(c.timer), 0, 0) //nolint:gosec // A small number.
	signal.Ignore(unix.SIGXCPU)
}
