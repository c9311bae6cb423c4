package netnstest

import (
	"fmt"
	"os"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// groupless marks a process that is to become another program, for which setgroups does nothing.
const groupless = "DAYMARK_TEST_GROUPLESS"

// The kernel refuses setgroups in the namespace of an ordinary user, and a program that gives its rights away will not run
// without. This comes before the flags of the test binary are read.
func init() {
	if os.Getenv(groupless) == "" {
		return
	}
	fmt.Fprintln(os.Stderr, "netnstest:", becomeGroupless(os.Args[1:]))
	os.Exit(1)
}

// becomeGroupless executes a program for which setgroups succeeds and does nothing. It returns only if that fails.
func becomeGroupless(argv []string) error {
	number := uint32(unix.SYS_SETGROUPS)
	filter := []unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS}, // the number of the system call, the first word of struct seccomp_data
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, Jf: 1, K: number},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ERRNO}, // error 0: success
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW},
	}
	program := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	// The filter is that of this thread, which is the main one and becomes the program.
	err := unix.Prctl(unix.PR_SET_SECCOMP, unix.SECCOMP_MODE_FILTER, uintptr(unsafe.Pointer(&program)), 0, 0)
	if err != nil {
		return fmt.Errorf("filter setgroups: %w", err)
	}
	if err := os.Unsetenv(groupless); err != nil {
		return fmt.Errorf("tidy the environment: %w", err)
	}
	return fmt.Errorf("execute %s: %w", argv[0], syscall.Exec(argv[0], argv, os.Environ()))
}
