package main

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/CycloneDX/cyclonedx-go"
	"helm.sh/helm/v4/pkg/chart/v2/loader"

	"github.com/daymark-lb/daymark/release/chart"
	"github.com/daymark-lb/daymark/release/checksum"
	"github.com/daymark-lb/daymark/release/provenance"
)

// readFile reads a file of the release.
func readFile(t *testing.T, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dist(t), name))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestSBOM_NamesTheModulesThatGoNames(t *testing.T) {
	program := filepath.Join(dist(t), "bin", "linux_amd64", "speaker")
	said, err := exec.Command("go", "version", "-m", program).Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{"speaker_v1.2.3_linux_amd64.cdx.json", "image-speaker_v1.2.3_linux_amd64.cdx.json"} {
		bom := new(cyclonedx.BOM)
		if err := cyclonedx.NewBOMDecoder(bytes.NewReader(readFile(t, file)), cyclonedx.BOMFileFormatJSON).Decode(bom); err != nil {
			t.Fatal(err)
		}
		named := map[string]bool{}
		for _, c := range *bom.Components {
			named[c.Name+"@"+c.Version] = true
		}
		for line := range strings.Lines(string(said)) {
			if words := strings.Fields(line); words[0] == "dep" && !named[words[1]+"@"+words[2]] {
				t.Errorf("%s has no %s %s", file, words[1], words[2])
			}
		}
		if deps := bytes.Count(said, []byte("\tdep\t")); deps < 40 || len(named) != deps+1 {
			t.Errorf("%s has %d components; Go names %d modules, and the standard library is one more", file, len(named), deps)
		}
	}
}

// What the NTIA asks of a bill of materials, and a licence that SPDX knows for each module.
func TestSBOM_HasTheLicencesAndWhoWroteIt(t *testing.T) {
	for _, file := range []string{"kubectl-daymark_v1.2.3_linux_amd64.cdx.json", "image-speaker_v1.2.3_linux_amd64.cdx.json"} {
		var bom cyclonedx.BOM
		if err := json.Unmarshal(readFile(t, file), &bom); err != nil {
			t.Fatal(err)
		}
		if m := bom.Metadata; m.Authors == nil || m.Supplier == nil || m.Tools == nil || m.Timestamp == "" || bom.Compositions == nil {
			t.Errorf("%s does not say who wrote it, when and by what, or whether it is complete: %+v", file, m)
		}
		for _, c := range *bom.Components {
			if c.Licenses == nil || len(*c.Licenses) == 0 {
				t.Errorf("%s has no licence of %s", file, c.Name)
			}
		}
	}
}

func TestSBOM_IsForTheFileOrImageItIsNamedAfter(t *testing.T) {
	sum, err := checksum.Sum(filepath.Join(dist(t), "bin", "linux_amd64", "speaker"))
	if err != nil {
		t.Fatal(err)
	}
	digest, err := pulled(t, served(t), "speaker").Digest()
	if err != nil {
		t.Fatal(err)
	}
	for file, want := range map[string]string{
		"speaker_v1.2.3_linux_amd64.cdx.json": sum, "image-speaker_v1.2.3_linux_amd64.cdx.json": digest.Hex,
	} {
		var bom cyclonedx.BOM
		if err := json.Unmarshal(readFile(t, file), &bom); err != nil {
			t.Fatal(err)
		}
		if got := (*bom.Metadata.Component.Hashes)[0].Value; got != want {
			t.Errorf("%s is for %s, want %s", file, got, want)
		}
	}
}

func TestProvenance_NamesSourceToolchainAndWhatWasMade(t *testing.T) {
	var statement provenance.Statement
	if err := json.Unmarshal(readFile(t, provenanceFile), &statement); err != nil {
		t.Fatal(err)
	}
	subjects := map[string]string{}
	for _, subject := range statement.Subject {
		subjects[subject.Name] = subject.Digest["sha256"]
	}
	for line := range strings.Lines(string(readFile(t, checksum.File))) {
		words := strings.Fields(line)
		if words[1] != provenanceFile && subjects[words[1]] != words[0] {
			t.Errorf("of %s the statement has the digest %q, want %s", words[1], subjects[words[1]], words[0])
		}
	}
	install := string(readFile(t, "install.yaml"))
	for _, program := range []string{"controller", "speaker"} {
		if digest := subjects["ghcr.io/daymark-lb/"+program]; digest == "" || !strings.Contains(install, "@sha256:"+digest) {
			t.Errorf("of the image %s the statement has the digest %q, and install.yaml another", program, digest)
		}
	}
	definition := statement.Predicate.BuildDefinition
	if len(definition.ResolvedDependencies[0].Digest["gitCommit"]) != 40 || !strings.HasPrefix(definition.InternalParameters["go"], "go1.") ||
		definition.ExternalParameters["version"] != version || len(definition.ResolvedDependencies) < 40 {
		t.Errorf("the build is described as %+v", definition)
	}
}

func TestKrew_ValidatorAcceptsTheManifest(t *testing.T) {
	command := exec.Command("go", "tool", "-modfile=krew/validator/go.mod", "validate-krew-manifest", "-skip-install",
		"-manifest", filepath.Join(dist(t), "daymark.yaml"))
	if output, err := command.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, output)
	}
	sum, err := checksum.Sum(filepath.Join(dist(t), "kubectl-daymark_v1.2.3_linux_amd64.tar.gz"))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(readFile(t, "daymark.yaml")), "sha256: "+sum) {
		t.Error("the manifest has another checksum than the archive")
	}
}

func TestChart_IsTheReleasedOneAndGivesTheImagesOfTheManifest(t *testing.T) {
	packed := filepath.Join(dist(t), "daymark-1.2.3.tgz")
	c, err := loader.Load(packed)
	if err != nil {
		t.Fatal(err)
	}
	if c.Metadata.Version != "1.2.3" || c.Metadata.AppVersion != version {
		t.Errorf("the chart is of %s and %s", c.Metadata.Version, c.Metadata.AppVersion)
	}
	files, err := chart.Render(packed, map[string]any{})
	if err != nil {
		t.Fatal(err)
	}
	var rendered strings.Builder
	for _, file := range files {
		rendered.WriteString(file.Text)
	}
	images := 0
	for line := range strings.Lines(string(readFile(t, "install.yaml"))) {
		if _, reference, isImage := strings.Cut(line, " image: "); isImage {
			images++
			if !strings.Contains(rendered.String(), strings.TrimSpace(reference)) {
				t.Errorf("the chart does not give the image %s", reference)
			}
		}
	}
	if images == 0 {
		t.Error("install.yaml has no images")
	}
}
