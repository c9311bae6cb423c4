package main

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/daymark-lb/daymark/e2e/lab"
)

// sizes are what a program uses.
type sizes struct {
	megabytes, files, goroutines int
}

// usage is what each program uses, by its name.
type usage map[string]sizes

// Bounds of what a program may use more in the end than at the beginning: Go gives memory back late, and a connection may just be under way.
const (
	moreMegabytes  = 40
	moreFiles      = 12
	moreGoroutines = 40
)

// measure asks all programs of Daymark. What cannot be asked has no entry.
func (s *soak) measure() usage {
	u := usage{}
	add := func(d lab.Daemon, metrics int) {
		resident, err := d.Resident()
		files, filesErr := os.ReadDir(fmt.Sprintf("/proc/%d/fd", d.PID()))
		goroutines, metricErr := d.Metric(metrics, "go_goroutines")
		if err == nil && filesErr == nil && metricErr == nil {
			u[d.Name] = sizes{int(resident >> 20), len(files), int(goroutines)}
		}
	}
	add(s.Controller(), 7470)
	for _, n := range s.Nodes() {
		add(n.Speaker(), 7472)
	}
	return u
}

// grown says what uses more than it may.
func (s *soak) grown() (wrong []string) {
	for name, was := range s.first {
		is, ok := s.last[name]
		switch {
		case !ok:
			wrong = append(wrong, name+" does not answer")
		case is.megabytes > was.megabytes+moreMegabytes, is.files > was.files+moreFiles, is.goroutines > was.goroutines+moreGoroutines:
			wrong = append(wrong, fmt.Sprintf("%s had %s and has %s", name, was, is))
		}
	}
	slices.Sort(wrong)
	return wrong
}

func (s sizes) String() string {
	return fmt.Sprintf("%d MB, %d files, %d goroutines", s.megabytes, s.files, s.goroutines)
}

func (u usage) names() (names []string) {
	for name := range u {
		names = append(names, name)
	}
	slices.SortFunc(names, strings.Compare)
	return names
}
