// Command scale measures how Daymark grows with a cluster: real etcd and API server, a controller with its replica, real speakers on the
// lab's nodes and a router; thousands of Services, and nodes whose kubelets are nobody and whose speakers are the gossip alone. It adds
// what it measured to a file of results, draws pictures of the growth from all of these, and writes both into a page. It refuses to
// judge: a figure is what it is, and what the machine cannot carry is left out with a word.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/daymark-lb/daymark/e2e/lab"
	"github.com/daymark-lb/daymark/e2e/lab/sandbox"
)

// settings of a run.
type settings struct {
	sizes    []size
	speakers int
	measure  map[string]bool // parts, all when empty
	drawOnly bool
	starts   int    // how many speakers start at once; 0: the clusters are measured
	few      bool   // the API server fills the caches of few of them at a time
	shares   int    // of its concurrency that it has for that
	results  string // the file of all results; pictures are beside it
	page     string
}

// size is a cluster: so many Services, and so many nodes, the lab's own among them.
type size struct{ services, nodes int }

func (s size) String() string { return fmt.Sprintf("%d Services, %d nodes", s.services, s.nodes) }

func main() {
	if len(os.Args) > 1 && os.Args[1] == rackCommand {
		sandbox.Exit(runRack(os.Args[2:]))
	}
	if len(os.Args) > 1 && os.Args[1] == answersCommand {
		sandbox.Exit(0, runAnswers(os.Stdin, os.Stdout))
	}
	sandbox.Exit(run(context.Background(), os.Args[1:]))
}

// run returns the exit status, and an error when there is more to say.
func run(ctx context.Context, arguments []string) (int, error) {
	s, status, err := parse(arguments)
	if err != nil || status != 0 {
		return status, err
	}
	if s.drawOnly {
		return 0, publish(s)
	}
	if lab.Inside() {
		if s.starts > 0 {
			return measureStarts(s)
		}
		return measureInside(s)
	}
	for _, name := range []string{"controller", "speaker"} {
		if _, err := os.Stat(filepath.Join("bin", name)); err != nil {
			return 1, errors.New("bin/" + name + " is missing: run `make scale`, or `make build` first")
		}
	}
	if err := lab.UseBinaries("bin"); err != nil {
		return 1, err
	}
	return lab.Enter(ctx, os.Stdout, lab.BuildKubernetes, lab.BuildRouter)
}

func parse(arguments []string) (s settings, status int, err error) {
	flags := flag.NewFlagSet("scale", flag.ContinueOnError)
	services := flags.String("services", "1000 3000 10000", "how many Services, separated by spaces")
	nodes := flags.String("nodes", "3", "how many nodes, separated by spaces: every number of Services is tried with the first, and every other number of nodes with the first number of Services")
	only := flags.String("measure", "", "parts to measure, separated by spaces, all when empty: "+strings.Join(partNames(), " "))
	flags.IntVar(&s.speakers, "speakers", 3, "how many nodes have a real speaker, 7 at most")
	flags.IntVar(&s.starts, "starts", 0, "measure nothing but as many nodes' speakers that start at once, among the first number of Services, and print it; 0: the clusters")
	flags.BoolVar(&s.few, "few", false, "with -starts: have the API server fill the caches of few speakers at a time")
	flags.IntVar(&s.shares, "shares", 5, "with -few: how many shares of the API server's concurrency it has for that, 1 to 100")
	flags.StringVar(&s.results, "results", "docs/pictures/large-clusters.json", "file that results are added to; pictures are written beside it")
	flags.StringVar(&s.page, "page", "docs/large-clusters.md", "page that the results are written into")
	flags.BoolVar(&s.drawOnly, "draw", false, "measure nothing: draw the pictures and write the page from the results that there are")
	if err := flags.Parse(arguments); errors.Is(err, flag.ErrHelp) {
		return s, 2, nil
	} else if err != nil {
		return s, 2, err
	}
	if flags.NArg() > 0 {
		return s, 2, errors.New("nothing follows the flags")
	}
	if s.shares < 1 || s.shares > 100 {
		return s, 2, fmt.Errorf("-shares must be 1 to 100, and is %d", s.shares)
	}
	if s.measure, err = parseParts(*only); err != nil {
		return s, 2, err
	}
	s.sizes, err = parseSizes(*services, *nodes, s.speakers)
	if err != nil {
		return s, 2, err
	}
	return s, 0, nil
}

func parseParts(text string) (map[string]bool, error) {
	chosen := map[string]bool{}
	for name := range strings.FieldsSeq(text) {
		if !slices.Contains(partNames(), name) {
			return nil, fmt.Errorf("there is no part %q; there are %s", name, strings.Join(partNames(), ", "))
		}
		chosen[name] = true
	}
	return chosen, nil
}

// parseSizes returns the clusters to measure, the smaller first.
func parseSizes(services, nodes string, speakers int) (sizes []size, err error) {
	counts, err := numbers("-services", services, 1, 30000)
	if err != nil {
		return nil, err
	}
	if speakers < 1 || speakers > 7 {
		return nil, fmt.Errorf("-speakers must be 1 to 7, and is %d", speakers)
	}
	clusters, err := numbers("-nodes", nodes, speakers, maxNodes)
	if err != nil {
		return nil, err
	}
	for _, count := range counts {
		sizes = append(sizes, size{count, clusters[0]})
	}
	for _, count := range clusters[1:] {
		sizes = append(sizes, size{counts[0], count})
	}
	return sizes, nil
}

// numbers reads numbers separated by spaces, and sorts them. There must be one.
func numbers(flagName, text string, least, most int) (all []int, err error) {
	for field := range strings.FieldsSeq(text) {
		n, err := strconv.Atoi(field)
		if err != nil || n < least || n > most {
			return nil, fmt.Errorf("%s must be numbers from %d to %d, not %q", flagName, least, most, field)
		}
		all = append(all, n)
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("%s must have a number", flagName)
	}
	slices.Sort(all)
	return slices.Compact(all), nil
}
