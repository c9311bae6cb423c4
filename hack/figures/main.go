// Command figures puts the results of benchmarks into a page: it reads what `go test -bench` prints, passes it on, and
// writes each result as a row of the table between the two markers of the page. A benchmark that did not run keeps its
// row. Its one job is that copying; it refuses to judge a figure.
package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
)

// The markers of the part of a page that is written by this program.
const (
	begin = "<!-- figures: written by make bench -->\n"
	end   = "<!-- end of figures -->\n"
	head  = "| benchmark | result |\n|---|---|\n"
)

func main() {
	if err := run(os.Stdin, os.Stdout, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "figures:", err)
		os.Exit(1)
	}
}

func run(from io.Reader, to io.Writer, args []string) error {
	if len(args) != 1 {
		return errors.New("usage: go test -bench . | figures PAGE")
	}
	results, err := read(io.TeeReader(from, to))
	if err != nil {
		return fmt.Errorf("read the results: %w", err)
	}
	page, err := os.ReadFile(args[0])
	if err != nil {
		return fmt.Errorf("read the page: %w", err)
	}
	written, err := write(page, results)
	if err != nil {
		return fmt.Errorf("write %s: %w", args[0], err)
	}
	return os.WriteFile(args[0], written, 0o644)
}

// line is a result of `go test -bench`: name, processors, iterations, and values with their units.
var line = regexp.MustCompile(`^Benchmark(\S+?)(?:-\d+)?\s+\d+\s+(.+)$`)

// read gathers results by the name of the benchmark.
func read(from io.Reader) (map[string]string, error) {
	results := map[string]string{}
	scanner := bufio.NewScanner(from)
	scanner.Buffer(nil, 1<<20)
	for scanner.Scan() {
		found := line.FindStringSubmatch(scanner.Text())
		if found == nil {
			continue
		}
		fields := strings.Fields(found[2])
		var values []string
		for i := 0; i+1 < len(fields); i += 2 {
			values = append(values, fields[i]+" "+fields[i+1])
		}
		results[found[1]] = strings.Join(values, ", ")
	}
	return results, scanner.Err()
}

// write merges results into the table of a page.
func write(page []byte, results map[string]string) ([]byte, error) {
	before, rest, found := bytes.Cut(page, []byte(begin))
	table, after, foundToo := bytes.Cut(rest, []byte(end))
	if !found || !foundToo {
		return nil, fmt.Errorf("it has not got the lines %q and %q", strings.TrimSpace(begin), strings.TrimSpace(end))
	}
	all := map[string]string{}
	for row := range strings.Lines(strings.TrimPrefix(string(table), head)) {
		if cells := strings.Split(row, "|"); len(cells) == 4 {
			all[strings.Trim(cells[1], " `")] = strings.TrimSpace(cells[2])
		}
	}
	maps.Copy(all, results)
	var rows strings.Builder
	for _, name := range slices.Sorted(maps.Keys(all)) {
		fmt.Fprintf(&rows, "| `%s` | %s |\n", name, all[name])
	}
	return slices.Concat(before, []byte(begin+head+rows.String()+end), after), nil
}
