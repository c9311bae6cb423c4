package image

import (
	"context"
	"fmt"
	"os"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

// The annotations of a layout that say what the image is called: the tag by the OCI's rule, the whole name by containerd's, which
// `ctr images import` reads.
const (
	annotationTag  = "org.opencontainers.image.ref.name"
	annotationName = "io.containerd.image.name"
)

// Layout is an image in a folder.
type Layout struct {
	// Name as in manifests, with the version as its tag: ghcr.io/daymark-lb/speaker:v1.2.3.
	Name  name.Tag
	Index v1.ImageIndex
}

// Write writes an index as the OCI layout in the folder, which it replaces, and returns the digest of the index.
func Write(folder string, l Layout) (v1.Hash, error) {
	if err := os.RemoveAll(folder); err != nil {
		return v1.Hash{}, err
	}
	path, err := layout.Write(folder, empty.Index)
	if err != nil {
		return v1.Hash{}, fmt.Errorf("write the layout %s: %w", folder, err)
	}
	names := map[string]string{annotationTag: l.Name.TagStr(), annotationName: l.Name.Name()}
	if err := path.AppendIndex(l.Index, layout.WithAnnotations(names)); err != nil {
		return v1.Hash{}, fmt.Errorf("write the layout %s: %w", folder, err)
	}
	return l.Index.Digest()
}

// Read reads what Write has written.
func Read(folder string) (Layout, error) {
	root, err := layout.ImageIndexFromPath(folder)
	if err != nil {
		return Layout{}, fmt.Errorf("read the layout %s: %w", folder, err)
	}
	manifest, err := root.IndexManifest()
	if err != nil {
		return Layout{}, fmt.Errorf("read the layout %s: %w", folder, err)
	}
	if len(manifest.Manifests) != 1 {
		return Layout{}, fmt.Errorf("the layout %s has %d images, not one", folder, len(manifest.Manifests))
	}
	tag, err := name.NewTag(manifest.Manifests[0].Annotations[annotationName], name.StrictValidation)
	if err != nil {
		return Layout{}, fmt.Errorf("read the name in the layout %s: %w", folder, err)
	}
	index, err := root.ImageIndex(manifest.Manifests[0].Digest)
	return Layout{Name: tag, Index: index}, err
}

// Push writes the image to its registry, or, when another one is given, there under the same path. It returns the name by digest.
// Credentials are those of docker's and podman's configuration. A registry on localhost is spoken to without TLS, others if plain.
func Push(ctx context.Context, l Layout, registry string, plain bool) (name.Digest, error) {
	tag, err := Moved(l.Name, registry, plain)
	if err != nil {
		return name.Digest{}, err
	}
	if err := remote.WriteIndex(tag, l.Index, remote.WithContext(ctx), remote.WithAuthFromKeychain(authn.DefaultKeychain)); err != nil {
		return name.Digest{}, fmt.Errorf("push %s: %w", tag, err)
	}
	digest, err := l.Index.Digest()
	if err != nil {
		return name.Digest{}, err
	}
	return tag.Digest(digest.String()), nil
}

// Moved is the tag at another registry, which is spoken to without TLS if plain; nothing stands for its own.
func Moved(tag name.Tag, registry string, plain bool) (name.Tag, error) {
	if registry == "" {
		registry = tag.RegistryStr()
	}
	var options []name.Option
	if plain {
		options = append(options, name.Insecure)
	}
	return name.NewTag(registry+"/"+tag.RepositoryStr()+":"+tag.TagStr(), options...)
}
