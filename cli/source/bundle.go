package source

import (
	"archive/tar"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"path"
	"time"

	"k8s.io/apimachinery/pkg/runtime"
)

// A bundle is a gzipped tar archive:
//
//	bundle.json                       what the archive is: a Manifest
//	objects/GROUP_VERSION_KIND.json   all objects of a kind, as a v1 List; the group of core kinds is "core"
//	check.json                        what was checked when it was written, of more objects than it has
//	anything else                     logs, metrics and the like, which only people read
//
// The order of entries does not matter.
const (
	bundleFormat = 1
	manifestName = "bundle.json"
	objectsDir   = "objects"
)

// ChecksName is the name of the file of a bundle that has the report of package check.
const ChecksName = "check.json"

// Manifest describes a bundle.
type Manifest struct {
	// Format of the bundle. Another one than this program's is not read.
	Format int `json:"format"`
	// Version of the program that wrote it.
	Version string `json:"version"`
	// Time at which the objects were so, and Origin, where.
	Time   time.Time `json:"time"`
	Origin string    `json:"origin,omitempty"`
	// Redacted: names and addresses stand for others.
	Redacted bool `json:"redacted,omitempty"`
	// Resources that were read, by name; those with a gap in part.
	Resources []string `json:"resources"`
	// Gaps are what could not be read.
	Gaps []Gap `json:"gaps,omitempty"`
	// Missing says in words what could not be had, the gaps among it.
	Missing []string `json:"missing,omitempty"`
}

// BundleWriter writes a bundle. Close it, or the bundle cannot be read.
type BundleWriter struct {
	manifest Manifest
	zip      *gzip.Writer
	tar      *tar.Writer
}

// NewBundleWriter begins a bundle. Of the manifest the format and the resources are filled in.
func NewBundleWriter(out io.Writer, manifest Manifest) *BundleWriter {
	manifest.Format, manifest.Resources = bundleFormat, nil
	zip := gzip.NewWriter(out)
	return &BundleWriter{manifest, zip, tar.NewWriter(zip)}
}

// AddObjects adds all objects of a kind; once per kind, also when there are none, so that a reader knows that there are none.
func (w *BundleWriter) AddObjects(kind Kind, objects []runtime.Object) error {
	w.manifest.Resources = append(w.manifest.Resources, kind.Name())
	content, err := json.MarshalIndent(map[string]any{"apiVersion": "v1", "kind": "List", "items": emptyNotNull(objects)}, "", " ")
	if err != nil {
		return fmt.Errorf("encode %s: %w", kind.Name(), err)
	}
	group := kind.Group
	if group == "" {
		group = "core"
	}
	return w.AddFile(path.Join(objectsDir, fmt.Sprintf("%s_%s_%s.json", group, kind.Version, kind.Kind)), content)
}

func emptyNotNull(objects []runtime.Object) []runtime.Object {
	if objects == nil {
		return []runtime.Object{}
	}
	return objects
}

// AddFile adds a file that only people read.
func (w *BundleWriter) AddFile(name string, content []byte) error {
	header := &tar.Header{Name: name, Mode: 0o600, Size: int64(len(content)), ModTime: w.manifest.Time, Typeflag: tar.TypeReg}
	if err := w.tar.WriteHeader(header); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	if _, err := w.tar.Write(content); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	return nil
}

// Close writes the manifest, and ends the bundle. The writer below stays open.
func (w *BundleWriter) Close() error {
	content, err := json.MarshalIndent(w.manifest, "", " ")
	if err != nil {
		return fmt.Errorf("encode %s: %w", manifestName, err)
	}
	if err := w.AddFile(manifestName, content); err != nil {
		return err
	}
	if err := w.tar.Close(); err != nil {
		return fmt.Errorf("end the bundle: %w", err)
	}
	if err := w.zip.Close(); err != nil {
		return fmt.Errorf("end the bundle: %w", err)
	}
	return nil
}
