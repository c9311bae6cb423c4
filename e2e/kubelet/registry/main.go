// Command registry serves images to the nodes of a lab, under every name there is: those of OCI layouts, as a release has them,
// and some that it makes of folders, without a container engine.
//
//	registry ADDRESS FILE
//
// Each line of FILE is an image: "layout FOLDER", where the layout holds one index of images and says its name, as those of a release
// do; or "folder FOLDER NAME PROGRAM", where PROGRAM is what it runs, as root. The nodes ask here for every registry, so the images
// of a manifest keep their names, and the policy Always pulls for real. It answers at ADDRESS when it has all of them.
//
// It is a module of its own so that the product's go.mod stays free of it.
package main

import (
	"errors"
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

// add writes an image into the registry at the address.
func add(address string, fields []string) error {
	switch {
	case len(fields) == 2 && fields[0] == "layout":
		return addLayout(address, fields[1])
	case len(fields) == 4 && fields[0] == "folder":
		image, err := fromFolder(fields[1], fields[3])
		if err != nil {
			return err
		}
		to, err := here(address, fields[2])
		if err != nil {
			return err
		}
		return remote.Write(to, image)
	default:
		return errors.New("it is neither a layout nor a folder")
	}
}

// here is the name of an image at this address, without its own registry: what a mirror is asked for.
func here(address, image string) (name.Reference, error) {
	full, err := name.ParseReference(image)
	if err != nil {
		return nil, err
	}
	return name.ParseReference(address+"/"+full.Context().RepositoryStr()+":"+full.Identifier(), name.Insecure)
}

// annotationName is where a layout says what its image is called.
const annotationName = "io.containerd.image.name"

func addLayout(address, folder string) error {
	root, err := layout.ImageIndexFromPath(folder)
	if err != nil {
		return err
	}
	manifest, err := root.IndexManifest()
	if err != nil {
		return err
	}
	if len(manifest.Manifests) != 1 {
		return fmt.Errorf("it has %d images, want one", len(manifest.Manifests))
	}
	to, err := here(address, manifest.Manifests[0].Annotations[annotationName])
	if err != nil {
		return err
	}
	index, err := root.ImageIndex(manifest.Manifests[0].Digest)
	if err != nil {
		return err
	}
	return remote.WriteIndex(to, index)
}
