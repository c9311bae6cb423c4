package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// goldenPages are the pages of docs/cli whose examples are of the clusters in testdata. Those of the others are of a living cluster, of files
// that are not here, or of what happens in the course of time.
var goldenPages = []string{"README", "diff", "explain", "problems", "routes", "services", "simulate", "status", "version"}

// TestDocs_ExamplesAreLinesOfGoldenFiles: what a page shows a command to print, one does print, but for the room between columns.
func TestDocs_ExamplesAreLinesOfGoldenFiles(t *testing.T) {
	printed := map[string]bool{}
	files, err := filepath.Glob(filepath.Join("testdata", "golden", "*.txt"))
	if err != nil || len(files) == 0 {
		t.Fatalf("%v %v", files, err)
	}
	for _, file := range files {
		for _, line := range lines(t, file) {
			printed[oneSpace(line)] = true
		}
	}
	for _, page := range goldenPages {
		file := filepath.Join("..", "docs", "cli", page+".md")
		text, shown := lines(t, file), false
		for i, line := range text {
			inside := strings.HasPrefix(line, "    ")
			switch command := strings.HasPrefix(line, "    $ "); {
			case command:
				shown = shown || strings.HasPrefix(line, "    $ kubectl daymark ")
			case inside && shown:
				if !printed[oneSpace(line)] {
					t.Errorf("%s:%d: no golden file has the line %s", file, i+1, line)
				}
			case line != "":
				shown = false
			}
		}
		if !slices.ContainsFunc(text, func(line string) bool { return strings.HasPrefix(line, "    $ kubectl daymark ") }) {
			t.Errorf("%s has no example", file)
		}
	}
}

func oneSpace(line string) string { return strings.Join(strings.Fields(line), " ") }

func lines(t *testing.T, file string) []string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(string(text), "\n")
}
