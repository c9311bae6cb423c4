// Package manifests makes the files that kubectl applies: all objects in one, and the CRDs alone, from the kustomization of the
// repository. It refuses an image that would not be the released one.
package manifests

import (
	"bytes"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"

	"sigs.k8s.io/kustomize/api/filters/imagetag"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/api/resmap"
	"sigs.k8s.io/kustomize/api/types"
	"sigs.k8s.io/kustomize/kyaml/filesys"
)

// Image is one that a release has.
type Image struct {
	// Default is the name in the repository, without a tag: ghcr.io/daymark-lb/speaker.
	Default string
	// Name is the released one, without a tag; Version its tag, Digest that of the index.
	Name, Version, Digest string
}

// Reference is the whole name. The digest decides what is pulled; the tag is for people.
func (i Image) Reference() string { return i.Name + ":" + i.Version + "@" + i.Digest }

// reference is an image in a manifest.
var reference = regexp.MustCompile(`(?m)^[ -]*image: *"?([^\s"]+)`)

// Install returns all objects of the folder config/default below root, with the images of the release.
func Install(root string, images []Image) ([]byte, error) {
	objects, err := build(filepath.Join(root, "config", "default"))
	if err != nil {
		return nil, err
	}
	var released []string
	for _, image := range images {
		released = append(released, image.Reference())
		change := types.Image{Name: image.Default, NewName: image.Name, NewTag: image.Version, Digest: image.Digest}
		if err := objects.ApplyFilter(imagetag.LegacyFilter{ImageTag: change}); err != nil {
			return nil, fmt.Errorf("set the image %s: %w", image.Name, err)
		}
	}
	text, err := objects.AsYaml()
	if err != nil {
		return nil, err
	}
	return text, check(text, released)
}

// check reports an image that is none of the release, and one that is not used.
func check(text []byte, released []string) error {
	var used []string
	for _, match := range reference.FindAllSubmatch(text, -1) {
		used = append(used, string(match[1]))
	}
	slices.Sort(used)
	if used = slices.Compact(used); !slices.Equal(used, slices.Sorted(slices.Values(released))) {
		return fmt.Errorf("the manifests have the images %v, and the release %v", used, released)
	}
	return nil
}

// CRDs returns the CustomResourceDefinitions alone.
func CRDs(root string) ([]byte, error) {
	objects, err := build(filepath.Join(root, "config", "crd"))
	if err != nil {
		return nil, err
	}
	return objects.AsYaml()
}

func build(folder string) (resmap.ResMap, error) {
	options := krusty.MakeDefaultOptions()
	objects, err := krusty.MakeKustomizer(options).Run(filesys.MakeFsOnDisk(), folder)
	if err != nil {
		return nil, fmt.Errorf("build %s: %w", folder, err)
	}
	return objects, nil
}

// Head puts a comment before a manifest.
func Head(comment string, manifest []byte) []byte {
	return bytes.Join([][]byte{[]byte("# " + comment), manifest}, []byte("\n"))
}
