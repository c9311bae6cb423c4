package archtest

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	// namedPath is a path of the repository in backticks.
	namedPath = regexp.MustCompile("`((?:api|cli|config|controller|docs|e2e|hack|internal|speaker|tools)/[A-Za-z0-9_./-]*[A-Za-z0-9_])/?`")
	// linkedFile is the target of a link that is no web address, without its anchor.
	linkedFile = regexp.MustCompile(`\]\(([^):#]+)(?:#[^)]*)?\)`)
)

var (
	// runTest is a test or benchmark that a page says how to run, with its package.
	runTest = regexp.MustCompile("-(run|bench) '?([A-Za-z][A-Za-z0-9_]*)'?[^`\n]* \\./([a-z0-9/]+)")
	// runBench is a benchmark that a page says how to run by make.
	runBench = regexp.MustCompile(`BENCH=([A-Za-z0-9_]+)`)
)

// pages are all pages in Markdown, from the root of the repository.
func pages(t *testing.T) map[string]string {
	t.Helper()
	found := map[string]string{}
	for _, pattern := range []string{"*.md", "docs/*.md", "docs/*/*.md", ".github/*.md"} {
		files, err := filepath.Glob(filepath.Join("../..", pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			found[file] = string(text)
		}
	}
	return found
}

func TestPages_NameFilesThatExist(t *testing.T) {
	for page, text := range pages(t) {
		for _, match := range namedPath.FindAllStringSubmatch(text, -1) {
			if files, err := filepath.Glob(filepath.Join("../..", match[1])); err != nil || len(files) == 0 {
				t.Errorf("%s names %s, which does not exist", page, match[1])
			}
		}
		for _, match := range linkedFile.FindAllStringSubmatch(text, -1) {
			if _, err := os.Stat(filepath.Join(filepath.Dir(page), match[1])); err != nil {
				t.Errorf("%s has a link to %s, which does not exist", page, match[1])
			}
		}
	}
}

func TestPages_ReferToNothingOutsideTheRepository(t *testing.T) {
	for page, text := range pages(t) {
		for _, word := range []string{"DESIGN.md", "DESIGN section", "STYLE.md"} {
			if strings.Contains(text, word) {
				t.Errorf("%s refers to %q", page, word)
			}
		}
	}
}

func TestPages_NameTestsThatExist(t *testing.T) {
	for page, text := range pages(t) {
		for _, match := range runTest.FindAllStringSubmatch(text, -1) {
			if kind := map[string]string{"run": "Test", "bench": "Benchmark"}[match[1]]; !hasTest(t, match[3], kind, match[2]) {
				t.Errorf("%s says how to run %s of ./%s, which does not exist", page, match[2], match[3])
			}
		}
		for _, match := range runBench.FindAllStringSubmatch(text, -1) {
			if !hasTest(t, "e2e", "Benchmark", match[1]) && !hasTest(t, "*/*/*", "Benchmark", match[1]) {
				t.Errorf("%s says how to run BENCH=%s, which does not exist", page, match[1])
			}
		}
	}
}

// hasTest reports whether a folder has a test whose name has a part, as `go test -run` looks for it.
func hasTest(t *testing.T, folder, kind, part string) bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("../..", folder, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	name := regexp.MustCompile(`(?m)^func ` + kind + `\w*` + part)
	for _, file := range files {
		if text, err := os.ReadFile(file); err == nil && name.Match(text) {
			return true
		}
	}
	return false
}
