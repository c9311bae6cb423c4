package source

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// others are objects of a kind that nothing in Daymark reads, with many small values.
func others(count int) string {
	one := `{"apiVersion":"example.com/v1","kind":"Thing","metadata":{"namespace":"shop","name":"%d","labels":{"odd":"%d"}},"spec":{"a":[{}` +
		strings.Repeat(",{}", 100_000) + "]}}\n"
	var text strings.Builder
	for i := range count {
		fmt.Fprintf(&text, one, i, i%2)
	}
	return text.String()
}

var things = Kind{GroupVersionKind: schema.GroupVersionKind{Group: "example.com", Version: "v1", Kind: "Thing"}, Resource: "things", Namespaced: true}

func TestRead_KindsThatNobodyReadsTakeTheirTextOnly(t *testing.T) {
	text := others(4)
	read, err := Read("file", strings.NewReader(text), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if most := int64(2 * len(text)); read.memory > most {
		t.Errorf("%d bytes of text take %d of memory", len(text), read.memory)
	}
	found, err := read.Read(t.Context(), Query{Kind: things, Namespace: "shop", Labels: "odd=1"})
	if err != nil || len(found.Items) != 2 || Name(found.Items[0]) != "1" || Name(found.Items[1]) != "3" {
		t.Fatalf("of what is asked for there are %d, error %v", len(found.Items), err)
	}
	if _, is := found.Items[0].(*unstructured.Unstructured); !is {
		t.Errorf("it is a %T", found.Items[0])
	}
}

func TestRead_KindsThatAreAskedForHaveABound(t *testing.T) {
	read, err := Read("file", strings.NewReader(others(4)), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	read.memory = maxMemory - 10<<20
	if _, err := read.Read(t.Context(), Query{Kind: things}); err == nil || !strings.Contains(err.Error(), "read file: things.example.com: "+errTooMuch.Error()) {
		t.Errorf("error %v", err)
	}
	if _, err := read.Read(t.Context(), Query{Kind: Services}); err != nil {
		t.Errorf("of another kind: %v", err)
	}
}
