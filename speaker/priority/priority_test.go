package priority

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/daymark-lb/daymark/internal/testnet"
)

func TestPriority_IsRealTimeUnlessMuchIsUsed(t *testing.T) {
	needRealTime(t)
	ended, stop := start(t, slog.Default())
	awaitPolicy(t, "after the start", realTime)

	var held []chan struct{}
	for range 8 { // More threads than there are.
		release, locked := make(chan struct{}), make(chan struct{})
		go func() {
			runtime.LockOSThread() // It ends with the goroutine.
			close(locked)
			<-release
		}()
		<-locked
		held = append(held, release)
	}
	awaitPolicy(t, "with threads that were made later", realTime)
	for _, release := range held {
		close(release)
	}

	spinning, rest := context.WithCancel(t.Context())
	go func() {
		for spinning.Err() == nil {
			_ = strings.Repeat("x", 1<<10)
		}
	}()
	awaitPolicy(t, "while it uses a whole processor", ordinary)
	rest()
	awaitPolicy(t, "at rest again", realTime)

	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	awaitPolicy(t, "at the end", ordinary)
}

func TestPriority_SaysOnceThatTheKernelRefuses(t *testing.T) {
	var log bytes.Buffer
	// A thread without capabilities, which is not reused.
	done := make(chan error)
	go func() {
		runtime.LockOSThread()
		header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
		none := [2]unix.CapUserData{}
		if err := unix.Capset(&header, &none[0]); err != nil {
			done <- err
			return
		}
		done <- New(slog.New(slog.NewTextHandler(&log, nil))).Start(t.Context())
	}()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if text := log.String(); strings.Count(text, "\n") != 1 || !strings.Contains(text, "capability SYS_NICE") {
		t.Errorf("the log is %q", text)
	}
	awaitPolicy(t, "after that", ordinary)
}

// start runs a Priority until stop is called.
func start(t *testing.T, log *slog.Logger) (ended <-chan error, stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	result := make(chan error, 1)
	go func() { result <- New(log).Start(ctx) }()
	return result, cancel
}

// needRealTime skips a test where threads may not run in real time.
func needRealTime(t *testing.T) {
	t.Helper()
	err := setThreads(realTime)
	if undo := setThreads(ordinary); undo != nil {
		t.Fatal(undo)
	}
	switch {
	case err == nil:
	case testnet.MayMiss():
		t.Skip(err)
	default:
		t.Fatal(err)
	}
}

// awaitPolicy waits until all threads have a policy.
func awaitPolicy(t *testing.T, when string, want uint32) {
	t.Helper()
	if _, err := testnet.Eventually(10*time.Second, func() error { return havePolicy(want) }); err != nil {
		t.Fatalf("%s: %v", when, err)
	}
}

func havePolicy(want uint32) error {
	tasks, err := os.ReadDir("/proc/self/task")
	if err != nil {
		return err
	}
	for _, task := range tasks {
		id, _ := strconv.Atoi(task.Name())
		if has, err := unix.SchedGetAttr(id, 0); err == nil && has.Policy != want {
			return fmt.Errorf("thread %d has policy %d", id, has.Policy)
		}
	}
	return nil
}
