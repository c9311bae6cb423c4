package main

import (
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"strings"
	"time"
	"unicode/utf8"
)

// printer prints what happens, one line for each thing shown, with the time it took. It is the lab's T: what the lab cannot
// do ends the scenario that is being shown, not the demo.
type printer struct {
	out             io.Writer
	began           time.Time
	doing           string // the step under way
	since           time.Time
	failedScenarios []string // the scenarios that failed
	failed          bool
	cleanups        []func()
}

// width is the column that the times end at.
const width = 100

// failure is what a step panics with, to be caught at the end of its scenario.
type failure struct{ why string }

func (s *printer) Helper()                        {}
func (s *printer) Logf(format string, a ...any)   { fmt.Fprintf(s.out, "    "+format+"\n", a...) }
func (s *printer) Fatalf(format string, a ...any) { panic(failure{fmt.Sprintf(format, a...)}) }
func (s *printer) Skipf(format string, a ...any)  { s.Fatalf(format, a...) }
func (s *printer) Cleanup(f func())               { s.cleanups = append(s.cleanups, f) }
func (s *printer) Failed() bool                   { return s.failed }

// scenario shows one of the things that Daymark is for. What goes wrong in it is printed, and the next one follows.
func (s *printer) scenario(title string, show func()) {
	fmt.Fprintf(s.out, "\n%s\n", bold(title))
	defer func() {
		switch why := recover().(type) {
		case nil:
		case failure:
			s.failedScenarios = append(s.failedScenarios, title)
			s.failed = true
			fmt.Fprintf(s.out, "  %s %s: %s\n", red("✗"), s.doing, strings.ReplaceAll(why.why, "\n", "\n    "))
		default:
			fmt.Fprintf(s.out, "  %s %s: %v\n%s", red("✗"), s.doing, why, debug.Stack())
			s.failedScenarios = append(s.failedScenarios, title)
			s.failed = true
		}
	}()
	show()
}

// step begins a step: what is to be shown, and is printed if it does not happen.
func (s *printer) step(what string) {
	s.doing, s.since = what, time.Now()
}

// shown ends the step with what was seen and the time since it began.
func (s *printer) shown(format string, a ...any) { s.shownIn(time.Since(s.since), format, a...) }

// shownIn is shown with a time that was measured otherwise.
func (s *printer) shownIn(took time.Duration, format string, a ...any) {
	text := fmt.Sprintf(format, a...)
	fmt.Fprintf(s.out, "  %s %s%s\n", green("✓"), padded(text, width-4-9), dim(fmt.Sprintf("%9s", inWords(took))))
}

// note adds a line to what was shown, without a time.
func (s *printer) note(format string, a ...any) {
	fmt.Fprintf(s.out, "      %s\n", dim(fmt.Sprintf(format, a...)))
}

func padded(text string, to int) string {
	return text + strings.Repeat(" ", max(1, to-utf8.RuneCountInString(text)))
}

func inWords(d time.Duration) string {
	if d < time.Second {
		return fmt.Sprintf("%d ms", d.Milliseconds())
	}
	return fmt.Sprintf("%.1f s", d.Seconds())
}

// colors are for a terminal; a file or a pipe gets none.
var colors = func() bool {
	info, err := os.Stdout.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0 && os.Getenv("NO_COLOR") == ""
}()

func colored(code, text string) string {
	if !colors {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

func bold(text string) string  { return colored("1", text) }
func dim(text string) string   { return colored("2", text) }
func red(text string) string   { return colored("31", text) }
func green(text string) string { return colored("32", text) }
