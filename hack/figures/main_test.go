package main

import (
	"strings"
	"testing"
)

const output = `goos: linux
BenchmarkAnswer/held=10-2         	  100	       340 ns/op	       0 B/op
    bench_test.go:1: something that was logged
BenchmarkFailOver/node-crash 	       1	9000000000 ns/op	       190.0 ms-median
PASS
`

func TestResultsAreMergedIntoThePage(t *testing.T) {
	page := "# Page\n" + begin + head + "| `Answer/held=10` | 1 ns/op |\n| `Old` | 5 ns/op |\n" + end + "more\n"
	results, err := read(strings.NewReader(output))
	if err != nil {
		t.Fatal(err)
	}
	got, err := write([]byte(page), results)
	if err != nil {
		t.Fatal(err)
	}
	want := "# Page\n" + begin + head + "| `Answer/held=10` | 340 ns/op, 0 B/op |\n" +
		"| `FailOver/node-crash` | 9000000000 ns/op, 190.0 ms-median |\n| `Old` | 5 ns/op |\n" + end + "more\n"
	if string(got) != want {
		t.Errorf("the page is now\n%s", got)
	}
}

func TestAPageWithoutMarkersIsRefused(t *testing.T) {
	if _, err := write([]byte("# Page\n"), nil); err == nil {
		t.Error("no error")
	}
}
