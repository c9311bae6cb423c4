package web

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/daymark-lb/daymark/cli/env"
	"github.com/daymark-lb/daymark/cli/source"
)

func TestMain(m *testing.M) {
	time.Local = time.UTC // the page shows times of the machine that it is on
	os.Exit(m.Run())
}

// now is the time of the clusters in testdata.
var now = time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)

// objects of a cluster of the command line's testdata.
func objects(t *testing.T, name string) *source.Objects {
	t.Helper()
	all, err := source.Open(filepath.Join("..", "testdata", name+".yaml"), now)
	if err != nil {
		t.Fatal(err)
	}
	o := &options{Env: environment()}
	found, err := all.Read(t.Context(), o.queries("default")...)
	if err != nil {
		t.Fatal(err)
	}
	found.Origin = "cluster " + name
	return found
}

func environment() *env.Env {
	e := env.New(genericiooptions.NewTestIOStreamsDiscard())
	e.System, e.Now = "daymark-system", func() time.Time { return now }
	return e
}
