package main

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// asked are the words that the README has after the name of the lab's program.
var asked = regexp.MustCompile("`bin/lab ([a-z]+)")

func TestUsage_HasWhatTheREADMESays(t *testing.T) {
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	found := asked.FindAllStringSubmatch(string(text), -1)
	if len(found) == 0 {
		t.Error("the README does not say how to ask the lab that stays")
	}
	for _, match := range found {
		if !strings.Contains(usage, "lab "+match[1]) {
			t.Errorf("the README says bin/lab %s, and the lab knows only\n%s", match[1], usage)
		}
	}
}
