// Command demo shows what Daymark does, on this machine, in the lab: it brings up Kubernetes in network namespaces, installs
// Daymark from config/default, and plays six scenarios one after another, in words and with the time each took. It
// runs the programs in bin/, which `make build` makes.
//
// With KEEP=1 it leaves the lab running and itself as bin/lab, to use what it left. It refuses to test: that is what
// e2e/*_test.go is for; here a person is to see, quickly, what there is.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/daymark-lb/daymark/e2e/lab"
	"github.com/daymark-lb/daymark/e2e/lab/keep"
	"github.com/daymark-lb/daymark/e2e/lab/sandbox"
)

// kept is the lab left running. It is beside the program bin/lab.
const kept keep.File = "bin/lab.json"

const usage = `usage: demo                    show what Daymark does; KEEP=1 leaves the lab running
       demo build              build Kubernetes into the cache and do no more
       lab kubectl ARGUMENTS   run kubectl in the lab that was left running
       lab on HOST COMMAND     run a command on a host of it: n1 n2 n3 client far router api
       lab end                 end it
`

func main() {
	sandbox.Exit(run(context.Background(), os.Args[1:]))
}

// run returns the exit status, and an error when there is more to say.
func run(ctx context.Context, arguments []string) (int, error) {
	if lab.Inside() {
		return show()
	}
	if len(arguments) == 0 {
		return enter(ctx)
	}
	if asked, err := kept.Run(arguments); asked {
		return 0, err
	}
	switch verb, rest := arguments[0], arguments[1:]; {
	case verb == "build" && len(rest) == 0:
		return 0, lab.BuildKubernetes(ctx, os.Stdout)
	case verb == "-h" || verb == "--help" || verb == "help":
		fmt.Print(usage)
		return 0, nil
	}
	fmt.Fprint(os.Stderr, usage)
	return 2, nil
}

// enter builds what is missing and goes into the namespaces, where show is.
func enter(ctx context.Context) (int, error) {
	for _, name := range []string{"controller", "speaker"} {
		if _, err := os.Stat(filepath.Join("bin", name)); err != nil {
			return 1, errors.New("bin/" + name + " is missing: run `make demo`, or `make build` first")
		}
	}
	if err := lab.UseBinaries("bin"); err != nil {
		return 1, err
	}
	if keep.Asked() {
		if err := kept.Free(); err != nil {
			return 1, err
		}
	}
	return lab.Enter(ctx, os.Stdout, lab.BuildKubernetes, lab.BuildRouter)
}
