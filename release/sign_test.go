package main

import (
	"encoding/base64"
	"encoding/json"
	"io"
	"log"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/daymark-lb/daymark/release/checksum"
)

// keyFile makes a private key as docs/verify.md says.
func keyFile(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "private.pem")
	openssl(t, "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", path)
	return path
}

func openssl(t *testing.T, args ...string) {
	t.Helper()
	if output, err := exec.Command("openssl", args...).CombinedOutput(); err != nil {
		t.Fatalf("openssl %v: %v\n%s", args, err, output)
	}
}

// verify asks openssl whether a signature in base64 is one of the data by the key.
func verify(t *testing.T, key string, data []byte, signature string) error {
	t.Helper()
	folder := t.TempDir()
	public, signed, plain := filepath.Join(folder, "public.pem"), filepath.Join(folder, "signature"), filepath.Join(folder, "data")
	openssl(t, "ec", "-in", key, "-pubout", "-out", public)
	binary, err := base64.StdEncoding.DecodeString(strings.TrimSpace(signature))
	if err != nil {
		t.Fatal(err)
	}
	for path, text := range map[string][]byte{signed: binary, plain: data} {
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return exec.Command("openssl", "dgst", "-sha256", "-verify", public, "-signature", signed, plain).Run()
}

func TestSignature_OfChecksumsIsVerifiedByOpenssl(t *testing.T) {
	m := maker{options: options{out: t.TempDir(), key: keyFile(t)}}
	if err := m.write("install.yaml", []byte("a: 1\n")); err != nil {
		t.Fatal(err)
	}
	if err := m.checksums(t.Context()); err != nil {
		t.Fatal(err)
	}
	written := content(t, m.out)
	list, signature := written[checksum.File], string(written[checksum.File+".sig"])
	if err := verify(t, m.key, list, signature); err != nil {
		t.Errorf("the signature of the checksums: %v", err)
	}
	if err := verify(t, m.key, append(list, '\n'), signature); err == nil {
		t.Error("the signature is one of another list too")
	}
}

// TestSignature_OfImagesIsFoundAndVerified does what cosign verify does: it looks for the tag sha256-DIGEST.sig, checks the signature
// of the payload there, and what the payload says.
func TestSignature_OfImagesIsFoundAndVerified(t *testing.T) {
	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	t.Cleanup(server.Close)
	host, key := strings.TrimPrefix(server.URL, "http://"), keyFile(t)
	var printed strings.Builder
	if err := push(t.Context(), dist(t), destination{registry: host, key: key}, &printed); err != nil {
		t.Fatal(err)
	}
	var signed []string
	for _, line := range strings.Fields(printed.String()) {
		image, err := name.NewDigest(line)
		if err != nil {
			t.Fatal(err)
		}
		payload, signature := signatureOf(t, image)
		if err := verify(t, key, payload, signature); err != nil {
			t.Errorf("the signature of %s: %v", image, err)
		}
		var said struct {
			Critical struct {
				Identity map[string]string
				Image    map[string]string
				Type     string
			}
		}
		if err := json.Unmarshal(payload, &said); err != nil {
			t.Fatal(err)
		}
		signed = append(signed, image.Context().RepositoryStr())
		shipped := "ghcr.io/" + image.Context().RepositoryStr()
		if said.Critical.Image["docker-manifest-digest"] != image.DigestStr() || said.Critical.Identity["docker-reference"] != shipped ||
			said.Critical.Type != "cosign container image signature" {
			t.Errorf("what is signed of %s is %s", image, payload)
		}
	}
	if want := []string{"daymark-lb/controller", "daymark-lb/speaker", "daymark-lb/charts/daymark"}; !slices.Equal(signed, want) {
		t.Errorf("signed are %v, want %v", signed, want)
	}
}

// signatureOf pulls the payload and the signature of an image.
func signatureOf(t *testing.T, image name.Digest) (payload []byte, signature string) {
	t.Helper()
	signed, err := remote.Image(image.Context().Tag(strings.Replace(image.DigestStr(), ":", "-", 1) + ".sig"))
	if err != nil {
		t.Fatal(err)
	}
	manifest, err := signed.Manifest()
	if err != nil {
		t.Fatal(err)
	}
	layers, err := signed.Layers()
	if err != nil || len(layers) != 1 {
		t.Fatalf("the signature has %d layers, %v", len(layers), err)
	}
	stream, err := layers[0].Compressed()
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Close()
	if payload, err = io.ReadAll(stream); err != nil {
		t.Fatal(err)
	}
	return payload, manifest.Layers[0].Annotations["dev.cosignproject.cosign/signature"]
}
