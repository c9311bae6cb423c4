// Command reference writes the pages of docs/reference from the code: conditions and their reasons, metrics, flags, annotations
// and kinds. Its one job is that these pages cannot be out of date; it refuses to hold texts of its own about what the code
// declares. `make generate` runs it, and `make verify` fails when a page differs from what it writes.
package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// pages of the reference, by the name of the file.
var pages = map[string]func(context.Context) (string, error){
	"conditions-and-reasons.md": conditionsPage,
	"metrics.md":                metricsPage,
	"flags.md":                  flagsPage,
	"annotations.md":            annotationsPage,
	"kinds.md":                  kindsPage,
}

const generated = "<!-- Generated from the code by `make generate`. Do not edit. -->\n\n"

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: reference FOLDER, at the root of the repository")
		os.Exit(2)
	}
	if err := run(context.Background(), os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "reference:", err)
		os.Exit(1)
	}
}

// run writes all pages into a folder.
func run(ctx context.Context, folder string) error {
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	for name, page := range pages {
		text, err := page(ctx)
		if err != nil {
			return fmt.Errorf("make %s: %w", name, err)
		}
		if err := os.WriteFile(filepath.Join(folder, name), []byte(generated+text), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// table is a table in Markdown. Cells may hold any text.
func table(header []string, rows [][]string) string {
	var b strings.Builder
	line := func(cells []string) {
		for _, cell := range cells {
			cell = strings.Join(strings.Fields(cell), " ")
			b.WriteString("| " + strings.ReplaceAll(cell, "|", `\|`) + " ")
		}
		b.WriteString("|\n")
	}
	line(header)
	b.WriteString(strings.Repeat("|---", len(header)) + "|\n")
	for _, row := range rows {
		line(row)
	}
	return b.String()
}

// code is a text in backticks; nothing for an empty one.
func code(text string) string {
	if text == "" {
		return ""
	}
	return "`" + text + "`"
}

// sentence is a text with a capital letter first and a full stop behind.
func sentence(text string) string {
	text = strings.TrimSpace(text)
	if text == "" {
		return ""
	}
	text = strings.TrimSuffix(text, ".") + "."
	if first, _, _ := strings.Cut(text, " "); strings.ToLower(first) != first {
		return text // the name of a field, such as nodeSelectors, is written as it is
	}
	return strings.ToUpper(text[:1]) + text[1:]
}
