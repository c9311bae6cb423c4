// Package image makes the images of the daemons, an OCI index each with one image for every platform, and writes and reads OCI layouts.
// No container engine and no base image takes part. It refuses to hold anything but the program and the licence texts.
package image

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"os"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/daymark-lb/daymark/release/archive"
	"github.com/daymark-lb/daymark/release/build"
	"github.com/daymark-lb/daymark/release/source"
)

// users are whom the programs run as. The controller needs no rights on its node. The speaker needs NET_RAW and NET_ADMIN; Kubernetes
// gives the capabilities that a pod asks for to processes of user 0 only, and allowPrivilegeEscalation: false forbids those of files.
var users = map[string]string{"controller": "65532:65532", "speaker": "0:0"}

// titles are what the images say of themselves.
var titles = map[string]string{
	"controller": "Assigns addresses to Services of type LoadBalancer.",
	"speaker":    "Announces the addresses of Services by ARP, NDP and BGP.",
}

// Part is the image of one platform.
type Part struct {
	Binary build.Binary
	// Licenses are the texts that must go along.
	Licenses []archive.File
}

// Index makes the image of a daemon for all platforms of the parts.
func Index(tree source.Tree, version, name string, parts []Part) (v1.ImageIndex, error) {
	notes := annotations(tree, version, name)
	index := mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	for _, part := range parts {
		image, err := single(tree, part, notes)
		if err != nil {
			return nil, fmt.Errorf("make the image %s for %v: %w", name, part.Binary.Platform, err)
		}
		p := part.Binary.Platform
		index = mutate.AppendManifests(index, mutate.IndexAddendum{
			Add:        image,
			Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: p.OS, Architecture: p.Arch, Variant: p.Variant}},
		})
	}
	annotated, isIndex := mutate.Annotations(index, notes).(v1.ImageIndex)
	if !isIndex {
		return nil, fmt.Errorf("annotate the index of %s", name)
	}
	return annotated, nil
}

// single makes the image of one platform: a layer of licences, which most platforms share, and one with the program.
func single(tree source.Tree, part Part, notes map[string]string) (v1.Image, error) {
	program, err := os.ReadFile(part.Binary.Path)
	if err != nil {
		return nil, err
	}
	var licenses []archive.File
	for _, file := range part.Licenses {
		file.Name = "licenses/" + file.Name
		licenses = append(licenses, file)
	}
	name := part.Binary.Name
	var additions []mutate.Addendum
	for _, files := range [][]archive.File{licenses, {{Name: name, Mode: 0o555, Data: program}}} {
		layer, err := layer(tree, files)
		if err != nil {
			return nil, err
		}
		additions = append(additions, mutate.Addendum{
			Layer: layer, History: v1.History{Created: v1.Time{Time: tree.Time}, CreatedBy: "make release"},
		})
	}
	base := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	image, err := mutate.Append(base, additions...)
	if err != nil {
		return nil, err
	}
	return configure(image, tree, part.Binary, notes)
}

// configure says how the image is run and what it is.
func configure(image v1.Image, tree source.Tree, binary build.Binary, notes map[string]string) (v1.Image, error) {
	config, err := image.ConfigFile()
	if err != nil {
		return nil, err
	}
	config = config.DeepCopy()
	config.OS, config.Architecture, config.Variant = binary.Platform.OS, binary.Platform.Arch, binary.Platform.Variant
	config.Created = v1.Time{Time: tree.Time}
	config.Config = v1.Config{
		Entrypoint: []string{"/" + binary.Name}, User: users[binary.Name], WorkingDir: "/", Labels: notes,
	}
	if image, err = mutate.ConfigFile(image, config); err != nil {
		return nil, err
	}
	annotated, isImage := mutate.Annotations(image, notes).(v1.Image)
	if !isImage {
		return nil, fmt.Errorf("annotate the image %s", binary.Name)
	}
	return annotated, nil
}

// layer makes a layer of files.
func layer(tree source.Tree, files []archive.File) (v1.Layer, error) {
	plain, err := archive.Tar(files, tree.Time)
	if err != nil {
		return nil, err
	}
	return tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(plain)), nil },
		tarball.WithCompressedCaching, tarball.WithCompressionLevel(gzip.DefaultCompression), tarball.WithMediaType(types.OCILayer))
}

// annotations are those that the OCI image specification names.
func annotations(tree source.Tree, version, name string) map[string]string {
	const (
		about = "org.opencontainers.image."
		home  = "https://github.com/daymark-lb/daymark"
	)
	return map[string]string{
		about + "title":         "daymark " + name,
		about + "description":   titles[name],
		about + "url":           home,
		about + "source":        home,
		about + "documentation": home + "/tree/" + version + "/docs",
		about + "vendor":        "Daymark",
		about + "licenses":      "Apache-2.0",
		about + "version":       version,
		about + "revision":      tree.Revision(),
		about + "created":       tree.Date(),
	}
}
