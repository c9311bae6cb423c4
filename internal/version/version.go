// Package version says which build of a program runs. It reads what the linker and the Go toolchain have written into the
// program, and refuses to know what the program does.
package version

import (
	"cmp"
	"fmt"
	"runtime/debug"
)

// The linker sets these. `make build` sets release to the output of `git describe`; `make release` sets all three, and has the
// toolchain write nothing of the checkout, because that depends on the tags that a clone has.
var release, revision, date string

// unknown stands for what was not written into the program, as in tests and builds outside a checkout.
const unknown = "unknown"

// Info describes a build.
type Info struct {
	// Version of Daymark, a tag or what `git describe` makes of it.
	Version string
	// Revision is the commit, with "-dirty" behind it when the checkout had changes; Date is when it was made.
	Revision, Date string
	// Go is the version of the toolchain.
	Go string
}

// Get returns the description of this program.
func Get() Info {
	build, ok := debug.ReadBuildInfo()
	if !ok {
		build = &debug.BuildInfo{}
	}
	return read(linked{release, revision, date}, build)
}

// linked is what the linker has set.
type linked struct{ release, revision, date string }

// read combines what the linker and the toolchain say.
func read(linker linked, build *debug.BuildInfo) Info {
	settings := map[string]string{}
	for _, setting := range build.Settings {
		settings[setting.Key] = setting.Value
	}
	revision := settings["vcs.revision"]
	if revision != "" && settings["vcs.modified"] == "true" {
		revision += "-dirty"
	}
	return Info{
		Version:  cmp.Or(linker.release, build.Main.Version, unknown),
		Revision: cmp.Or(linker.revision, revision, unknown),
		Date:     cmp.Or(linker.date, settings["vcs.time"], unknown),
		Go:       cmp.Or(build.GoVersion, unknown),
	}
}

// String is the description in one line, for --version.
func (i Info) String() string {
	return fmt.Sprintf("%s (commit %s of %s, %s)", i.Version, i.Revision, i.Date, i.Go)
}
