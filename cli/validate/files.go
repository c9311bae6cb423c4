package validate

import (
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// ReadFiles reads all documents of some files and directories; - is the standard input. Recursive: directories below as well. What is left
// are findings of what cannot be read and does not name Daymark.
func ReadFiles(names []string, recursive bool, stdin io.Reader) (documents []Document, problems, left []Finding, err error) {
	files, err := Files(names, recursive)
	if err != nil {
		return nil, nil, nil, err
	}
	for _, name := range files {
		found, wrong, others, err := readFile(name, stdin)
		if err != nil {
			return nil, nil, nil, err
		}
		documents, problems, left = append(documents, found...), append(problems, wrong...), append(left, others...)
	}
	return documents, problems, left, nil
}

func readFile(name string, stdin io.Reader) (documents []Document, problems, left []Finding, err error) {
	if name == "-" {
		documents, problems, left = read("stdin", stdin)
		return documents, problems, left, nil
	}
	file, err := os.Open(name)
	if err != nil {
		return nil, nil, nil, err
	}
	defer func() { _ = file.Close() }() // It was only read.
	documents, problems, left = read(name, file)
	return documents, problems, left, nil
}

// Files are some names with, in the place of directories, the files with objects in them. What begins with a dot is left out.
func Files(names []string, recursive bool) (files []string, err error) {
	for _, name := range names {
		if info, err := os.Stat(name); name == "-" || err != nil || !info.IsDir() {
			files = append(files, name) // what does not exist is said when it is opened
			continue
		}
		err := filepath.WalkDir(name, func(path string, entry fs.DirEntry, err error) error {
			switch hidden := path != name && strings.HasPrefix(entry.Name(), "."); {
			case err != nil:
				return err
			case entry.IsDir() && path != name && (hidden || !recursive):
				return fs.SkipDir
			case !entry.IsDir() && !hidden && slices.Contains([]string{".yaml", ".yml", ".json"}, filepath.Ext(path)):
				files = append(files, path)
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return files, nil
}
