package validate

import (
	"context"
	"errors"
	"fmt"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// Object of a document as it is written. It is the document's own.
func (d *Document) Object() *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: d.object}
}

// Place of a document, for a message.
func (d *Document) Place() string {
	line, _ := d.at("metadata.name")
	return fmt.Sprintf("%s:%d", d.file, line)
}

// Admission is what the API server does with objects of Daymark's kinds before it keeps them.
type Admission struct{ kinds *kinds }

// NewAdmission by the definitions of the kinds that this program carries.
func NewAdmission() (*Admission, error) {
	known, err := newKinds()
	return &Admission{known}, err
}

// Admit gives an object the defaults of its kind and takes its status away, or says what is wrong with it.
func (a *Admission) Admit(ctx context.Context, object *unstructured.Unstructured) error {
	gvk := object.GroupVersionKind()
	kind, err := a.kinds.of(gvk.GroupVersion().String(), gvk.Kind)
	if err == nil && kind == nil {
		err = errors.New(a.kinds.known(gvk))
	}
	if err != nil {
		return err
	}
	return kind.check(ctx, object.Object).ToAggregate()
}
