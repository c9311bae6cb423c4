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
	"path"
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
	maxChecks  = 16 << 20
	// maxListDepth is how many Lists may be in each other.
	maxListDepth = 4
)

// Open reads a bundle, or objects in YAML or JSON as `kubectl get -o yaml` writes them. Objects without a time in the file are
// as they are now.
func Open(name string, now time.Time) (*Memory, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }() // It was only read.
	return Read(name, file, now)
}

// Read reads what Open does. A bundle may have been unpacked and packed again since, also without compression.
func Read(name string, in io.Reader, now time.Time) (read *Memory, err error) {
	buffered := bufio.NewReader(in)
	head, failure := buffered.Peek(tarMagicAt + len(tarMagic)) // What is shorter is no archive.
	switch {
	case len(head) == 0 && !errors.Is(failure, io.EOF): // as of a directory
		err = failure
	case len(head) == 0: // The program that was to write it has failed, or who reads it first has it.
		err = errors.New("there is nothing in it")
	case bytes.HasPrefix(head, []byte{0x1f, 0x8b}):
		read, err = readBundle(buffered, maxBytes)
	case bytes.HasSuffix(head, []byte(tarMagic)):
		read, err = readArchive(buffered, maxBytes)
	default:
		var found objects
		err = ReadDocuments(buffered, found.add)
		read = &Memory{Items: found.items, Time: now, memory: found.memory}
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	read.Origin = name
	return read, nil
}

// tarMagic stands in the first header of an archive (POSIX.1, ustar).
const (
	tarMagic   = "ustar"
	tarMagicAt = 257
)

// readBundle reads the objects of a bundle that is no larger than some bytes when it is unpacked. It does not read
// the files for people, but for what was checked.
func readBundle(in io.Reader, most int64) (*Memory, error) {
	zip, err := gzip.NewReader(in)
	if err != nil {
		return nil, err
	}
	return readArchive(zip, most)
}

// readArchive reads what is in a bundle.
func readArchive(in io.Reader, most int64) (*Memory, error) {
	limited := &io.LimitedReader{R: in, N: most}
	archive := tar.NewReader(limited)
	var manifest *Manifest
	var found objects
	var checks []byte
	for entries := 0; ; entries++ {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) && limited.N > 0 {
			break
		}
		if limited.N <= 0 || entries > maxEntries {
			return nil, fmt.Errorf("it has more than %d MiB or %d files", most>>20, maxEntries)
		}
		if err != nil {
			return nil, err
		}
		switch name := path.Clean(header.Name); {
		case name == manifestName:
			manifest = &Manifest{}
			err = json.NewDecoder(io.LimitReader(archive, maxChecks)).Decode(manifest)
		case name == ChecksName:
			checks, err = io.ReadAll(io.LimitReader(archive, maxChecks))
		case strings.HasPrefix(name, objectsDir+"/") && header.Typeflag == tar.TypeReg:
			err = (&reader{found.add, refuse}).readLists(archive)
		}
		if err != nil && limited.N > 0 {
			return nil, fmt.Errorf("%s: %w", header.Name, err)
		}
	}
	if manifest == nil {
		return nil, fmt.Errorf("it has no %s: it is no bundle, or not whole", manifestName)
	}
	read, err := manifest.memory(found.items)
	if err == nil {
		read.Checks, read.memory = checks, found.memory
	}
	return read, err
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

// ErrNoObject is the error of a document that has nothing of an object of Kubernetes, as a kustomization or values of Helm.
var ErrNoObject = errors.New("a document is no object of Kubernetes: it has neither apiVersion nor kind")

// reader has what to do with the documents of a file.
type reader struct {
	do func(kind schema.GroupVersionKind, object json.RawMessage) error
	// leave says whether to go on without a document; nil for yes.
	leave func(document json.RawMessage, why error) error
}

// ReadDocuments calls do for each object of documents in YAML or JSON, with its kind and as JSON. Lists count as their items. There are
// bounds for the bytes, and for Lists in Lists; do may have one for the objects.
func ReadDocuments(in io.Reader, do func(kind schema.GroupVersionKind, object json.RawMessage) error) error {
	return (&reader{do, refuse}).read(in)
}

// ReadAmongOthers does the same with files that may have anything between the objects. It calls leave for each document that is none, with
// the document or nil when it cannot be read, and goes on, if it can be seen where the next one begins.
func ReadAmongOthers(in io.Reader, do func(kind schema.GroupVersionKind, object json.RawMessage) error, leave func(document json.RawMessage, why error)) error {
	return (&reader{do, func(document json.RawMessage, why error) error {
		leave(document, why)
		return nil
	}}).read(in)
}

func refuse(_ json.RawMessage, why error) error { return why }

func (r *reader) read(in io.Reader) error {
	limited := &io.LimitedReader{R: in, N: maxBytes}
	err := r.decode(limited)
	if limited.N <= 0 {
		err = fmt.Errorf("it has more than %d MiB", maxBytes>>20)
	}
	return err
}

func (r *reader) decode(in io.Reader) error {
	documents := yaml.NewYAMLOrJSONDecoder(in, 4096)
	for {
		var raw json.RawMessage
		err := documents.Decode(&raw)
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			if refused := r.leave(nil, err); refused != nil || !inOneDocument(err) {
				return refused
			}
			err = nil
		case len(raw) > 0 && string(raw) != "null": // not comments alone
			err = r.each(raw, maxListDepth)
		}
		if err != nil {
			return err
		}
	}
}

// inOneDocument says of an error of the decoder whether it is behind that document, and reads the next one when it is asked again.
func inOneDocument(err error) bool {
	var inYAML yaml.YAMLSyntaxError
	var inJSON yaml.JSONSyntaxError
	return errors.As(err, &inYAML) || errors.As(err, &inJSON)
}

// each object that a document in JSON has.
func (r *reader) each(document json.RawMessage, depth int) error {
	if kind := begins(document); kind.Kind != "" && !strings.HasSuffix(kind.Kind, "List") {
		return r.do(kind.GroupVersionKind(), document)
	}
	if !bytes.HasPrefix(bytes.TrimSpace(document), []byte("{")) {
		return r.leave(document, ErrNoObject)
	}
	var list struct {
		metav1.TypeMeta `json:",inline"`
		Items           items `json:"items"`
	}
	err := json.Unmarshal(document, &list)
	switch {
	case errors.Is(err, errTooMany):
		return err
	case err != nil:
		return r.leave(document, err)
	case list.Kind == "" && list.APIVersion == "":
		return r.leave(document, ErrNoObject)
	case list.Kind == "" || list.APIVersion == "":
		return r.leave(document, errors.New("a document has no apiVersion or no kind"))
	case !strings.HasSuffix(list.Kind, "List"):
		return r.do(list.GroupVersionKind(), document)
	case depth == 0:
		return fmt.Errorf("it has Lists in each other, more than %d deep", maxListDepth)
	}
	for _, item := range list.Items {
		if err := r.each(item, depth-1); err != nil {
			return err
		}
	}
	return nil
}

// begins is what a document says that it is, where it says so before all else, as what Kubernetes writes does: the rest is not read
// for it. Otherwise it is empty.
func begins(document json.RawMessage) (kind metav1.TypeMeta) {
	tokens := json.NewDecoder(bytes.NewReader(document))
	if begin, err := tokens.Token(); err != nil || begin != json.Delim('{') {
		return metav1.TypeMeta{}
	}
	for range 2 {
		name, _ := tokens.Token() // After an error there are no more names.
		value, _ := tokens.Token()
		text, _ := value.(string)
		switch name {
		case "apiVersion":
			kind.APIVersion = text
		case "kind":
			kind.Kind = text
		}
	}
	if kind.APIVersion == "" || kind.Kind == "" {
		return metav1.TypeMeta{}
	}
	return kind
}

// items of a List.
type items []json.RawMessage

// UnmarshalJSON reads no more than maxObjects: an item that is a byte in the file takes many in memory.
func (i *items) UnmarshalJSON(list []byte) error {
	decoder := json.NewDecoder(bytes.NewReader(list))
	if begin, err := decoder.Token(); err != nil || begin != json.Delim('[') {
		return err // what is no list has no items
	}
	for decoder.More() {
		if len(*i) == maxObjects {
			return errTooMany
		}
		var item json.RawMessage
		if err := decoder.Decode(&item); err != nil {
			return err
		}
		*i = append(*i, item)
	}
	return nil
}

var errTooMany = fmt.Errorf("it has more than %d objects", maxObjects)

// objects of a file in their Go types.
type objects struct {
	items []runtime.Object
	// memory that they take.
	memory int64
}

func (o *objects) add(kind schema.GroupVersionKind, document json.RawMessage) error {
	switch {
	case len(o.items) == maxObjects:
		return errTooMany
	case crowded(document):
		return errTooManyValues
	}
	object, err := typed(kind, document)
	if err != nil {
		return err
	}
	if o.memory += memoryOf(object); o.memory > maxMemory {
		return errTooMuch
	}
	o.items = append(o.items, object)
	return nil
}

// typed returns an object in its Go type, or as its text if Scheme does not know it: most kinds of a cluster are asked for by no command, and
// what is unstructured takes many times its text.
func typed(kind schema.GroupVersionKind, document json.RawMessage) (runtime.Object, error) {
	if !Scheme.Recognizes(kind) {
		text := &runtime.Unknown{Raw: document, ContentType: runtime.ContentTypeJSON}
		text.SetGroupVersionKind(kind)
		return text, nil
	}
	into, err := Scheme.New(kind)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", kind.Kind, err)
	}
	return into, decode(into, kind, document)
}

// unstructuredOf is an object that was kept as its text.
func unstructuredOf(text *runtime.Unknown) (runtime.Object, error) {
	into := &unstructured.Unstructured{}
	return into, decode(into, text.GroupVersionKind(), text.Raw)
}

func decode(into runtime.Object, kind schema.GroupVersionKind, document json.RawMessage) error {
	if err := json.Unmarshal(document, into); err != nil {
		return fmt.Errorf("%s %s: %w", kind.Kind, nameIn(document), err)
	}
	return nil
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
