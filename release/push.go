package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/daymark-lb/daymark/release/image"
)

// push pushes the images of a release, and prints each one's name by digest.
func push(ctx context.Context, folder, registry string, plain bool, out io.Writer) error {
	entries, err := os.ReadDir(filepath.Join(folder, "images"))
	if err != nil {
		return fmt.Errorf("look for images: %w", err)
	}
	for _, entry := range entries {
		layout, err := image.Read(filepath.Join(folder, "images", entry.Name()))
		if err != nil {
			return err
		}
		digest, err := image.Push(ctx, layout, registry, plain)
		if err != nil {
			return err
		}
		fmt.Fprintln(out, digest)
	}
	return nil
}
