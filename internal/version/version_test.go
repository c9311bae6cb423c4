package version

import (
	"runtime/debug"
	"testing"
)

func TestInfo_SaysWhatIsKnown(t *testing.T) {
	checkout := &debug.BuildInfo{GoVersion: "go1.26.0", Main: debug.Module{Version: "v0.1.1-0.20261126-abc"}, Settings: []debug.BuildSetting{
		{Key: "vcs.revision", Value: "abc"}, {Key: "vcs.time", Value: "2026-11-26T00:00:00Z"}, {Key: "vcs.modified", Value: "false"},
	}}
	modified := &debug.BuildInfo{Settings: []debug.BuildSetting{{Key: "vcs.revision", Value: "abc"}, {Key: "vcs.modified", Value: "true"}}}
	for _, test := range []struct {
		name   string
		linker linked
		build  *debug.BuildInfo
		want   string
	}{
		{"a release", linked{"v0.1.0", "abc", "2026-11-26T00:00:00Z"}, &debug.BuildInfo{GoVersion: "go1.26.0"}, "v0.1.0 (commit abc of 2026-11-26T00:00:00Z, go1.26.0)"},
		{"a build by make", linked{release: "v0.1.0"}, checkout, "v0.1.0 (commit abc of 2026-11-26T00:00:00Z, go1.26.0)"},
		{"a build without make", linked{}, checkout, "v0.1.1-0.20261126-abc (commit abc of 2026-11-26T00:00:00Z, go1.26.0)"},
		{"a checkout with changes", linked{release: "v0.1.0-dirty"}, modified, "v0.1.0-dirty (commit abc-dirty of unknown, unknown)"},
		{"nothing is known", linked{}, &debug.BuildInfo{}, "unknown (commit unknown of unknown, unknown)"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := read(test.linker, test.build).String(); got != test.want {
				t.Errorf("%q, want %q", got, test.want)
			}
		})
	}
}
