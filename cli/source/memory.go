package source

import (
	"context"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
)

// Memory is a Source that has all of its objects already, as those of a file.
type Memory struct {
	Items []runtime.Object
	// Gaps are what whoever read the objects could not read.
	Gaps []Gap
	// Kinds that were read, by the name of the resource; nil: all.
	Kinds map[string]bool
	// Checks is the file ChecksName of a bundle; nil: it has none.
	Checks []byte
	// Time and Origin of the objects.
	Time   time.Time
	Origin string
}

// Read the objects that some queries ask for.
func (m *Memory) Read(_ context.Context, queries ...Query) (*Objects, error) {
	answers := make([]answer, len(queries))
	for i, q := range queries {
		items, err := m.find(q)
		if err != nil {
			return nil, err
		}
		answers[i] = answer{items: items, gap: m.gap(q), resource: q.Kind.Name(), optional: q.Optional}
	}
	found := collect(answers, m.Time, m.Origin)
	found.Checks = m.Checks
	return found, nil
}

// Follow reads the objects once: they do not change.
func (m *Memory) Follow(ctx context.Context, _ time.Duration, queries ...Query) (<-chan *Objects, error) {
	objects, err := m.Read(ctx, queries...)
	if err != nil {
		return nil, err
	}
	once := make(chan *Objects, 1)
	once <- objects
	close(once)
	return once, nil
}

func (m *Memory) find(q Query) (found []runtime.Object, err error) {
	selector, err := labels.Parse(q.Labels)
	if err != nil {
		return nil, fmt.Errorf("labels of %s: %w", q.Kind.Name(), err)
	}
	for _, item := range m.Items {
		if item.GetObjectKind().GroupVersionKind().GroupKind() != q.Kind.GroupKind() {
			continue
		}
		object := metadata(item)
		if (q.Namespace == "" || q.Namespace == object.GetNamespace()) && (q.Name == "" || q.Name == object.GetName()) &&
			selector.Matches(labels.Set(object.GetLabels())) {
			found = append(found, item)
		}
	}
	return found, nil
}

// gap of a query in what was read; nil when all is there.
func (m *Memory) gap(q Query) *Gap {
	name := q.Kind.Name()
	for _, gap := range m.Gaps {
		if gap.Resource != name || q.Namespace != "" && gap.Instead == q.Namespace {
			continue
		}
		if q.Namespace != "" {
			gap.Namespace, gap.Instead = q.Namespace, ""
		}
		return &gap
	}
	if m.Kinds != nil && !m.Kinds[name] {
		return &Gap{Resource: name, Namespace: q.Namespace, Why: NotInFile}
	}
	return nil
}
