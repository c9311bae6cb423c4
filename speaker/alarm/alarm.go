// Package alarm calls a function at a time that may be moved often. Its one job is a timer of the kernel's in place of one of the
// Go runtime's: to move one of those wakes further threads each time, and a speaker at rest would do little else. An alarm that
// may fire sooner does so when the process is awake for something else. It refuses to know more than one time of each.
package alarm

import (
	"fmt"
	"os"
	"sync"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/daymark-lb/daymark/speaker/processors"
)

// late is from when on an alarm that fires too late means that this process has too few processors.
const late = 5 * time.Millisecond

// Alarm fires once at the time that it was last set to. The zero Alarm is closed: Set has no effect. Its methods may be called by
// several goroutines.
type Alarm struct {
	mu sync.Mutex
	// from and at are when it may fire and when it does.
	from, at time.Time
	file     *os.File
	raw      syscall.RawConn
}

// Open opens an alarm that is not set. Close must be called.
func (a *Alarm) Open() error {
	fd, err := unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_NONBLOCK|unix.TFD_CLOEXEC)
	if err != nil {
		return fmt.Errorf("make a timer: %w", err)
	}
	a.mu.Lock()
	a.file, a.from, a.at = os.NewFile(uintptr(fd), "timer"), time.Time{}, time.Time{}
	a.raw, err = a.file.SyscallConn()
	a.mu.Unlock()
	opened.add(a)
	return err //nolint:wrapcheck // It is open.
}

// Set makes the alarm fire at a time, at once if that is past, and at no other.
func (a *Alarm) Set(at time.Time) { a.SetBetween(at, at) }

// SetBetween makes the alarm fire at a time, or from an earlier one on when the process is awake, and at no other.
func (a *Alarm) SetBetween(from, at time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.from = from
	if a.file != nil && !at.Equal(a.at) {
		a.set(at)
	}
}

// mayFire has the alarm fire now if it may.
func (a *Alarm) mayFire(now time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.file != nil && !a.at.IsZero() && a.from.Before(now) && a.at.After(now) {
		a.set(now)
	}
}

// set sets the kernel's timer. The caller holds mu.
func (a *Alarm) set(at time.Time) {
	a.at = at
	in := unix.ItimerSpec{Value: unix.NsecToTimespec(max(1, int64(time.Until(at))))} // 0 would stop it.
	_ = a.raw.Control(func(fd uintptr) {
		//nolint:gosec // The call does not block, and the kernel keeps no pointer.
		_, _, _ = unix.RawSyscall6(unix.SYS_TIMERFD_SETTIME, fd, 0, uintptr(unsafe.Pointer(&in)), 0, 0, 0)
	})
}

// Run calls f each time that the alarm fires, until Close.
func (a *Alarm) Run(f func()) {
	_ = a.raw.Read(func(fd uintptr) bool { // It always returns an error: the timer is closed.
		if a.fired(fd) {
			f()
			Awake()
		}
		return false
	})
}

// fired reports whether the alarm has fired since the last call.
func (a *Alarm) fired(fd uintptr) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	var expired uint64
	//nolint:gosec // As in Set.
	_, _, errno := unix.RawSyscall(unix.SYS_READ, fd, uintptr(unsafe.Pointer(&expired)), unsafe.Sizeof(expired))
	if errno != 0 {
		return false // It was moved meanwhile.
	}
	if time.Since(a.at) > late {
		processors.Need()
	}
	a.from, a.at = time.Time{}, time.Time{}
	return true
}

// Close ends Run. It waits for a call of its function, which may call Set.
func (a *Alarm) Close() {
	a.mu.Lock()
	file := a.file
	a.file = nil
	a.mu.Unlock()
	opened.remove(a)
	if file != nil {
		_ = file.Close() // Nothing is lost with a timer.
	}
}
