package main

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/daymark-lb/daymark/release/build"
	"github.com/daymark-lb/daymark/release/checksum"
	"github.com/daymark-lb/daymark/release/source"
)

const version = "v1.2.3"

// made are two releases of the same commit, from two checkouts, which all tests share: to link takes seconds.
var made struct {
	once          sync.Once
	err           error
	first, second string
}

func TestMain(m *testing.M) {
	folder, err := os.MkdirTemp("", "release")
	if err != nil {
		panic(err)
	}
	made.first, made.second = filepath.Join(folder, "first", "dist"), filepath.Join(folder, "second", "dist")
	code := m.Run()
	if err := os.RemoveAll(folder); err != nil {
		panic(err)
	}
	os.Exit(code)
}

// dist returns the folder of a release for linux/amd64.
func dist(t *testing.T) string {
	t.Helper()
	made.once.Do(func() { made.err = releaseTwice(t) })
	if made.err != nil {
		t.Fatal(made.err)
	}
	return made.first
}

// commit commits the files of this checkout, changed or not, into a repository of its own.
func commit(checkout string) error {
	script := `set -e; mkdir -p "$1"; git ls-files -z -co --exclude-standard | xargs -0 sh -c 'for f; do [ ! -e "$f" ] || echo "$f"; done' - |
		tar -c -T - | tar -x -C "$1"; cd "$1"; git init -q; git add -A -f; git commit -q -m release; git tag v9.9.9`
	command := exec.Command("sh", "-c", script, "-", checkout)
	command.Dir = ".."
	command.Env = append(os.Environ(),
		"GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@example.org", "GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@example.org",
		"GIT_AUTHOR_DATE=1750000000 +0000", "GIT_COMMITTER_DATE=1750000000 +0000")
	return said(command)
}

// said runs a command, and returns an error with what it said.
func said(command *exec.Cmd) error {
	if output, err := command.CombinedOutput(); err != nil {
		return errors.Join(err, errors.New(string(output)))
	}
	return nil
}

// releaseTwice makes a release from a checkout and one from its clone, which has no tags and another name.
func releaseTwice(t *testing.T) error {
	t.Helper()
	checkout, clone := filepath.Join(filepath.Dir(made.first), "checkout"), filepath.Join(filepath.Dir(made.second), "a clone")
	if err := errors.Join(commit(checkout), said(exec.Command("git", "clone", "-q", "--no-tags", checkout, clone))); err != nil {
		return err
	}
	for root, out := range map[string]string{checkout: made.first, clone: made.second} {
		o := options{root: root, out: out, version: version, prefix: defaultPrefix, platforms: build.All[:1]}
		if err := makeAll(t.Context(), o, t.Output()); err != nil {
			return err
		}
	}
	return nil
}

func TestRelease_TwoCheckoutsGiveTheSameBytes(t *testing.T) {
	first := content(t, dist(t))
	second := content(t, made.second)
	if len(first) < 15 {
		t.Errorf("a release has only the files %v", first)
	}
	for name, data := range first {
		if !bytes.Equal(data, second[name]) {
			t.Errorf("%s differs", name)
		}
		delete(second, name)
	}
	for name := range second {
		t.Errorf("%s is in the second release only", name)
	}
}

// content reads all files of a folder.
func content(t *testing.T, folder string) map[string][]byte {
	t.Helper()
	files := map[string][]byte{}
	err := filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		name, err := filepath.Rel(folder, path)
		if err != nil {
			return err
		}
		files[name], err = os.ReadFile(path)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func TestRelease_ProgramsSayVersionCommitAndDate(t *testing.T) {
	for _, program := range build.Programs {
		output, err := exec.Command(filepath.Join(dist(t), "bin", "linux_amd64", program.Name), "--version").Output()
		if err != nil {
			t.Fatal(err)
		}
		commit, err := exec.Command("git", "-C", filepath.Join(filepath.Dir(made.first), "checkout"), "rev-parse", "HEAD").Output()
		if err != nil {
			t.Fatal(err)
		}
		want := version + " (commit " + strings.TrimSpace(string(commit)) + " of 2025-06-15T15:06:40Z, go"
		if !strings.Contains(string(output), want) {
			t.Errorf("%s says %q, without %q", program.Name, output, want)
		}
	}
}

func TestRelease_ChecksumsAreThoseThatSha256sumMakes(t *testing.T) {
	command := exec.Command("sha256sum", "--check", "--strict", checksum.File)
	command.Dir = dist(t)
	if output, err := command.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, output)
	}
	entries, err := os.ReadDir(dist(t))
	if err != nil {
		t.Fatal(err)
	}
	list, err := os.ReadFile(filepath.Join(dist(t), checksum.File))
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		if !entry.IsDir() && entry.Name() != checksum.File && !strings.Contains(string(list), "  "+entry.Name()+"\n") {
			t.Errorf("%s is not listed", entry.Name())
		}
	}
}

func TestRelease_RefusesWhatCannotBeMadeAgain(t *testing.T) {
	checkout := t.TempDir()
	script := `git init -q && git -c user.name=a -c user.email=a@example.org commit -q --allow-empty -m a && touch changed`
	command := exec.Command("sh", "-c", script)
	command.Dir = checkout
	if output, err := command.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	for _, test := range []struct{ name, version, want string }{
		{"a checkout with changes", "v1.2.3", "the checkout has changes"},
		{"no version", "latest", "is not of the form"},
		{"what git says of a clone without tags", "3db9567", "name one, as make release VERSION=v1.2.3"},
		{"nothing, as where there is no git", "", "name one, as make release VERSION=v1.2.3"},
		{"half a version", "v1.2", "is not of the form"},
		{"build metadata, which no tag can have", "v1.2.3+a", "is not of the form"},
	} {
		t.Run(test.name, func(t *testing.T) {
			o := options{root: checkout, out: filepath.Join(checkout, "dist"), version: test.version, prefix: defaultPrefix}
			if err := makeAll(t.Context(), o, t.Output()); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want %q", err, test.want)
			}
		})
	}
}

// Who makes a release twice and compares may write both into the checkout.
func TestRelease_OneThatWasMadeBeforeIsNoChange(t *testing.T) {
	checkout := t.TempDir()
	script := `git init -q && git -c user.name=a -c user.email=a@example.org commit -q --allow-empty -m a &&
		mkdir -p "out/first one/bin" && cd "out/first one" && touch SHA256SUMS provenance.intoto.json bin/speaker`
	command := exec.Command("sh", "-c", script)
	command.Dir = checkout
	if output, err := command.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	for _, more := range []string{"", "out/beside", "SHA256SUMS", "provenance.intoto.json"} {
		if more != "" {
			if err := os.WriteFile(filepath.Join(checkout, more), nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if tree, err := source.Read(t.Context(), checkout); err != nil || tree.Dirty != (more != "") {
			t.Errorf("with %q beside, it has changes: %t, %v", more, tree.Dirty, err)
		}
	}
}

// What takes minutes to come to light is asked first.
func TestRelease_RefusesPrefixesAndKeysAtOnce(t *testing.T) {
	folder := t.TempDir()
	command := exec.Command("sh", "-c", `git init -q && git -c user.name=a -c user.email=a@example.org commit -q --allow-empty -m a`)
	command.Dir = folder
	if output, err := command.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	for _, prefix := range []string{"", "GHCR.io/Daymark", "ghcr.io/x/", "https://ghcr.io/x"} {
		o := options{root: folder, out: filepath.Join(folder, "dist"), version: version, prefix: prefix}
		if err := makeAll(t.Context(), o, t.Output()); err == nil || !strings.Contains(err.Error(), "the images' names cannot begin with") {
			t.Errorf("with the prefix %q: %v", prefix, err)
		}
	}
	o := options{root: folder, out: filepath.Join(folder, "dist"), version: version, prefix: defaultPrefix, key: filepath.Join(folder, "none")}
	if err := makeAll(t.Context(), o, t.Output()); err == nil || !strings.Contains(err.Error(), "read the key") {
		t.Errorf("with a key that is not there: %v", err)
	}
	for _, platforms := range []string{"linux/amd64,linux/amd64", "darwin/arm64"} {
		if _, err := build.Parse(platforms); err == nil {
			t.Errorf("%s are taken", platforms)
		}
	}
}

func TestRelease_RefusesAFolderWithSomethingInIt(t *testing.T) {
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, "old"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := prepare(folder); err == nil {
		t.Error("a release is made beside other files")
	}
}

// The folders of a user have spaces: none is taken for two, and what is removed is what is named.
func TestMake_TakesPathsWithSpaces(t *testing.T) {
	output, err := exec.Command("make", "--no-print-directory", "-C", "..", "-n", "release", "push", "VERSION=v1.2.3", "DIST=a folder", "KEY=/my keys/private.pem").CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, output)
	}
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"rm -rf 'a folder'\n", "--out '" + root + "/a folder'", "push '" + root + "/a folder'", "--key '/my keys/private.pem'"} {
		if !strings.Contains(string(output), want) {
			t.Errorf("there is no %s in\n%s", want, output)
		}
	}
}
