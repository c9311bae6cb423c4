package validate

import (
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// ReadFiles reads all documents of some files and directories; - is the standard input. Recursive: directories below as well.
func ReadFiles(names []string, recursive bool, stdin io.Reader) (documents []Document, problems []Finding, err error) {
	files, err := Files(names, recursive)
	if err != nil {
		return nil, nil, err
	}
	for _, name := range files {
		found, wrong, err := readFile(name, stdin)
		if err != nil {
			return nil, nil, err
		}
		documents, problems = append(documents, found...), append(problems, wrong...)
	}
	return documents, problems, nil
}

func readFile(name string, stdin io.Reader) ([]Document, []Finding, error) {
	if name == "-" {
		documents, problems := Read("stdin", stdin)
		return documents, problems, nil
	}
	file, err := os.Open(name)
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = file.Close() }() // It was only read.
	documents, problems := Read(name, file)
	return documents, problems, nil
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
