package main

import (
	"context"
	"debug/buildinfo"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/daymark-lb/daymark/release/build"
	"github.com/daymark-lb/daymark/release/chart"
	"github.com/daymark-lb/daymark/release/checksum"
	"github.com/daymark-lb/daymark/release/image"
	"github.com/daymark-lb/daymark/release/krew"
	"github.com/daymark-lb/daymark/release/provenance"
	"github.com/daymark-lb/daymark/release/sbom"
	"github.com/daymark-lb/daymark/release/sign"
)

// provenanceFile is the name of the statement.
const provenanceFile = "provenance.intoto.json"

// chart packs the chart with the images of the release.
func (m *maker) chart(context.Context) error {
	if len(m.images) == 0 {
		return nil
	}
	digests := map[string]string{}
	for _, i := range m.images {
		digests[filepath.Base(i.Name)] = i.Digest
	}
	return chart.Archive(filepath.Join(m.root, "config", "chart"), m.out,
		chart.Release{Version: m.version, Prefix: m.prefix, Digests: digests, Time: m.tree.Time})
}

// krew describes the plugin to krew, for the platforms that krew knows.
func (m *maker) krew(context.Context) error {
	var archives []krew.Archive
	for _, part := range m.built {
		if part.Binary.Daemon || !krew.Knows(part.Binary.Platform) {
			continue
		}
		file := m.archive(part)
		sum, err := checksum.Sum(filepath.Join(m.out, file))
		if err != nil {
			return err
		}
		archives = append(archives, krew.Archive{Platform: part.Binary.Platform, File: file, Sum: sum})
	}
	if len(archives) == 0 {
		return nil
	}
	text, err := krew.Manifest(m.version, archives)
	if err != nil {
		return err
	}
	return m.write("daymark.yaml", text)
}

// sboms writes a bill of materials for each program and for the image of each platform.
func (m *maker) sboms(context.Context) error {
	for _, part := range m.built {
		sum, err := checksum.Sum(part.Binary.Path)
		if err != nil {
			return err
		}
		subject := sbom.Subject{
			Name: part.Binary.Name, Version: m.version, Hash: sum, Commit: m.tree.Revision(), Time: m.tree.Time,
			PURL: "pkg:golang/github.com/daymark-lb/daymark@" + m.version + "?os=" + part.Binary.Platform.OS + "&arch=" +
				part.Binary.Platform.Arch + "#" + strings.TrimPrefix(part.Binary.Package, "./"),
		}
		if err := m.bill(subject, part, ""); err != nil {
			return err
		}
	}
	return m.imageBills()
}

// bill writes one bill of materials.
func (m *maker) bill(subject sbom.Subject, part image.Part, prefix string) error {
	text, err := sbom.Of(subject, part.Binary.Path, part.Licenses)
	if err != nil {
		return err
	}
	return m.write(prefix+part.Binary.Name+"_"+m.version+"_"+part.Binary.Platform.File()+".cdx.json", text)
}

func (m *maker) imageBills() error {
	for _, made := range m.images {
		program := filepath.Base(made.Name)
		layout, err := image.Read(filepath.Join(m.out, "images", program))
		if err != nil {
			return err
		}
		manifest, err := layout.Index.IndexManifest()
		if err != nil {
			return err
		}
		for _, part := range m.built {
			if part.Binary.Name != program {
				continue
			}
			digest, err := digestFor(manifest, part.Binary.Platform)
			if err != nil {
				return err
			}
			subject := sbom.Subject{
				Name: made.Name, Version: m.version, Hash: digest.Hex, Image: true, Commit: m.tree.Revision(), Time: m.tree.Time,
				PURL: fmt.Sprintf("pkg:oci/%s@%s?arch=%s&repository_url=%s&tag=%s",
					program, digest, part.Binary.Platform.Arch, made.Name, m.version),
			}
			if err := m.bill(subject, part, "image-"); err != nil {
				return err
			}
		}
	}
	return nil
}

// digestFor is that of the image for a platform.
func digestFor(manifest *v1.IndexManifest, platform build.Platform) (v1.Hash, error) {
	for _, d := range manifest.Manifests {
		if d.Platform.OS == platform.OS && d.Platform.Architecture == platform.Arch && d.Platform.Variant == platform.Variant {
			return d.Digest, nil
		}
	}
	return v1.Hash{}, fmt.Errorf("the index has no image for %v", platform)
}

// provenance writes from what the files that are there, and the images, were made.
func (m *maker) provenance(context.Context) error {
	b := provenance.Build{Version: m.version, Prefix: m.prefix, Commit: m.tree.Revision(), Time: m.tree.Time}
	for _, platform := range m.platforms {
		b.Platforms = append(b.Platforms, platform.String())
	}
	names, err := checksum.Names(m.out)
	if err != nil {
		return err
	}
	for _, name := range names {
		sum, err := checksum.Sum(filepath.Join(m.out, name))
		if err != nil {
			return err
		}
		b.Subjects = append(b.Subjects, provenance.Resource{Name: name, Digest: map[string]string{"sha256": sum}})
	}
	for _, i := range m.images {
		digest := map[string]string{"sha256": strings.TrimPrefix(i.Digest, "sha256:")}
		b.Subjects = append(b.Subjects, provenance.Resource{Name: i.Name, Digest: digest})
	}
	if b.Materials, b.Go, err = m.materials(); err != nil {
		return err
	}
	text, err := provenance.Of(b)
	if err != nil {
		return err
	}
	return m.write(provenanceFile, text)
}

// materials are the modules that are compiled into any program, and the version of Go.
func (m *maker) materials() (modules []provenance.Resource, goVersion string, err error) {
	sums := map[string]string{}
	for _, part := range m.built {
		built, err := buildinfo.ReadFile(part.Binary.Path)
		if err != nil {
			return nil, "", err
		}
		goVersion = built.GoVersion
		for _, module := range built.Deps {
			sums["pkg:golang/"+module.Path+"@"+module.Version] = module.Sum
		}
	}
	for uri, sum := range sums {
		modules = append(modules, provenance.Resource{URI: uri, Digest: map[string]string{"goModuleH1": sum}})
	}
	slices.SortFunc(modules, func(a, b provenance.Resource) int { return strings.Compare(a.URI, b.URI) })
	return modules, goVersion, nil
}

// checksums lists all files, and signs the list when there is a key.
func (m *maker) checksums(context.Context) error {
	list, err := checksum.Write(m.out)
	if err != nil || m.key == "" {
		return err
	}
	key, err := sign.Read(m.key)
	if err != nil {
		return err
	}
	signature, err := key.Sign(list)
	if err != nil {
		return err
	}
	return m.write(checksum.File+".sig", []byte(signature+"\n"))
}
