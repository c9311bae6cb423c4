package source

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"os"
	"slices"
	"testing"
	"time"
)

// repacked is a bundle as it is after `tar xzf` and `tar czf ... .`, with a link to a file of the reader's own.
func repacked(t *testing.T, name string, compressed bool) *bytes.Buffer {
	t.Helper()
	file, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	zip, err := gzip.NewReader(file)
	if err != nil {
		t.Fatal(err)
	}
	var content bytes.Buffer
	var to io.WriteCloser = nopCloser{&content}
	if compressed {
		to = gzip.NewWriter(&content)
	}
	from, archive := tar.NewReader(zip), tar.NewWriter(to)
	headers := []*tar.Header{{Name: "./", Typeflag: tar.TypeDir}, {Name: "./objects/passwd.json", Typeflag: tar.TypeSymlink, Linkname: "/etc/passwd"}}
	for _, header := range headers {
		if err := archive.WriteHeader(header); err != nil {
			t.Fatal(err)
		}
	}
	for {
		header, err := from.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		header.Name = "./" + header.Name
		if err := archive.WriteHeader(header); err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(archive, from); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(archive.Close(), to.Close()); err != nil {
		t.Fatal(err)
	}
	return &content
}

type nopCloser struct{ io.Writer }

func (nopCloser) Close() error { return nil }

func TestBundle_IsReadWhenItWasPackedAgain(t *testing.T) {
	name := bundle(t, nil)
	whole, err := Open(name, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	for _, compressed := range []bool{true, false} {
		again, err := Read("again", repacked(t, name, compressed), time.Now())
		if err != nil {
			t.Errorf("compressed %v: %v", compressed, err)
			continue
		}
		if got, want := keys(&Objects{Items: again.Items}), keys(&Objects{Items: whole.Items}); !slices.Equal(got, want) {
			t.Errorf("compressed %v: it has %v, not %v", compressed, got, want)
		}
	}
}
