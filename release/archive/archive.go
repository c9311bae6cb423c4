// Package archive writes files into tar, tar.gz and zip, in the order of their names and with one time for all, so that the same
// files give the same bytes. It refuses to read folders: it is given files.
package archive

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"cmp"
	"compress/gzip"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"time"
)

// File is one file of an archive.
type File struct {
	// Name in the archive, with slashes.
	Name string
	// Mode is the permissions.
	Mode fs.FileMode
	Data []byte
}

// Tar returns the files, and the folders above them, as a tar archive. All belong to root.
func Tar(files []File, at time.Time) ([]byte, error) {
	var archive bytes.Buffer
	writer := tar.NewWriter(&archive)
	seen := map[string]bool{}
	for _, file := range sorted(files) {
		if err := writeFolders(writer, path.Dir(file.Name), at, seen); err != nil {
			return nil, err
		}
		header := &tar.Header{
			Typeflag: tar.TypeReg, Name: file.Name, Mode: int64(file.Mode), Size: int64(len(file.Data)), ModTime: at, Format: tar.FormatPAX,
		}
		if err := writer.WriteHeader(header); err != nil {
			return nil, fmt.Errorf("write %s: %w", file.Name, err)
		}
		if _, err := writer.Write(file.Data); err != nil {
			return nil, fmt.Errorf("write %s: %w", file.Name, err)
		}
	}
	if err := writer.Close(); err != nil {
		return nil, err
	}
	return archive.Bytes(), nil
}

// writeFolders writes the folder and those above it, each once.
func writeFolders(writer *tar.Writer, folder string, at time.Time, seen map[string]bool) error {
	if folder == "." || seen[folder] {
		return nil
	}
	seen[folder] = true
	if err := writeFolders(writer, path.Dir(folder), at, seen); err != nil {
		return err
	}
	return writer.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: folder + "/", Mode: 0o755, ModTime: at, Format: tar.FormatPAX})
}

// TarGz returns the files as tar.gz.
func TarGz(files []File, at time.Time) ([]byte, error) {
	plain, err := Tar(files, at)
	if err != nil {
		return nil, err
	}
	return Gzip(plain)
}

// Gzip compresses. No name and no time is written.
func Gzip(plain []byte) ([]byte, error) {
	var compressed bytes.Buffer
	writer := gzip.NewWriter(&compressed)
	if _, err := io.Copy(writer, bytes.NewReader(plain)); err != nil {
		return nil, err
	}
	if err := writer.Close(); err != nil {
		return nil, err
	}
	return compressed.Bytes(), nil
}

// Zip returns the files as a zip archive.
func Zip(files []File, at time.Time) ([]byte, error) {
	var archive bytes.Buffer
	writer := zip.NewWriter(&archive)
	for _, file := range sorted(files) {
		header := &zip.FileHeader{Name: file.Name, Method: zip.Deflate, Modified: at}
		header.SetMode(file.Mode)
		entry, err := writer.CreateHeader(header)
		if err != nil {
			return nil, fmt.Errorf("write %s: %w", file.Name, err)
		}
		if _, err := entry.Write(file.Data); err != nil {
			return nil, fmt.Errorf("write %s: %w", file.Name, err)
		}
	}
	if err := writer.Close(); err != nil {
		return nil, err
	}
	return archive.Bytes(), nil
}

func sorted(files []File) []File {
	return slices.SortedFunc(slices.Values(files), func(a, b File) int { return cmp.Compare(a.Name, b.Name) })
}
