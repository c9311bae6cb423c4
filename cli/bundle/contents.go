package bundle

import (
	"fmt"
	"io"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/daymark-lb/daymark/cli/redact"
	"github.com/daymark-lb/daymark/cli/source"
)

// contents of a bundle.
type contents struct {
	manifest source.Manifest
	kinds    []source.Kind
	objects  map[source.Kind][]runtime.Object
	files    []file
}

// file that people read.
type file struct{ name, text string }

// newContents has the objects that queries have found, without what nobody needs, or nobody should see.
func newContents(queries []source.Query, objects *source.Objects) *contents {
	c := &contents{
		manifest: source.Manifest{Time: objects.Time, Origin: objects.Origin, Gaps: slices.Clone(objects.Gaps)},
		objects:  map[source.Kind][]runtime.Object{},
	}
	byGroupKind := map[string]source.Kind{}
	for _, q := range queries {
		if _, has := byGroupKind[q.Kind.GroupKind().String()]; !has {
			byGroupKind[q.Kind.GroupKind().String()] = q.Kind
			c.kinds = append(c.kinds, q.Kind)
		}
	}
	for _, item := range objects.Items {
		kind, asked := byGroupKind[item.GetObjectKind().GroupVersionKind().GroupKind().String()]
		if less := slim(item); asked && less != nil {
			c.objects[kind] = append(c.objects[kind], less)
		}
	}
	if all := len(c.objects[source.Events]); all > mostEvents {
		c.objects[source.Events] = newest(c.objects[source.Events])
		c.miss(fmt.Sprintf("%d Events, older than the %d that are", all-mostEvents, mostEvents))
	}
	return c
}

// miss notes what is not in the bundle, once.
func (c *contents) miss(what string) {
	if !slices.Contains(c.manifest.Missing, what) {
		c.manifest.Missing = append(c.manifest.Missing, what)
	}
}

func (c *contents) count() (n int) {
	for _, objects := range c.objects {
		n += len(objects)
	}
	return n
}

// redact puts other names and addresses in the place of all; the namespace of Daymark keeps its name.
func (c *contents) redact(system string) error {
	survey := redact.NewSurvey(system)
	for _, kind := range c.kinds {
		for _, object := range c.objects[kind] {
			if err := survey.AddObject(object); err != nil {
				return err
			}
		}
	}
	for _, f := range c.files {
		survey.AddText(f.text)
	}
	for _, text := range c.manifest.Missing {
		survey.AddText(text)
	}
	r, err := survey.Redactor()
	if err != nil {
		return err
	}
	for _, objects := range c.objects {
		for i := range objects {
			fields, err := r.Object(objects[i])
			if err != nil {
				return err
			}
			objects[i] = &unstructured.Unstructured{Object: fields}
		}
	}
	for i, f := range c.files {
		c.files[i] = file{r.Text(f.name), r.Text(f.text)}
	}
	c.redactManifest(r)
	return nil
}

func (c *contents) redactManifest(r *redact.Redactor) {
	c.manifest.Origin = ""
	for i, text := range c.manifest.Missing {
		c.manifest.Missing[i] = r.Text(text)
	}
	for i := range c.manifest.Gaps {
		gap := &c.manifest.Gaps[i]
		gap.Namespace, gap.Instead = r.Text(gap.Namespace), r.Text(gap.Instead)
	}
}

func (c *contents) write(out io.Writer) error {
	w := source.NewBundleWriter(out, c.manifest)
	for _, kind := range c.kinds {
		if err := w.AddObjects(kind, c.objects[kind]); err != nil {
			return err
		}
	}
	for _, f := range c.files {
		if err := w.AddFile(f.name, []byte(f.text)); err != nil {
			return err
		}
	}
	return w.Close()
}
