package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/daymark-lb/daymark/release/checksum"
)

// commands are those of a section of docs/verify.md, a line each.
func commands(t *testing.T, section string) (all []string) {
	t.Helper()
	page, err := os.ReadFile(filepath.Join("..", "docs", "verify.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, text, found := strings.Cut(string(page), "## "+section+"\n")
	if !found {
		t.Fatalf("docs/verify.md has no section %q", section)
	}
	text, _, _ = strings.Cut(text, "\n## ")
	for line := range strings.Lines(text) {
		if command, isCommand := strings.CutPrefix(line, "    "); isCommand {
			all = append(all, strings.TrimSpace(command))
		}
	}
	return all
}

// shell runs a command of the page in a folder.
func shell(folder, command string) error {
	c := exec.Command("sh", "-euc", command)
	c.Dir = folder
	return said(c)
}

// TestDocs_CommandsVerifyARelease runs docs/verify.md: a key is made as it says, a release is signed with it, and who follows the page
// finds out what was changed.
func TestDocs_CommandsVerifyARelease(t *testing.T) {
	folder := t.TempDir()
	own := commands(t, "A key of your own")
	if len(own) != 2 {
		t.Fatalf("the page makes a key by %q", own)
	}
	for _, command := range own {
		if err := shell(folder, command); err != nil {
			t.Fatalf("%s: %v", command, err)
		}
	}
	verifying := commands(t, "Checksums")
	if len(verifying) != 2 || !strings.HasPrefix(verifying[0], "sha256sum ") || !strings.Contains(verifying[1], "openssl ") {
		t.Fatalf("the page verifies by %q", verifying)
	}
	for _, test := range []struct {
		name, changed string
		fails         []string
	}{
		{"as released", "", nil},
		{"a file was changed", "install.yaml", verifying[:1]},
		{"the list was changed", checksum.File, verifying[1:]},
		{"the signature was changed", checksum.File + ".sig", verifying[1:]},
	} {
		t.Run(test.name, func(t *testing.T) {
			m := maker{options: options{out: t.TempDir(), key: filepath.Join(folder, "private.pem")}}
			public, err := os.ReadFile(filepath.Join(folder, "daymark.pub"))
			if err := errors.Join(err, m.write("install.yaml", []byte("a: 1\n")), m.checksums(t.Context()), m.write("daymark.pub", public)); err != nil {
				t.Fatal(err)
			}
			if test.changed != "" {
				change(t, filepath.Join(m.out, test.changed))
			}
			for _, command := range verifying {
				if err := shell(m.out, command); (err != nil) != slices.Contains(test.fails, command) {
					t.Errorf("%s: %v", command, err)
				}
			}
		})
	}
}

// change adds a line to the beginning of a file: in the list, one with the right checksum of the key's file.
func change(t *testing.T, path string) {
	t.Helper()
	line := "b: 2\n"
	if filepath.Base(path) == checksum.File {
		sum, err := checksum.Sum(filepath.Join(filepath.Dir(path), "daymark.pub"))
		if err != nil {
			t.Fatal(err)
		}
		line = sum + "  daymark.pub\n"
	}
	data, err := os.ReadFile(path)
	if err := errors.Join(err, os.WriteFile(path, append([]byte(line), data...), 0o600)); err != nil {
		t.Fatal(err)
	}
}
