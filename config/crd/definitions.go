// Package crd has the definitions of Daymark's kinds, as the programs carry them. It refuses to know who applies them.
package crd

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

//go:embed bases/*.yaml
var bases embed.FS

// Definitions returns the definitions of all kinds, in the order of their names.
func Definitions() ([]*unstructured.Unstructured, error) {
	files, err := fs.Glob(bases, "bases/*.yaml")
	if err != nil || len(files) == 0 {
		return nil, errors.Join(err, errors.New("the program carries no definitions"))
	}
	all := make([]*unstructured.Unstructured, len(files))
	for i, file := range files {
		text, err := bases.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", file, err)
		}
		all[i] = &unstructured.Unstructured{}
		if err := yaml.Unmarshal(text, &all[i].Object); err != nil {
			return nil, fmt.Errorf("read %s: %w", file, err)
		}
	}
	return all, nil
}
