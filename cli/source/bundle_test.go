package source

import (
	"bytes"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

var written = time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)

func service(namespace, name string) *corev1.Service {
	return &corev1.Service{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Service"},
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, Labels: map[string]string{"app": name}},
	}
}

// foreign is a kind that Scheme does not know.
var foreign = Kind{schema.GroupVersionKind{Group: "example.com", Version: "v1", Kind: "Thing"}, "things", false}

func thing() *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "example.com/v1", "kind": "Thing", "metadata": map[string]any{"name": "one"}, "spec": map[string]any{"size": int64(1)},
	}}
}

// bundle writes one with three Services, one foreign object, no node, and Events that were not all seen.
func bundle(t testing.TB, change func(*BundleWriter)) string {
	t.Helper()
	var content bytes.Buffer
	w := NewBundleWriter(&content, Manifest{
		Version: "v1.2.3", Time: written, Gaps: []Gap{{Resource: "events.events.k8s.io", Instead: "shop", Why: Forbidden}},
	})
	for _, err := range []error{
		w.AddObjects(Services, []runtime.Object{service("default", "web"), service("shop", "api"), service("shop", "web")}),
		w.AddObjects(Nodes, nil), w.AddObjects(Events, nil), w.AddObjects(foreign, []runtime.Object{thing()}),
		w.AddFile("logs/n1/speaker.log", []byte("nothing\n")),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if change != nil {
		change(w)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(t.TempDir(), "bundle.tgz")
	if err := os.WriteFile(name, content.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// keys are the kinds and names of objects.
func keys(o *Objects) (names []string) {
	for _, item := range o.Items {
		i := identify(item)
		names = append(names, i.kind+" "+strings.TrimPrefix(i.name.String(), "/"))
	}
	return names
}

func TestBundle_IsReadAsItWasWritten(t *testing.T) {
	from, err := Open(bundle(t, nil), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name, want, gaps string
		query            Query
	}{
		{"all of a kind", "Service default/web, Service shop/api, Service shop/web", "", Query{Kind: Services}},
		{"a namespace", "Service shop/api, Service shop/web", "", Query{Kind: Services, Namespace: "shop"}},
		{"a name", "Service shop/web", "", Query{Kind: Services, Namespace: "shop", Name: "web"}},
		{"a label", "Service default/web, Service shop/web", "", Query{Kind: Services, Labels: "app=web"}},
		{"a kind that Go does not know", "Thing one", "", Query{Kind: foreign}},
		{"a kind of which there are none", "", "", Query{Kind: Nodes}},
		{"a kind that was not asked for", "", "pods are not in the file", Query{Kind: Pods}},
		{"what the writer did not see", "", "you may not list events.events.k8s.io of other namespaces than shop", Query{Kind: Events}},
		{"what the writer did see of it", "", "", Query{Kind: Events, Namespace: "shop"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			found, err := from.Read(t.Context(), test.query)
			if err != nil {
				t.Fatal(err)
			}
			var gaps []string
			for _, gap := range found.Gaps {
				gaps = append(gaps, gap.String())
			}
			if got := strings.Join(keys(found), ", "); got != test.want || strings.Join(gaps, ", ") != test.gaps {
				t.Errorf("read %q without %q", got, gaps)
			}
			if !found.Time.Equal(written) {
				t.Errorf("it is of %v", found.Time)
			}
		})
	}
}

func TestBundle_IsBounded(t *testing.T) {
	name := bundle(t, func(w *BundleWriter) {
		if err := w.AddFile("zeros", make([]byte, 3<<20)); err != nil {
			t.Fatal(err)
		}
	})
	file, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if _, err := readBundle(file, 2<<20); err == nil || !strings.Contains(err.Error(), "it has more than 2 MiB") {
		t.Errorf("a bundle of 3 MiB in few bytes: %v", err)
	}
	whole, err := os.ReadFile(bundle(t, nil))
	if err != nil {
		t.Fatal(err)
	}
	half := filepath.Join(t.TempDir(), "half.tgz")
	if err := os.WriteFile(half, whole[:len(whole)/2], 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(half, written); err == nil {
		t.Error("half a bundle is read as a whole one")
	}
}

// TestBundle_HoldsOneObjectInMemory: few bytes of a stranger's bundle are very many, and are refused long before they are read whole.
func TestBundle_HoldsOneObjectInMemory(t *testing.T) {
	const begin, size = `{"apiVersion":"v1","items":[`, 64 << 20
	for _, test := range []struct{ name, begin, fill, want string }{
		{"zeros", "", "\x00", "invalid character"},
		{"spaces", "", " ", errTooLarge.Error()},
		{"a text", `"`, "a", errTooLarge.Error()},
		{"an object", begin + `{"kind":"`, "a", errTooLarge.Error()},
		{"lists in each other", begin, "[", "exceeded max depth"},
		{"items that are no objects", begin, "0,", ErrNoObject.Error()},
		{"a field beside the items", `{"metadata":"`, "a", errTooLarge.Error()},
		{"the name of a field", `{"`, "a", errTooLarge.Error()},
	} {
		t.Run(test.name, func(t *testing.T) {
			in := &endless{begin: test.begin, fill: test.fill, left: size}
			var found objects
			err := (&reader{found.add, refuse}).readLists(in)
			if err == nil || !strings.Contains(err.Error(), test.want) || in.left < size/2 {
				t.Errorf("after %d bytes: %v", size-in.left, err)
			}
		})
	}
}

// Few bytes of a list are many in the memory, and are refused for that before they are there.
func TestBundle_BoundsWhatBecomesOfEmptyValues(t *testing.T) {
	const begin, object = `{"apiVersion":"v1","items":[`, `{"apiVersion":"v1","kind":"Service","spec":{"ports":[{}`
	for _, test := range []struct{ name, fill, end, want string }{
		{"very many in one object", strings.Repeat(",{}", maxValues), "]}}", errTooManyValues.Error()},
		{"many in each of many objects", strings.Repeat(",{}", maxValues-10), "]}},", errTooMuch.Error()},
	} {
		t.Run(test.name, func(t *testing.T) {
			in := &endless{begin: begin, fill: object + test.fill + test.end, left: maxBytes}
			found := objects{memory: maxMemory - 40<<20}
			if err := (&reader{found.add, refuse}).readLists(in); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%d objects, error %v", len(found.items), err)
			}
		})
	}
}

// A text has any number of commas, and is one value.
func TestCrowded_CountsValues(t *testing.T) {
	for _, test := range []struct {
		document string
		want     bool
	}{
		{`{"a":"` + strings.Repeat(`,\",`, maxValues) + `"}`, false},
		{`["` + strings.Repeat(",", maxValues) + `",1]`, false},
		{"[0" + strings.Repeat(",0", maxValues) + "]", false},
		{"[0" + strings.Repeat(",0", maxValues+1) + "]", true},
	} {
		if got := crowded([]byte(test.document)); got != test.want {
			t.Errorf("%.20s...: %t", test.document, got)
		}
	}
}

// What is counted is what objects have, each text and each element of a list, and not what they share.
func TestMemory_IsThatOfAllValues(t *testing.T) {
	text := strings.Repeat("a", 1000)
	port := int64(reflect.TypeFor[corev1.ServicePort]().Size())
	empty := memoryOf(&corev1.Service{})
	for _, test := range []struct {
		name   string
		object runtime.Object
		want   int64
	}{
		{"a text", &corev1.Service{ObjectMeta: metav1.ObjectMeta{Name: text}}, 1000},
		{"a time", &corev1.Service{ObjectMeta: metav1.ObjectMeta{CreationTimestamp: metav1.NewTime(time.Now())}}, 0},
		{"empty elements", &corev1.Service{Spec: corev1.ServiceSpec{Ports: make([]corev1.ServicePort, 50)}}, 50 * port},
		{"texts of a map", &corev1.Service{ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"b": text}}}, 1000 + 1 + 32 + 48},
	} {
		if got := memoryOf(test.object) - empty; got != test.want {
			t.Errorf("%s takes %d bytes, want %d", test.name, got, test.want)
		}
	}
	thing := &unstructured.Unstructured{Object: map[string]any{"a": []any{text, map[string]any{"b": text}}}}
	if got := memoryOf(thing); got < 2000 || got > 2500 {
		t.Errorf("what Go does not know takes %d bytes", got)
	}
}

// endless is a text that repeats itself until so many bytes of it are read.
type endless struct {
	begin, fill string
	left        int
}

func (e *endless) Read(into []byte) (n int, err error) {
	if e.left <= 0 {
		return 0, io.EOF
	}
	for n < len(into) {
		if e.begin == "" {
			e.begin = strings.Repeat(e.fill, 1000)
		}
		m := copy(into[n:], e.begin)
		e.begin = e.begin[m:]
		n += m
	}
	e.left -= n
	return n, nil
}

func TestBundle_ReadsLists(t *testing.T) {
	const object = `{"apiVersion":"v1","kind":"Service","metadata":{"name":"web"}}`
	for _, test := range []struct {
		text, want string
		objects    int
	}{
		{`{"apiVersion":"v1","items":[` + object + "," + object + `],"kind":"List"}`, "", 2},
		{`{"kind":"ServiceList","metadata":{"a":[1]},"items":[]}` + "\n" + `{"kind":"List","items":[` + object + "]}\n", "", 1},
		{`{"kind":"List","items":null}`, "", 0},
		{`{"kind":"List"}`, "", 0},
		{"", "", 0},
		{object, "it is no List", 0},
		{`{"kind":"List","items":{}}`, "its items are no list", 0},
		{`{"kind":"List","items":[` + object, "unexpected EOF", 1},
		{"[]", ErrNoObject.Error(), 0},
	} {
		var found objects
		err := (&reader{found.add, refuse}).readLists(strings.NewReader(test.text))
		if len(found.items) != test.objects || test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
			t.Errorf("%s: %d objects, error %v", test.text, len(found.items), err)
		}
	}
}

// TestReadDocuments_IsBounded: few bytes in a file are many in memory, once they are objects, or Lists in Lists.
func TestReadDocuments_IsBounded(t *testing.T) {
	const list = `{"apiVersion":"v1","kind":"List","items":[`
	const object = `{"apiVersion":"example.com/v1","kind":"Thing"}`
	for _, test := range []struct {
		name, text, want string
		before           int
	}{
		{"many items", list + strings.Repeat("0,", maxObjects) + "0]}", "it has more than 500000 objects", 0},
		{"many objects, in several Lists", strings.Repeat(list+object+"]}\n", 3), "it has more than 500000 objects", maxObjects - 2},
		{"Lists in Lists", strings.Repeat(list, 1000) + object + strings.Repeat("]}", 1000), "it has Lists in each other, more than 4 deep", 0},
		{"a List in a List", list + list + object + "]}]}", "", maxObjects - 1},
		{"a List without items", `{"apiVersion":"v1","kind":"List","items":null}`, "", 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			found := objects{items: make([]runtime.Object, test.before)}
			err := ReadDocuments(strings.NewReader(test.text), found.add)
			if test.want == "" && err != nil || test.want != "" && (err == nil || err.Error() != test.want) {
				t.Errorf("%d objects, error %v", len(found.items), err)
			}
		})
	}
}

func TestOpen_SaysThatAFileIsADirectory(t *testing.T) {
	if _, err := Open(t.TempDir(), written); err == nil || !strings.Contains(err.Error(), "is a directory") {
		t.Errorf("the error is %v", err)
	}
}

func TestOpen_SaysWhichDocumentIsWrong(t *testing.T) {
	for _, test := range []struct{ name, content, want string }{
		{"nothing", "", "there is nothing in it"},
		{"no kind", "apiVersion: v1\nmetadata: {name: a}\n", "a document has no apiVersion or no kind"},
		{"values of Helm", "replicas: 3\n", "a document is no object of Kubernetes: it has neither apiVersion nor kind"},
		{"a list of JSON", "[1, 2]", "a document is no object of Kubernetes: it has neither apiVersion nor kind"},
		{"a wrong type", "apiVersion: v1\nkind: Service\nmetadata: {namespace: shop, name: web}\nspec: {ports: 7}\n", "Service shop/web: "},
		{"a Service", "# a comment\n---\napiVersion: v1\nkind: Service\nmetadata: {name: web}\n", ""},
		{"a list", `{"apiVersion":"v1","kind":"List","items":[{"apiVersion":"v1","kind":"Service","metadata":{"name":"web"}}]}`, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			name := filepath.Join(t.TempDir(), "objects.yaml")
			if err := os.WriteFile(name, []byte(test.content), 0o600); err != nil {
				t.Fatal(err)
			}
			from, err := Open(name, written)
			if test.want != "" {
				if err == nil || !strings.Contains(err.Error(), test.want) {
					t.Errorf("the error is %v", err)
				}
				return
			}
			if err != nil || len(from.Items) != 1 {
				t.Errorf("%d objects, error %v", len(from.Items), err)
			}
		})
	}
}

// What an object is need not stand first, and what stands first need not say it.
func TestReadDocuments_FindsTheKindWhereverItStands(t *testing.T) {
	for document, want := range map[string]string{
		`{"apiVersion":"v1","kind":"Service","metadata":{"name":"a"}}`:                                                   "Service",
		`{"kind":"Service","apiVersion":"v1"}`:                                                                           "Service",
		`{"metadata":{"name":"kind"},"spec":{"kind":"Pod"},"kind":"Service","apiVersion":"v1"}`:                          "Service",
		`{"kind":"Service","metadata":{"apiVersion":"v2"},"apiVersion":"v1"}`:                                            "Service",
		`{"apiVersion":"v1","items":[{"kind":"Node","apiVersion":"v1"},{"apiVersion":"v1","kind":"Pod"}],"kind":"List"}`: "Node Pod",
		`{"apiVersion":"v1","kind":"NodeList","items":[{"kind":"Node","apiVersion":"v1"}]}`:                              "Node",
	} {
		var kinds []string
		err := ReadDocuments(strings.NewReader(document), func(kind schema.GroupVersionKind, _ json.RawMessage) error {
			kinds = append(kinds, kind.Version+" "+kind.Kind)
			return nil
		})
		if got := strings.ReplaceAll(strings.Join(kinds, " "), "v1 ", ""); err != nil || got != want {
			t.Errorf("%s has %s, %v", document, got, err)
		}
	}
	for _, document := range []string{`{"apiVersion":"v1"}`, `{"kind":7,"apiVersion":"v1"}`, `{"kind":{"kind":"Pod"},"apiVersion":"v1"}`, `["kind"]`} {
		if err := ReadDocuments(strings.NewReader(document), func(schema.GroupVersionKind, json.RawMessage) error { return nil }); err == nil {
			t.Errorf("%s is an object", document)
		}
	}
}
