package e2e_test

import (
	"bufio"
	"fmt"
	"io"
	"math/rand/v2"
	"os/exec"
	"testing"
	"time"

	"github.com/daymark-lb/daymark/e2e/lab"
)

// pauser stops each process whose id it reads for 20 ms, and prints how many microseconds that took. It is no goroutine of ours: a
// garbage collection would stop it for as long as our other threads wait for a processor.
const pauser = `$| = 1; while (<STDIN>) { chomp; $began = time; kill "STOP", $_; sleep 0.02; kill "CONT", $_; printf "%d\n", (time - $began) * 1e6 }`

// pauseSpeakers stops speakers for 20 ms at random, about five times a second each. It returns how often, and how long the longest
// pause took: one of more than 55 ms is a speaker that stood still, and may be taken for dead.
func pauseSpeakers(b *testing.B, cluster *lab.Cluster, long time.Duration) (pauses int, longest time.Duration) {
	b.Helper()
	// The highest priority: on a busy machine it would itself be kept from letting a speaker go on.
	command := exec.Command("chrt", "--fifo", "99", "perl", "-MTime::HiRes=time,sleep", "-e", pauser)
	in, out := must(command.StdinPipe())(b), must(command.StdoutPipe())(b)
	if err := command.Start(); err != nil {
		b.Fatal(err)
	}
	defer func() { _, _ = in.Close(), command.Wait() }()
	for began, took := time.Now(), bufio.NewReader(out); time.Since(began) < long; pauses++ {
		longest = max(longest, pause(b, cluster.Nodes()[rand.N(3)].Speaker().PID(), in, took))
		time.Sleep(rand.N(100 * time.Millisecond))
	}
	return pauses, longest
}

func pause(b *testing.B, process int, in io.Writer, took io.Reader) time.Duration {
	b.Helper()
	fmt.Fprintln(in, process)
	var microseconds int
	if _, err := fmt.Fscanln(took, &microseconds); err != nil {
		b.Fatal("the speakers are not stopped: ", err)
	}
	return time.Duration(microseconds) * time.Microsecond
}
