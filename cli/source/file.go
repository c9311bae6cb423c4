package source

import (
	"archive/tar"
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/yaml"
)

// What a file may have. A bundle may come from a stranger: nothing in it may fill the memory.
const (
	maxBytes   = 512 << 20
	maxEntries = 10_000
	maxObjects = 500_000
)

// Open reads a bundle, or objects in YAML or JSON as `kubectl get -o yaml` writes them. Objects without a time in the file are
// as they are now.
func Open(name string, now time.Time) (*Memory, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }() // It was only read.
	buffered := bufio.NewReader(file)
	var read *Memory
	if head, _ := buffered.Peek(2); bytes.Equal(head, []byte{0x1f, 0x8b}) {
		read, err = readBundle(buffered, maxBytes)
	} else {
		read, err = readYAML(buffered, now)
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	read.Origin = name
	return read, nil
}

// readBundle reads the objects of a bundle that is no larger than some bytes when it is unpacked. It does not read the files for people.
func readBundle(in io.Reader, most int64) (*Memory, error) {
	zip, err := gzip.NewReader(in)
	if err != nil {
		return nil, err
	}
	limited := &io.LimitedReader{R: zip, N: most}
	archive := tar.NewReader(limited)
	var manifest *Manifest
	var items []runtime.Object
	for entries := 0; ; entries++ {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) && limited.N > 0 {
			break
		}
		if limited.N <= 0 || entries > maxEntries || len(items) > maxObjects {
			return nil, fmt.Errorf("it has more than %d MiB, %d files or %d objects", most>>20, maxEntries, maxObjects)
		}
		if err != nil {
			return nil, err
		}
		switch {
		case header.Name == manifestName:
			manifest = &Manifest{}
			err = json.NewDecoder(archive).Decode(manifest)
		case strings.HasPrefix(header.Name, objectsDir+"/"):
			items, err = decode(items, archive)
		}
		if err != nil && limited.N > 0 {
			return nil, fmt.Errorf("%s: %w", header.Name, err)
		}
	}
	if manifest == nil {
		return nil, fmt.Errorf("it has no %s: it is no bundle, or not whole", manifestName)
	}
	return manifest.memory(items)
}

// memory is the Source of a bundle's objects.
func (m *Manifest) memory(items []runtime.Object) (*Memory, error) {
	if m.Format != bundleFormat {
		return nil, fmt.Errorf("the format of the bundle is %d, and this program, which reads format %d, is too old or too new", m.Format, bundleFormat)
	}
	kinds := map[string]bool{}
	for _, resource := range m.Resources {
		kinds[resource] = true
	}
	return &Memory{Items: items, Gaps: m.Gaps, Kinds: kinds, Time: m.Time}, nil
}

// readYAML reads documents of YAML or JSON.
func readYAML(in io.Reader, now time.Time) (*Memory, error) {
	limited := &io.LimitedReader{R: in, N: maxBytes}
	items, err := decode(nil, limited)
	if limited.N <= 0 {
		err = fmt.Errorf("it has more than %d MiB", maxBytes>>20)
	}
	return &Memory{Items: items, Time: now}, err
}

// decode appends the objects of documents. Lists count as their items.
func decode(items []runtime.Object, in io.Reader) ([]runtime.Object, error) {
	documents := yaml.NewYAMLOrJSONDecoder(in, 4096)
	for {
		var raw json.RawMessage
		if err := documents.Decode(&raw); errors.Is(err, io.EOF) {
			return items, nil
		} else if err != nil {
			return nil, err
		}
		if len(raw) == 0 || string(raw) == "null" {
			continue // a document with comments alone
		}
		found, err := objects(raw)
		if err != nil {
			return nil, err
		}
		items = append(items, found...)
	}
}

// objects that a document in JSON has.
func objects(document json.RawMessage) (found []runtime.Object, err error) {
	var list struct {
		metav1.TypeMeta `json:",inline"`
		Items           []json.RawMessage `json:"items"`
	}
	if err := json.Unmarshal(document, &list); err != nil {
		return nil, err
	}
	if list.Kind == "" || list.APIVersion == "" {
		return nil, errors.New("a document has no apiVersion or no kind")
	}
	if !strings.HasSuffix(list.Kind, "List") {
		object, err := typed(list.GroupVersionKind(), document)
		return []runtime.Object{object}, err
	}
	for _, item := range list.Items {
		inside, err := objects(item)
		if err != nil {
			return nil, err
		}
		found = append(found, inside...)
	}
	return found, nil
}

// typed returns an object in its Go type, or unstructured if Scheme does not know it.
func typed(kind schema.GroupVersionKind, document json.RawMessage) (runtime.Object, error) {
	into, err := Scheme.New(kind)
	if err != nil {
		into = &unstructured.Unstructured{}
	}
	if err := json.Unmarshal(document, into); err != nil {
		return nil, fmt.Errorf("%s %s: %w", kind.Kind, nameIn(document), err)
	}
	return into, nil
}

// nameIn a document, for an error.
func nameIn(document json.RawMessage) string {
	var named struct {
		Metadata struct{ Namespace, Name string } `json:"metadata"`
	}
	if json.Unmarshal(document, &named) != nil {
		return ""
	}
	return strings.TrimPrefix(named.Metadata.Namespace+"/"+named.Metadata.Name, "/")
}
