package main

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"sigs.k8s.io/yaml"

	"github.com/daymark-lb/daymark/release/archive"
	"github.com/daymark-lb/daymark/release/build"
	"github.com/daymark-lb/daymark/release/checksum"
	"github.com/daymark-lb/daymark/release/image"
	"github.com/daymark-lb/daymark/release/provenance"
	"github.com/daymark-lb/daymark/release/source"
)

// everywhere makes all of a release for all platforms but the programs: to compile them takes half an hour, so for each stands a small
// one of this machine's.
func everywhere(t *testing.T) maker {
	t.Helper()
	folder := t.TempDir()
	program := smallProgram(t, folder)
	checkout, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	m := maker{
		options: options{root: checkout, out: filepath.Join(folder, "dist"), version: version, prefix: defaultPrefix, platforms: build.All},
		tree:    source.Tree{Root: checkout, Commit: strings.Repeat("a", 40), Time: time.Unix(1750000000, 0).UTC()},
	}
	if err := prepare(m.out); err != nil {
		t.Fatal(err)
	}
	for _, platform := range build.All {
		for _, p := range build.Programs {
			if p.Runs(platform) {
				binary := build.Binary{Program: p, Platform: platform, Path: copied(t, program, build.Path(filepath.Join(folder, platform.File()), p, platform))}
				m.built = append(m.built, image.Part{Binary: binary, Licenses: []archive.File{{Name: "module@v1/LICENSE", Mode: 0o644, Data: []byte("do as you like")}}})
			}
		}
	}
	for _, step := range m.steps()[1:] {
		if err := step.do(t.Context()); err != nil {
			t.Fatalf("make the %s: %v", step.name, err)
		}
	}
	return m
}

// smallProgram builds a program that does nothing.
func smallProgram(t *testing.T, folder string) string {
	t.Helper()
	text, path := filepath.Join(folder, "main.go"), filepath.Join(folder, "program")
	if err := os.WriteFile(text, []byte("package main\n\nfunc main() {}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := said(exec.Command("go", "build", "-o", path, text)); err != nil {
		t.Fatal(err)
	}
	return path
}

func copied(t *testing.T, from, to string) string {
	t.Helper()
	if err := errors.Join(os.MkdirAll(filepath.Dir(to), 0o755), os.Link(from, to)); err != nil {
		t.Fatal(err)
	}
	return to
}

func TestRelease_HasEveryPlatform(t *testing.T) {
	m := everywhere(t)
	daemons := []string{"linux/amd64", "linux/arm64", "linux/arm/v7", "linux/riscv64", "linux/ppc64le", "linux/s390x"}
	t.Run("archives", func(t *testing.T) { archivesAreThere(t, m.out) })
	t.Run("images", func(t *testing.T) {
		for _, program := range []string{"controller", "speaker"} {
			if got := platformsOf(t, filepath.Join(m.out, "images", program)); !slices.Equal(got, daemons) {
				t.Errorf("the index of %s has %v, want %v", program, got, daemons)
			}
		}
	})
	t.Run("krew", func(t *testing.T) { krewHasPlatforms(t, m.out) })
	t.Run("checksums, and what is known of each file", func(t *testing.T) { recordsAreThere(t, m.out, daemons) })
}

// archivesAreThere looks for the archive of each program for each platform, and into each.
func archivesAreThere(t *testing.T, out string) {
	files := content(t, out)
	inside := map[string][]string{}
	for name, data := range files {
		switch {
		case strings.HasSuffix(name, ".zip"):
			inside[name] = inZip(t, data)
		case strings.HasSuffix(name, ".tar.gz"):
			inside[name] = inTarGz(t, data)
		}
	}
	for _, platform := range []string{"linux_amd64", "linux_arm64", "linux_armv7", "linux_riscv64", "linux_ppc64le", "linux_s390x", "darwin_amd64", "darwin_arm64"} {
		for _, program := range []string{"controller", "speaker", "kubectl-daymark"} {
			name, want := program+"_v1.2.3_"+platform+".tar.gz", []string{"LICENSE", program, "licenses/module@v1/LICENSE"}
			if program == "kubectl-daymark" {
				want = append(want, "kubectl_complete-daymark")
			} else if !strings.HasPrefix(platform, "linux_") {
				want = nil
			}
			slices.Sort(want)
			if !slices.Equal(inside[name], want) {
				t.Errorf("%s has %v, want %v", name, inside[name], want)
			}
			delete(inside, name)
		}
	}
	const windows = "kubectl-daymark_v1.2.3_windows_amd64.zip"
	if want := []string{"LICENSE", "kubectl-daymark.exe", "licenses/module@v1/LICENSE"}; !slices.Equal(inside[windows], want) {
		t.Errorf("%s has %v, want %v", windows, inside[windows], want)
	}
	delete(inside, windows)
	for name := range inside {
		t.Errorf("%s is of no platform", name)
	}
}

func inZip(t *testing.T, data []byte) (names []string) {
	t.Helper()
	reader, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range reader.File {
		names = append(names, file.Name)
	}
	slices.Sort(names)
	return names
}

func inTarGz(t *testing.T, data []byte) (names []string) {
	t.Helper()
	plain, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	for reader := tar.NewReader(plain); ; {
		header, err := reader.Next()
		if errors.Is(err, io.EOF) {
			slices.Sort(names)
			return names
		} else if err != nil {
			t.Fatal(err)
		}
		if header.Typeflag == tar.TypeReg {
			names = append(names, header.Name)
		}
	}
}

// platformsOf are those of an index, and of the configuration of each image in it, as a container runtime chooses by the first and
// looks at the second.
func platformsOf(t *testing.T, folder string) (all []string) {
	t.Helper()
	layout, err := image.Read(folder)
	if err != nil {
		t.Fatal(err)
	}
	manifest, err := layout.Index.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range manifest.Manifests {
		one, err := layout.Index.Image(d.Digest)
		if err != nil {
			t.Fatal(err)
		}
		config, err := one.ConfigFile()
		if err != nil {
			t.Fatal(err)
		}
		if said := config.Platform().String(); said != d.Platform.String() {
			t.Errorf("the image for %s says that it is for %s", d.Platform, said)
		}
		all = append(all, d.Platform.String())
	}
	return all
}

// krewHasPlatforms looks at the plugin's manifest, by krew's own eyes too.
func krewHasPlatforms(t *testing.T, out string) {
	path := filepath.Join(out, "daymark.yaml")
	if err := said(exec.Command("go", "tool", "-modfile=krew/validator/go.mod", "validate-krew-manifest", "-skip-install", "-manifest", path)); err != nil {
		t.Error(err)
	}
	var plugin struct {
		Spec struct {
			Platforms []struct {
				Selector struct{ MatchLabels map[string]string }
				URI, Bin string
			}
		}
	}
	if err := yaml.Unmarshal(content(t, out)["daymark.yaml"], &plugin); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, p := range plugin.Spec.Platforms {
		_, file, _ := strings.Cut(p.URI, "_v1.2.3_")
		got = append(got, strings.Join([]string{p.Selector.MatchLabels["os"], p.Selector.MatchLabels["arch"], p.Bin, file}, " "))
	}
	want := []string{
		"linux amd64 kubectl-daymark linux_amd64.tar.gz", "linux arm64 kubectl-daymark linux_arm64.tar.gz", "linux arm kubectl-daymark linux_armv7.tar.gz",
		"darwin amd64 kubectl-daymark darwin_amd64.tar.gz", "darwin arm64 kubectl-daymark darwin_arm64.tar.gz",
		"windows amd64 kubectl-daymark.exe windows_amd64.zip",
	}
	if !slices.Equal(got, want) {
		t.Errorf("krew installs on\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// recordsAreThere looks for the checksum, the bill of materials and the provenance of what is made for each platform.
func recordsAreThere(t *testing.T, out string, daemons []string) {
	files := content(t, out)
	list := string(files[checksum.File])
	for _, platform := range build.All {
		for _, program := range build.Programs {
			if !program.Runs(platform) {
				continue
			}
			bills := []string{program.Name + "_v1.2.3_" + platform.File() + ".cdx.json"}
			if slices.Contains(daemons, platform.String()) && program.Daemon {
				bills = append(bills, "image-"+bills[0])
			}
			for _, bill := range bills {
				if !strings.Contains(list, "  "+bill+"\n") || len(files[bill]) == 0 {
					t.Errorf("%s is not listed, or not there", bill)
				}
			}
		}
	}
	var statement provenance.Statement
	if err := json.Unmarshal(files[provenanceFile], &statement); err != nil {
		t.Fatal(err)
	}
	want := fmt.Sprint(append(slices.Clone(daemons), "darwin/amd64", "darwin/arm64", "windows/amd64"))
	if got := fmt.Sprint(statement.Predicate.BuildDefinition.ExternalParameters["platforms"]); got != want {
		t.Errorf("the provenance is of the platforms %s, want %s", got, want)
	}
}
