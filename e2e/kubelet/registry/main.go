// Command registry serves images to the nodes of a lab, under every name there is: those of OCI layouts, as a release has them,
// and some that it makes of folders, without a container engine.
//
//	registry ADDRESS FILE
//
// Each line of FILE is an image: NAME "layout" FOLDER, where the layout holds an image or an index of several platforms; or NAME
// "folder" FOLDER PROGRAM, where PROGRAM is what it runs, as root. The nodes ask here for every registry, so the images of a
// manifest keep their names, and the policy Always pulls for real. It answers at ADDRESS when it has all of them.
//
// It is a module of its own so that the product's go.mod stays free of it.
package main

import (
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

func main() {
	if len(os.Args) != 3 {
		log.Fatal("usage: registry ADDRESS FILE")
	}
	if err := run(os.Args[1], os.Args[2]); err != nil {
		log.Fatal(err)
	}
}

func run(address, file string) error {
	list, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("read the list of images: %w", err)
	}
	handler := registry.New(registry.Logger(log.New(io.Discard, "", 0)))
	private := httptest.NewServer(handler) // nobody sees a registry that lacks an image
	for line := range strings.Lines(string(list)) {
		if err := add(private.Listener.Addr().String(), strings.Fields(line)); err != nil {
			return fmt.Errorf("add %q: %w", strings.TrimSpace(line), err)
		}
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second}
	return server.Serve(listener)
}

// add writes an image into the registry at the address, under its name without its own registry: what a mirror is asked for.
func add(address string, fields []string) error {
	if len(fields) < 3 {
		return fmt.Errorf("it has %d fields", len(fields))
	}
	full, err := name.ParseReference(fields[0])
	if err != nil {
		return err
	}
	here, err := name.ParseReference(address+"/"+full.Context().RepositoryStr()+":"+full.Identifier(), name.Insecure)
	if err != nil {
		return err
	}
	switch kind := fields[1]; {
	case kind == "layout":
		return addLayout(here, fields[2])
	case kind == "folder" && len(fields) == 4:
		image, err := fromFolder(fields[2], fields[3])
		if err != nil {
			return err
		}
		return remote.Write(here, image)
	default:
		return fmt.Errorf("%q with %d fields is neither layout nor folder", kind, len(fields))
	}
}

// addLayout adds the one image or index that a layout holds.
func addLayout(to name.Reference, folder string) error {
	index, err := layout.ImageIndexFromPath(folder)
	if err != nil {
		return err
	}
	manifest, err := index.IndexManifest()
	if err != nil {
		return err
	}
	if len(manifest.Manifests) != 1 {
		return fmt.Errorf("the layout holds %d images, want one", len(manifest.Manifests))
	}
	held := manifest.Manifests[0]
	if !held.MediaType.IsIndex() {
		image, err := index.Image(held.Digest)
		if err != nil {
			return err
		}
		return remote.Write(to, image)
	}
	platforms, err := index.ImageIndex(held.Digest)
	if err != nil {
		return err
	}
	return remote.WriteIndex(to, platforms)
}
