package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"time"

	"github.com/google/go-containerregistry/pkg/name"

	"github.com/daymark-lb/daymark/release/archive"
	"github.com/daymark-lb/daymark/release/build"
	"github.com/daymark-lb/daymark/release/image"
	"github.com/daymark-lb/daymark/release/krew"
	"github.com/daymark-lb/daymark/release/licenses"
	"github.com/daymark-lb/daymark/release/manifests"
	"github.com/daymark-lb/daymark/release/sign"
	"github.com/daymark-lb/daymark/release/source"
)

// defaultPrefix is what the names of images in config/ begin with.
const defaultPrefix = "ghcr.io/daymark-lb"

// prefix is a registry, by name or by address, and a path in it.
var prefix = regexp.MustCompile(`^([a-z0-9.-]+|\[[0-9a-f:.]+\])(:[0-9]{1,5})?(/[a-z0-9]+([._-]+[a-z0-9]+)*)*$`)

// options of make.
type options struct {
	root, out, version, prefix string
	// key is the file with the private key to sign with, or empty.
	key       string
	platforms []build.Platform
}

// maker makes one release.
type maker struct {
	options
	tree source.Tree
	// built are the programs, each with its licences.
	built []image.Part
	// images are those made.
	images []manifests.Image
}

// step makes one part of a release.
type step struct {
	name string
	do   func(context.Context) error
}

// steps are all, in the order in which one part needs another.
func (m *maker) steps() []step {
	return []step{
		{"programs", m.programs},
		{"archives", m.archives},
		{"images", m.layouts},
		{"manifests", m.manifests},
		{"chart", m.chart},
		{"plugin", m.krew},
		{"SBOMs", m.sboms},
		{"provenance", m.provenance},
		{"checksums", m.checksums},
	}
}

// makeAll makes a release.
func makeAll(ctx context.Context, o options, out io.Writer) error {
	m := maker{options: o}
	var err error
	if m.tree, err = source.Read(ctx, o.root); err != nil {
		return err
	}
	if err := errors.Join(m.tree.Check(o.version), o.check()); err != nil {
		return err
	}
	if err := prepare(o.out); err != nil {
		return err
	}
	for _, step := range m.steps() {
		begin := time.Now()
		if err := step.do(ctx); err != nil {
			return fmt.Errorf("make the %s: %w", step.name, err)
		}
		fmt.Fprintf(out, "  ✓ %-10s %v\n", step.name, time.Since(begin).Round(time.Millisecond))
	}
	return nil
}

// check reports what would end a release only after all programs have been compiled.
func (o options) check() error {
	if !prefix.MatchString(o.prefix) {
		return fmt.Errorf("the images' names cannot begin with %q: name a registry and a path, as ghcr.io/daymark-lb", o.prefix)
	}
	if o.key == "" {
		return nil
	}
	_, err := sign.Read(o.key)
	return err
}

// prepare makes the folder, and refuses one with something in it: the checksums list all that is there.
func prepare(folder string) error {
	entries, err := os.ReadDir(folder)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if len(entries) > 0 {
		return fmt.Errorf("the folder %s is not empty", folder)
	}
	return os.MkdirAll(folder, 0o755) //nolint:gosec // It is published.
}

// programs compiles one platform after another: each fills all processors.
func (m *maker) programs(ctx context.Context) error {
	for _, platform := range m.platforms {
		folder, err := filepath.Abs(filepath.Join(m.out, "bin", platform.File()))
		if err != nil {
			return err
		}
		binaries, err := build.Compile(ctx, m.tree, m.version, platform, folder)
		if err != nil {
			return err
		}
		for _, binary := range binaries {
			texts, err := licenses.Of(ctx, m.tree, binary.Program, platform)
			if err != nil {
				return err
			}
			m.built = append(m.built, image.Part{Binary: binary, Licenses: texts})
		}
	}
	return nil
}

// archives packs each program with the licences.
func (m *maker) archives(context.Context) error {
	for _, part := range m.built {
		if err := m.pack(part); err != nil {
			return fmt.Errorf("pack %s: %w", part.Binary.Path, err)
		}
	}
	return nil
}

func (m *maker) pack(part image.Part) error {
	files, err := m.content(part)
	if err != nil {
		return err
	}
	pack := archive.TarGz
	if part.Binary.Platform.OS == "windows" {
		pack = archive.Zip
	}
	data, err := pack(files, m.tree.Time)
	if err != nil {
		return err
	}
	return m.write(m.archive(part), data)
}

// archive is the name of a program's archive.
func (m *maker) archive(part image.Part) string {
	extension := ".tar.gz"
	if part.Binary.Platform.OS == "windows" {
		extension = ".zip"
	}
	return part.Binary.Name + "_" + m.version + "_" + part.Binary.Platform.File() + extension
}

// content is what an archive has in it.
func (m *maker) content(part image.Part) ([]archive.File, error) {
	program, err := os.ReadFile(part.Binary.Path)
	if err != nil {
		return nil, err
	}
	license, err := os.ReadFile(filepath.Join(m.root, "LICENSE"))
	if err != nil {
		return nil, err
	}
	files := []archive.File{
		{Name: filepath.Base(part.Binary.Path), Mode: 0o755, Data: program},
		{Name: "LICENSE", Mode: 0o644, Data: license},
	}
	if part.Binary.Name == krew.Program && part.Binary.Platform.OS != "windows" {
		files = append(files, archive.File{Name: krew.Completer, Mode: 0o755, Data: []byte(krew.CompleterScript)})
	}
	for _, text := range part.Licenses {
		text.Name = "licenses/" + text.Name
		files = append(files, text)
	}
	return files, nil
}

// layouts writes the image of each daemon. Without a platform that has daemons there is none.
func (m *maker) layouts(context.Context) error {
	for _, program := range build.Programs {
		parts := m.parts(program)
		if !program.Daemon || len(parts) == 0 {
			continue
		}
		index, err := image.Index(m.tree, m.version, program.Name, parts)
		if err != nil {
			return err
		}
		tag, err := name.NewTag(m.prefix+"/"+program.Name+":"+m.version, name.StrictValidation)
		if err != nil {
			return err
		}
		digest, err := image.Write(filepath.Join(m.out, "images", program.Name), image.Layout{Name: tag, Index: index})
		if err != nil {
			return err
		}
		m.images = append(m.images, manifests.Image{
			Default: defaultPrefix + "/" + program.Name, Name: tag.Context().Name(), Version: m.version, Digest: digest.String(),
		})
	}
	return nil
}

// parts are the builds of a program.
func (m *maker) parts(program build.Program) []image.Part {
	var parts []image.Part
	for _, part := range m.built {
		if part.Binary.Program == program {
			parts = append(parts, part)
		}
	}
	return parts
}

// manifests writes what kubectl applies.
func (m *maker) manifests(context.Context) error {
	if len(m.images) == 0 {
		return nil
	}
	install, err := manifests.Install(m.root, m.images)
	if err != nil {
		return err
	}
	crds, err := manifests.CRDs(m.root)
	if err != nil {
		return err
	}
	return errors.Join(
		m.write("install.yaml", manifests.Head("Daymark "+m.version+". Installs everything: kubectl apply -f install.yaml", install)),
		m.write("crds.yaml", manifests.Head("Daymark "+m.version+". The kinds alone: kubectl apply -f crds.yaml", crds)),
	)
}

// write writes a file of the release.
func (m *maker) write(name string, data []byte) error {
	return os.WriteFile(filepath.Join(m.out, name), data, 0o644) //nolint:gosec // It is published.
}
