package source

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"os"
	"testing"

	"k8s.io/apimachinery/pkg/runtime/schema"
)

// FuzzReadBundle: a bundle from a stranger, whole or not, is read or refused with words, within the bytes that it may have.
func FuzzReadBundle(f *testing.F) {
	whole, err := os.ReadFile(bundle(f, nil))
	if err != nil {
		f.Fatal(err)
	}
	archive := func(name, content string) []byte {
		var out bytes.Buffer
		zip := gzip.NewWriter(&out)
		entries := tar.NewWriter(zip)
		for _, entry := range [][2]string{{manifestName, `{"format": 1}`}, {name, content}} {
			if err := entries.WriteHeader(&tar.Header{Name: entry[0], Size: int64(len(entry[1]))}); err != nil {
				f.Fatal(err)
			}
			_, _ = entries.Write([]byte(entry[1]))
		}
		_, _ = entries.Close(), zip.Close()
		return out.Bytes()
	}
	f.Add(whole)
	f.Add(whole[:len(whole)/2])
	f.Add(archive(objectsDir+"/x.json", `{"apiVersion": "v1", "kind": "List", "items": [{"apiVersion": "v1", "kind": "Service"}, null, 1]}`))
	f.Add(archive(objectsDir+"/x.json", `{"apiVersion": "v1", "kind": "Service", "spec": {"ports": {}}}`))
	f.Add(archive(manifestName, "null"))
	f.Add(archive("../../etc/passwd", "x"))
	const most = 1 << 20
	f.Fuzz(func(t *testing.T, content []byte) {
		read, err := readBundle(bytes.NewReader(content), most)
		switch {
		case err == nil && read == nil:
			t.Error("neither read nor refused")
		case err != nil && err.Error() == "":
			t.Error("refused without words")
		case err == nil && len(read.Items) > most:
			t.Errorf("%d objects in %d bytes", len(read.Items), most)
		}
	})
}

// FuzzReadDocuments: each object that is found has a kind and is JSON, and there is none that is no object.
func FuzzReadDocuments(f *testing.F) {
	for _, text := range []string{
		"apiVersion: v1\nkind: Service\nmetadata: {name: web}\n---\n# nothing\n---\napiVersion: v1\nkind: List\nitems: [{apiVersion: v1, kind: Node}]\n",
		`{"apiVersion": "v1", "kind": "ServiceList", "items": {"a": 1}}`, `{"apiVersion": "a/b/c", "kind": "K"}`, "kind: List\napiVersion: v1\nitems: [null]",
		"a: &a [*a]", "- 1\n- 2\n", "\x00", `{"apiVersion": "v1", "kind": "List", "items": [{"apiVersion": "v1", "kind": "List", "items": [{}]}]}`,
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		var found objects
		err := ReadDocuments(bytes.NewReader(text), func(kind schema.GroupVersionKind, object json.RawMessage) error {
			var fields map[string]any
			if kind.Kind == "" || json.Unmarshal(object, &fields) != nil || fields == nil {
				t.Errorf("a %v that is %s", kind, object)
			}
			return found.add(kind, object)
		})
		if err != nil && err.Error() == "" {
			t.Error("refused without words")
		}
	})
}
