package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/daymark-lb/daymark/release/chart"
	"github.com/daymark-lb/daymark/release/image"
	"github.com/daymark-lb/daymark/release/sign"
)

// destination is where images and the chart go.
type destination struct {
	// registry is host:port, or empty for that of the names; plain: it speaks HTTP.
	registry string
	plain    bool
	// key is the file with the private key to sign with, or empty.
	key string
}

// push pushes the images of a release and its chart, signs them, and prints each one's name by digest.
func push(ctx context.Context, folder string, to destination, out io.Writer) error {
	entries, err := os.ReadDir(filepath.Join(folder, "images"))
	if err != nil {
		return fmt.Errorf("look for images: %w", err)
	}
	var last name.Tag
	for _, entry := range entries {
		layout, err := image.Read(filepath.Join(folder, "images", entry.Name()))
		if err != nil {
			return err
		}
		digest, err := image.Push(ctx, layout, to.registry, to.plain)
		if err != nil {
			return err
		}
		if err := to.pushed(ctx, layout.Name, digest, out); err != nil {
			return err
		}
		last = layout.Name
	}
	if len(entries) == 0 {
		return nil
	}
	return pushChart(ctx, folder, last, to, out)
}

// pushChart pushes the chart to charts/daymark beside an image, with its version, which has no v, as its tag.
func pushChart(ctx context.Context, folder string, beside name.Tag, to destination, out io.Writer) error {
	version := strings.TrimPrefix(beside.TagStr(), "v")
	tag, err := name.NewTag(path.Dir(beside.Context().Name()) + "/charts/daymark:" + version)
	if err != nil {
		return err
	}
	there, err := image.Moved(tag, to.registry, to.plain)
	if err != nil {
		return err
	}
	file := filepath.Join(folder, "daymark-"+version+".tgz")
	digest, err := chart.Push(ctx, file, there, remote.WithAuthFromKeychain(authn.DefaultKeychain))
	if err != nil {
		return err
	}
	return to.pushed(ctx, tag, digest, out)
}

// pushed prints what has been pushed, and signs it under its own name if there is a key.
func (to destination) pushed(ctx context.Context, shipped name.Tag, digest name.Digest, out io.Writer) error {
	if _, err := fmt.Fprintln(out, digest); err != nil || to.key == "" {
		return err
	}
	key, err := sign.Read(to.key)
	if err != nil {
		return err
	}
	return key.Image(ctx, shipped.Context().Name(), digest, remote.WithAuthFromKeychain(authn.DefaultKeychain))
}
