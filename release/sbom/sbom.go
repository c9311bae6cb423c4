// Package sbom writes the bill of materials of a program or an image in CycloneDX's JSON, from what the Go toolchain has written into
// the program. It refuses a program without that.
package sbom

import (
	"bytes"
	"crypto/sha1" //nolint:gosec // UUIDs of version 5 are made by it.
	"debug/buildinfo"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"runtime/debug"
	"strings"
	"time"

	"github.com/CycloneDX/cyclonedx-go"

	"github.com/daymark-lb/daymark/release/archive"
	"github.com/daymark-lb/daymark/release/licenses"
)

// Subject is what the bill is for.
type Subject struct {
	// Name and Version are those of the component.
	Name, Version string
	// PURL names it for other programs.
	PURL string
	// Image reports whether it is a container image, or else a program.
	Image bool
	// Hash is the SHA-256 of the file or manifest, in hexadecimal digits.
	Hash string
	// Commit and Time are those of the source.
	Commit string
	Time   time.Time
}

// maker is who wrote the bill and supplies what it is for.
const maker = "Daymark"

// Of writes the bill of a subject, which consists of the program in the file, and of nothing else. The texts are the licences that go along.
func Of(subject Subject, program string, texts []archive.File) ([]byte, error) {
	built, err := buildinfo.ReadFile(program)
	if err != nil {
		return nil, fmt.Errorf("read how %s was built: %w", program, err)
	}
	main := component(subject)
	bom := cyclonedx.NewBOM()
	bom.SerialNumber = "urn:uuid:" + uuid(subject.Hash)
	bom.Metadata = metadata(subject, &main)
	components := []cyclonedx.Component{licensed(standard(built.GoVersion), licenses.IDs(texts, licenses.Standard))}
	for _, module := range built.Deps {
		components = append(components, licensed(library(module), licenses.IDs(texts, module.Path+"@"+module.Version)))
	}
	var needs []string
	for _, c := range components {
		needs = append(needs, c.BOMRef)
	}
	bom.Components = &components
	bom.Dependencies = &[]cyclonedx.Dependency{{Ref: main.BOMRef, Dependencies: &needs}}
	all := cyclonedx.Composition{Aggregate: cyclonedx.CompositionAggregateComplete, Assemblies: &[]cyclonedx.BOMReference{cyclonedx.BOMReference(main.BOMRef)}}
	bom.Compositions = &[]cyclonedx.Composition{all}
	var text bytes.Buffer
	err = cyclonedx.NewBOMEncoder(&text, cyclonedx.BOMFileFormatJSON).SetPretty(true).Encode(bom)
	return text.Bytes(), err
}

// metadata says when, by whom and by what the bill was written.
func metadata(subject Subject, main *cyclonedx.Component) *cyclonedx.Metadata {
	tool := cyclonedx.Component{Type: cyclonedx.ComponentTypeApplication, Name: "daymark make release", Version: subject.Version}
	return &cyclonedx.Metadata{
		Timestamp: subject.Time.Format(time.RFC3339), Component: main,
		Tools:    &cyclonedx.ToolsChoice{Components: &[]cyclonedx.Component{tool}},
		Authors:  &[]cyclonedx.OrganizationalContact{{Name: maker}},
		Supplier: &cyclonedx.OrganizationalEntity{Name: maker, URL: &[]string{"https://github.com/daymark-lb/daymark"}},
	}
}

// licensed is a component with its licences.
func licensed(c cyclonedx.Component, ids []string) cyclonedx.Component {
	if len(ids) > 0 {
		c.Licenses = new(cyclonedx.Licenses)
	}
	for _, id := range ids {
		*c.Licenses = append(*c.Licenses, cyclonedx.LicenseChoice{License: &cyclonedx.License{ID: id}})
	}
	return c
}

// component describes the subject itself.
func component(subject Subject) cyclonedx.Component {
	kind := cyclonedx.ComponentTypeApplication
	if subject.Image {
		kind = cyclonedx.ComponentTypeContainer
	}
	return cyclonedx.Component{
		BOMRef: subject.PURL, Type: kind, Name: subject.Name, Version: subject.Version, PackageURL: subject.PURL,
		Hashes:     &[]cyclonedx.Hash{{Algorithm: cyclonedx.HashAlgoSHA256, Value: subject.Hash}},
		Supplier:   &cyclonedx.OrganizationalEntity{Name: maker},
		Licenses:   &cyclonedx.Licenses{{License: &cyclonedx.License{ID: "Apache-2.0"}}},
		Properties: &[]cyclonedx.Property{{Name: "daymark:commit", Value: subject.Commit}},
	}
}

// library describes a module that is compiled in: what replaces it, if anything does.
func library(module *debug.Module) cyclonedx.Component {
	if module.Replace != nil {
		module = module.Replace
	}
	purl := "pkg:golang/" + module.Path + "@" + module.Version
	c := cyclonedx.Component{
		BOMRef: purl, Type: cyclonedx.ComponentTypeLibrary, Name: module.Path, Version: module.Version, PackageURL: purl,
		Scope: cyclonedx.ScopeRequired,
	}
	// h1: is a SHA-256 over the list of the module's files.
	if sum, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(module.Sum, "h1:")); err == nil && len(sum) > 0 {
		c.Hashes = &[]cyclonedx.Hash{{Algorithm: cyclonedx.HashAlgoSHA256, Value: hex.EncodeToString(sum)}}
	}
	return c
}

// standard describes Go's standard library.
func standard(version string) cyclonedx.Component {
	version = strings.TrimPrefix(version, "go")
	purl := "pkg:golang/std@" + version
	return cyclonedx.Component{
		BOMRef: purl, Type: cyclonedx.ComponentTypeLibrary, Name: "std", Version: version, PackageURL: purl, Scope: cyclonedx.ScopeRequired,
	}
}

// uuid is one of version 5 (RFC 9562 section 5.5), so that the same subject has the same.
func uuid(name string) string {
	sum := sha1.Sum([]byte("https://github.com/daymark-lb/daymark/" + name)) //nolint:gosec // As RFC 9562 says.
	sum[6], sum[8] = sum[6]&0x0f|0x50, sum[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", sum[:4], sum[4:6], sum[6:8], sum[8:10], sum[10:16])
}
