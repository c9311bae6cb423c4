package env

import (
	"bytes"
	"strings"
	"testing"

	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/daymark-lb/daymark/cli/source"
)

func TestEnv_GapsOfABundleCannotSteerTheTerminal(t *testing.T) {
	var remarks bytes.Buffer
	e := New(genericiooptions.IOStreams{ErrOut: &remarks})
	e.WarnOfGaps([]source.Gap{
		{Resource: "services\x1b[2J", Why: source.Forbidden}, {Resource: "nodes\x1b[2J", Why: source.NotInFile},
	})
	if !strings.Contains(remarks.String(), "services") || !strings.Contains(remarks.String(), "nodes") || strings.Contains(remarks.String(), "\x1b") {
		t.Errorf("%q", remarks.String())
	}
}
