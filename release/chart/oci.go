package chart

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
)

// The types by which Helm knows a chart in a registry.
const (
	configType  = types.MediaType("application/vnd.cncf.helm.config.v1+json")
	contentType = types.MediaType("application/vnd.cncf.helm.chart.content.v1.tar+gzip")
)

// artefact is a packed chart in the form of an image: the chart is its only layer, and its Chart.yaml the configuration.
type artefact struct {
	config, manifest []byte
	layer            v1.Layer
}

// RawConfigFile is the chart's Chart.yaml, in JSON.
func (a artefact) RawConfigFile() ([]byte, error) { return a.config, nil }

// RawManifest names the configuration and the layer.
func (a artefact) RawManifest() ([]byte, error) { return a.manifest, nil }

// MediaType is that of the manifest.
func (artefact) MediaType() (types.MediaType, error) { return types.OCIManifestSchema1, nil }

// LayerByDigest is the chart: there is no other.
func (a artefact) LayerByDigest(v1.Hash) (partial.CompressedLayer, error) { return a.layer, nil }

// newArtefact reads a packed chart. The same file gives the same bytes.
func newArtefact(file string) (v1.Image, error) {
	packed, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	c, err := loader.LoadArchive(bytes.NewReader(packed))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", file, err)
	}
	a := artefact{layer: static.NewLayer(packed, contentType)}
	if a.config, err = json.Marshal(c.Metadata); err != nil {
		return nil, err
	}
	config, err := partial.Descriptor(static.NewLayer(a.config, configType))
	if err != nil {
		return nil, err
	}
	content, err := partial.Descriptor(a.layer)
	if err != nil {
		return nil, err
	}
	a.manifest, err = json.Marshal(v1.Manifest{
		SchemaVersion: 2, MediaType: types.OCIManifestSchema1, Config: *config, Layers: []v1.Descriptor{*content},
		Annotations: map[string]string{
			"org.opencontainers.image.title": c.Metadata.Name, "org.opencontainers.image.version": c.Metadata.Version,
			"org.opencontainers.image.description": c.Metadata.Description, "org.opencontainers.image.source": c.Metadata.Home,
		},
	})
	if err != nil {
		return nil, err
	}
	return partial.CompressedToImage(a)
}

// Push pushes a packed chart to a registry, as `helm push` does, and returns its name by digest.
func Push(ctx context.Context, file string, tag name.Tag, options ...remote.Option) (name.Digest, error) {
	image, err := newArtefact(file)
	if err != nil {
		return name.Digest{}, err
	}
	if err := remote.Write(tag, image, append(options, remote.WithContext(ctx))...); err != nil {
		return name.Digest{}, fmt.Errorf("push %s: %w", tag, err)
	}
	digest, err := image.Digest()
	return tag.Digest(digest.String()), err
}
