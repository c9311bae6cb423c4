package main

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"log"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/validate"
)

// served pushes the release to a registry and returns its address.
func served(t *testing.T) string {
	t.Helper()
	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	t.Cleanup(server.Close)
	host := strings.TrimPrefix(server.URL, "http://")
	if err := push(t.Context(), dist(t), destination{registry: host, key: keyFile(t)}, t.Output()); err != nil {
		t.Fatal(err)
	}
	return host
}

// pulled pulls an image by the name in install.yaml, as a container runtime would from a mirror.
func pulled(t *testing.T, host, program string) v1.Image {
	t.Helper()
	install, err := os.ReadFile(filepath.Join(dist(t), "install.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	match := regexp.MustCompile(`image: ghcr\.io/(daymark-lb/` + program + `):v1\.2\.3(@sha256:[0-9a-f]{64})\n`).FindSubmatch(install)
	if match == nil {
		t.Fatalf("install.yaml has no image of %s by version and digest", program)
	}
	digest, err := name.NewDigest(host + "/" + string(match[1]) + string(match[2]))
	if err != nil {
		t.Fatal(err)
	}
	image, err := remote.Image(digest, remote.WithPlatform(v1.Platform{OS: "linux", Architecture: "amd64"}))
	if err != nil {
		t.Fatal(err)
	}
	return image
}

func TestImages_ArePulledByTheNamesInTheManifest(t *testing.T) {
	host := served(t)
	for program, user := range map[string]string{"controller": "65532:65532", "speaker": "0:0"} {
		image := pulled(t, host, program)
		if err := validate.Image(image); err != nil {
			t.Error(err)
		}
		config, err := image.ConfigFile()
		if err != nil {
			t.Fatal(err)
		}
		if config.Config.User != user || config.Config.Entrypoint[0] != "/"+program {
			t.Errorf("%s is run as %+v", program, config.Config)
		}
		manifest, err := image.Manifest()
		if err != nil {
			t.Fatal(err)
		}
		for _, said := range []map[string]string{config.Config.Labels, manifest.Annotations} {
			if said["org.opencontainers.image.version"] != version || said["org.opencontainers.image.created"] != "2025-06-15T15:06:40Z" {
				t.Errorf("%s says %v of itself", program, said)
			}
		}
	}
}

func TestImages_HoldTheProgramAndItsLicencesOnly(t *testing.T) {
	host := served(t)
	for _, program := range []string{"controller", "speaker"} {
		licences := 0
		for header, data := range files(t, pulled(t, host, program)) {
			switch {
			case header.Name == program:
				released, err := os.ReadFile(filepath.Join(dist(t), "bin", "linux_amd64", program))
				if err != nil {
					t.Fatal(err)
				}
				if header.Mode != 0o555 || !bytes.Equal(data, released) {
					t.Errorf("%s is not the program, or not to be run", header.Name)
				}
			case strings.HasPrefix(header.Name, "licenses/"):
				licences++
			default:
				t.Errorf("%s has %s", program, header.Name)
			}
			if header.Uid != 0 || header.ModTime.Unix() != 1750000000 {
				t.Errorf("%s belongs to %d and is of %v", header.Name, header.Uid, header.ModTime)
			}
		}
		if licences < 50 {
			t.Errorf("%s has %d licence texts", program, licences)
		}
	}
}

// files reads the regular files of an image.
func files(t *testing.T, image v1.Image) map[*tar.Header][]byte {
	t.Helper()
	found := map[*tar.Header][]byte{}
	stream := mutate.Extract(image)
	defer stream.Close()
	for reader := tar.NewReader(stream); ; {
		header, err := reader.Next()
		if errors.Is(err, io.EOF) {
			return found
		} else if err != nil {
			t.Fatal(err)
		}
		if header.Typeflag == tar.TypeReg {
			if found[header], err = io.ReadAll(reader); err != nil {
				t.Fatal(err)
			}
		}
	}
}
