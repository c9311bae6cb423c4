package sandbox

import (
	"context"
	"flag"
	"fmt"
	"os"
	"testing"

	"github.com/daymark-lb/daymark/e2e/lab/build"
	"github.com/daymark-lb/daymark/e2e/lab/check"
	"github.com/daymark-lb/daymark/internal/testnet"
)

// missing is why the tests of this process run outside, nil if they need not.
var missing error

// Main is for TestMain: it runs the preparations, and then the package's tests in namespaces of their own. It builds no
// Kubernetes: where there is none, and with -short, it only runs the tests, and those that Need the sandbox are skipped.
// Where CI is set a missing Kubernetes is an error instead.
func Main(m *testing.M, prepare ...Preparation) {
	flag.Parse()
	if Inside() {
		if err := SetUp(); err != nil {
			fail(err)
		}
		os.Exit(m.Run())
	}
	missing = build.FindKubernetes()
	switch {
	case testing.Short():
		os.Exit(m.Run())
	case missing != nil && testnet.MayMiss():
		os.Exit(m.Run())
	case missing != nil:
		fail(missing)
	}
	status, err := Enter(context.Background(), os.Stderr, prepare...)
	if err != nil {
		fmt.Fprintln(os.Stderr, "lab:", err)
	}
	os.Exit(status)
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "lab:", err)
	os.Exit(1)
}

// Need skips the test where Main could not give it namespaces with Kubernetes, and fails it when TestMain does not call Main.
func Need(t check.T) {
	t.Helper()
	switch {
	case Inside():
	case testing.Short():
		t.Skipf("needs namespaces of its own: run without -short")
	case missing != nil:
		t.Skipf("%v", missing)
	default:
		t.Fatalf("needs namespaces of its own: TestMain must call lab.Main")
	}
}
