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
	// Those of a kind that Scheme does not know may be text, runtime.Unknown.
	Items []runtime.Object
	// memory that they take, as far as it is known.
	memory int64
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
	answers, room := make([]answer, len(queries)), maxMemory-m.memory
	for i, q := range queries {
		items, err := m.find(q, &room)
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

// find what a query asks for. Room is how much memory may be taken for what is text.
func (m *Memory) find(q Query, room *int64) (found []runtime.Object, err error) {
	selector, err := labels.Parse(q.Labels)
	if err != nil {
		return nil, fmt.Errorf("labels of %s: %w", q.Kind.Name(), err)
	}
	for _, item := range m.Items {
		if item.GetObjectKind().GroupVersionKind().GroupKind() != q.Kind.GroupKind() {
			continue
		}
		if text, is := item.(*runtime.Unknown); is {
			if item, err = unstructuredOf(text); err != nil {
				return nil, fmt.Errorf("read %s: %w", m.Origin, err)
			}
			if *room -= memoryOf(item); *room < 0 {
				return nil, fmt.Errorf("read %s: %s: %w", m.Origin, q.Kind.Name(), errTooMuch)
			}
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
