package main

import (
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/daymark-lb/daymark/e2e/lab"
)

// speakerMetrics is the port of a speaker's metrics.
const speakerMetrics = 7472

// kinds of programs. Of the speakers the one counts that takes most.
const (
	controllerKind = "controller"
	replicaKind    = "replica"
	speakerKind    = "speaker"
)

// programs are all of Daymark's, by their kind.
func (c *cluster) programs() map[string][]lab.Daemon {
	all := map[string][]lab.Daemon{controllerKind: {c.Controller()}, replicaKind: {c.Replica()}}
	for _, node := range c.Nodes() {
		all[speakerKind] = append(all[speakerKind], node.Speaker())
	}
	return all
}

// spent is the processor time of each program by its name, at a moment.
type spent struct {
	at  time.Time
	cpu map[string]time.Duration
}

func (c *cluster) spent() spent {
	s := spent{time.Now(), map[string]time.Duration{}}
	for _, all := range c.programs() {
		for _, p := range all {
			cpu, err := p.CPU()
			if err != nil {
				c.T().Fatalf("%v", err)
			}
			s.cpu[p.Name] = cpu
		}
	}
	return s
}

// since is the processor time of the program of each kind that took most since a moment, and how long that is ago.
func (s spent) since(before spent) (by map[string]time.Duration, elapsed time.Duration) {
	by = map[string]time.Duration{}
	for name, cpu := range s.cpu {
		kind, _, _ := strings.Cut(name, "-")
		by[kind] = max(by[kind], cpu-before.cpu[name])
	}
	return by, s.at.Sub(before.at)
}

// noteShares notes the share of a processor that each kind of program took since a moment, in percent, under a key that begins so.
func (c *cluster) noteShares(key string, before spent) {
	by, elapsed := c.spent().since(before)
	for _, kind := range []string{controllerKind, speakerKind} {
		c.note(key+kind, 100*float64(by[kind])/float64(elapsed))
	}
}

// noteMemory notes the memory that each kind of program has in RAM.
func (c *cluster) noteMemory() {
	for kind, all := range c.programs() {
		most := int64(0)
		for _, p := range all {
			resident, err := p.Resident()
			if err != nil {
				c.T().Fatalf("%v", err)
			}
			most = max(most, resident)
		}
		c.note("memory-"+kind, float64(most)/1e6)
	}
}

// loadAverage is the machine's load of the last five minutes, 0 where the kernel does not tell.
func loadAverage() (five float64) {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return 0
	}
	var one float64
	if _, err := fmt.Sscan(string(text), &one, &five); err != nil {
		return 0
	}
	return five
}
