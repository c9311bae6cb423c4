// Command soak has the lab suffer for hours: one fault after another, of every kind that the lab can make, in an order that a seed
// gives, while two clients connect every 10 ms and taps on the client's and the router's links note who answers for each address and
// what the nodes tell the router. Each step is judged by what was on the wire, against what docs/soak.md says. In the end it writes a report, and
// its status is 1 when something was not as it must be. It refuses to look into Daymark for that: conditions and metrics are not asked whether
// all went well, only whether all is quiet again.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/daymark-lb/daymark/e2e/lab"
	"github.com/daymark-lb/daymark/e2e/lab/sandbox"
)

// settings of a run.
type settings struct {
	seed   uint64
	lasts  time.Duration
	only   map[string]bool // kinds of faults, all when empty
	report string
}

func main() {
	sandbox.Exit(run(context.Background(), os.Args[1:]))
}

// run returns the exit status, and an error when there is more to say.
func run(ctx context.Context, arguments []string) (int, error) {
	s, status, err := parse(arguments)
	if err != nil || status != 0 {
		return status, err
	}
	if lab.Inside() {
		return soakInside(s)
	}
	if s.seed == 0 { // outside, so that both processes have the same
		s.seed = rand.Uint64N(1_000_000) + 1
		os.Args = append(os.Args, fmt.Sprint("-seed=", s.seed))
	}
	for _, name := range []string{"controller", "speaker"} {
		if _, err := os.Stat(filepath.Join("bin", name)); err != nil {
			return 1, errors.New("bin/" + name + " is missing: run `make soak-lab`, or `make build` first")
		}
	}
	if err := lab.UseBinaries("bin"); err != nil {
		return 1, err
	}
	return lab.Enter(ctx, os.Stdout, lab.BuildKubernetes, lab.BuildRouter)
}

func parse(arguments []string) (s settings, status int, err error) {
	flags := flag.NewFlagSet("soak", flag.ContinueOnError)
	hours := flags.Float64("hours", 24, "how long, in hours")
	flags.Uint64Var(&s.seed, "seed", 0, "of the order of faults; 0 takes a new one, which is printed")
	only := flags.String("only", "", "kinds of faults, separated by commas; all when empty")
	flags.StringVar(&s.report, "report", "", "file that the report is written into, beside being printed")
	if err := flags.Parse(arguments); errors.Is(err, flag.ErrHelp) {
		return s, 2, nil
	} else if err != nil {
		return s, 2, err
	}
	if *hours <= 0 || flags.NArg() > 0 {
		return s, 2, errors.New("-hours must be more than 0, and nothing follows the flags")
	}
	s.lasts, s.only = time.Duration(*hours*float64(time.Hour)), map[string]bool{}
	for name := range strings.SplitSeq(*only, ",") {
		if name = strings.TrimSpace(name); name == "" {
			continue
		}
		if kindOf(name) == nil {
			return s, 2, fmt.Errorf("there is no fault %q; there are %s", name, strings.Join(kindNames(), ", "))
		}
		s.only[name] = true
	}
	return s, 0, nil
}
