// Command generate writes what is made from the chart and for it: the manifests, the chart's definitions, the schema of its values. It
// reads the repository in the first folder and writes below the second.
package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/daymark-lb/daymark/release/chart"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "generate:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) != 2 {
		return fmt.Errorf("two folders are needed, to read and to write, not %q", args)
	}
	files, err := chart.Generated(args[0])
	if err != nil {
		return err
	}
	for name, text := range files {
		path := filepath.Join(args[1], name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil { //nolint:gosec // part of a repository
			return err
		}
		if err := os.WriteFile(path, text, 0o644); err != nil { //nolint:gosec // part of a repository
			return err
		}
	}
	return nil
}
