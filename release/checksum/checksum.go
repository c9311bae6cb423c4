// Package checksum writes SHA256SUMS, the list that `sha256sum -c` reads, of all files in a folder. It refuses to leave one out.
package checksum

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// File is the name of the list.
const File = "SHA256SUMS"

// Write lists the files of the folder, those in folders below it excepted, and returns the list.
func Write(folder string) ([]byte, error) {
	names, err := Names(folder)
	if err != nil {
		return nil, err
	}
	var list strings.Builder
	for _, name := range names {
		sum, err := Sum(filepath.Join(folder, name))
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(&list, "%s  %s\n", sum, name)
	}
	text := []byte(list.String())
	return text, os.WriteFile(filepath.Join(folder, File), text, 0o644) //nolint:gosec // It is published.
}

// Names are the files to list, sorted. What belongs to the list itself, as its signature, is not listed.
func Names(folder string) ([]string, error) {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, entry := range entries {
		if !entry.IsDir() && !strings.HasPrefix(entry.Name(), File) {
			names = append(names, entry.Name())
		}
	}
	slices.Sort(names)
	return names, nil
}

// Sum is the SHA-256 of a file in hexadecimal digits.
func Sum(path string) (string, error) {
	file, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer file.Close() //nolint:errcheck // It was only read.
	hash := sha256.New()
	if _, err := io.Copy(hash, file); err != nil {
		return "", fmt.Errorf("read %s: %w", path, err)
	}
	return hex.EncodeToString(hash.Sum(nil)), nil
}
