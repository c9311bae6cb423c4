package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
)

// helpTexts are the command lines whose help is shown. Each command of kubectl daymark has a page in docs/cli.
var helpTexts = []struct {
	title   string
	command []string
}{
	{"controller", []string{"./controller"}},
	{"speaker", []string{"./speaker"}},
	{"kubectl daymark", []string{"./cli"}},
}

func flagsPage(ctx context.Context) (string, error) {
	var b strings.Builder
	b.WriteString("# Flags\n\nWhat each program says to `--help`. How the programs end: status 0 when they are told to (SIGTERM, SIGINT), " +
		"2 when the command line is wrong, 1 when anything else fails.\n")
	for _, text := range helpTexts {
		help, err := help(ctx, text.command)
		if err != nil {
			return "", err
		}
		fmt.Fprintf(&b, "\n## %s\n\n```text\n%s\n```\n", text.title, help)
	}
	return b.String(), nil
}

// help runs a program of this repository with --help.
func help(ctx context.Context, command []string) (string, error) {
	run := exec.CommandContext(ctx, "go", append(append([]string{"run"}, command...), "--help")...)
	run.Env = append(os.Environ(), "NODE_NAME=", "KUBECONFIG=")
	run.Stderr = os.Stderr
	output, err := run.Output()
	if err != nil {
		return "", fmt.Errorf("go run %s --help: %w", strings.Join(command, " "), err)
	}
	lines := strings.Split(strings.TrimSpace(string(output)), "\n")
	for i := range lines {
		lines[i] = strings.TrimRight(lines[i], " ")
	}
	return strings.Join(lines, "\n"), nil
}
