package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/daymark-lb/daymark/release/image"
	"github.com/daymark-lb/daymark/release/sign"
)

// destination is where images go.
type destination struct {
	// registry is host:port, or empty for that of the names; plain: it speaks HTTP.
	registry string
	plain    bool
	// key is the file with the private key to sign with, or empty.
	key string
}

// push pushes the images of a release, signs them, and prints each one's name by digest.
func push(ctx context.Context, folder string, to destination, out io.Writer) error {
	entries, err := os.ReadDir(filepath.Join(folder, "images"))
	if err != nil {
		return fmt.Errorf("look for images: %w", err)
	}
	for _, entry := range entries {
		layout, err := image.Read(filepath.Join(folder, "images", entry.Name()))
		if err != nil {
			return err
		}
		digest, err := image.Push(ctx, layout, to.registry, to.plain)
		if err != nil {
			return err
		}
		fmt.Fprintln(out, digest)
		if to.key == "" {
			continue
		}
		key, err := sign.Read(to.key)
		if err != nil {
			return err
		}
		shipped := layout.Name.Context().Name()
		if err := key.Image(ctx, shipped, digest, remote.WithAuthFromKeychain(authn.DefaultKeychain)); err != nil {
			return err
		}
	}
	return nil
}
