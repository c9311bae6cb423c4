package validate

import (
	"bytes"
	"fmt"
	"io"
	"strings"

	yamlv3 "go.yaml.in/yaml/v3"
	utiljson "k8s.io/apimachinery/pkg/util/json"
	sigsyaml "sigs.k8s.io/yaml"
)

// What files may have. They may be a stranger's, in a review.
const (
	maxFileBytes = 16 << 20
	maxDocuments = 50_000
)

// Document is an object as it stands in a file.
type Document struct {
	file string
	// node is where the object stands; line and column are how many of the file come before those that it counts.
	node         *yamlv3.Node
	line, column int
	object       map[string]any
}

// Read the documents of a file. What cannot be read is a finding, and the documents around it are read all the same.
func Read(file string, in io.Reader) (found []Document, problems []Finding) {
	found, problems, _ = read(file, in)
	return found, problems
}

// read also what is left: findings of what cannot be read and does not name Daymark. Templates of other programs are not meant for us.
func read(file string, in io.Reader) (found []Document, problems, left []Finding) {
	text, err := io.ReadAll(io.LimitReader(in, maxFileBytes+1))
	if err == nil && len(text) > maxFileBytes {
		err = fmt.Errorf("it has more than %d MiB", maxFileBytes>>20)
	}
	if err != nil {
		return nil, []Finding{{File: file, Line: 1, Severity: Error, Message: err.Error()}}, nil
	}
	parts, problems := split(file, text)
	for i := range parts {
		for _, p := range values(parts[i]) {
			if len(found) >= maxDocuments {
				message := fmt.Sprintf("it has more than %d documents", maxDocuments)
				return found, append(problems, Finding{File: file, Line: p.line + 1, Severity: Error, Message: message}), left
			}
			documents, err := parse(file, p)
			switch ours := bytes.Contains(parts[i].text, []byte(group)); {
			case err != nil && ours:
				problems = append(problems, unreadable(file, p, err))
			case err != nil:
				left = append(left, unreadable(file, p, err))
			}
			found = append(found, documents...)
		}
	}
	return found, problems, left
}

// parse a part of a file between separators. A List has its items as documents.
func parse(file string, p part) ([]Document, error) {
	var root yamlv3.Node
	if err := yamlv3.Unmarshal(p.text, &root); err != nil {
		return nil, err
	}
	if len(root.Content) == 0 {
		return nil, nil // comments alone
	}
	if err := isObject(root.Content[0]); err != nil {
		return nil, err
	}
	// This library, and not the one that knows lines, decodes as the API server does, and refuses a field that is there twice.
	var object map[string]any
	text, err := sigsyaml.YAMLToJSONStrict(p.text)
	if err == nil {
		err = utiljson.Unmarshal(text, &object) // whole numbers stay such
	}
	if err != nil {
		return nil, err
	}
	return items(Document{file, root.Content[0], p.line, p.column, object}, maxListDepth), nil
}

// maxListDepth is how many Lists may be in each other.
const maxListDepth = 4

// items of a List, or the object itself.
func items(d Document, depth int) (found []Document) {
	kind, _ := d.object["kind"].(string)
	list, isList := d.object["items"].([]any)
	if !isList || !strings.HasSuffix(kind, "List") || depth == 0 {
		return []Document{d}
	}
	for i, item := range list {
		if object, isObject := item.(map[string]any); isObject {
			found = append(found, items(Document{d.file, child(child(d.node, "items"), i), d.line, d.column, object}, depth-1)...)
		}
	}
	return found
}

// at returns line and column of a field such as spec.addresses[1], or of what there is of its path.
func (d *Document) at(field string) (line, column int) {
	node := d.node
	for _, step := range steps(field) {
		next := child(node, step)
		if next == nil {
			break
		}
		node = next
	}
	if node == nil {
		return d.line + 1, 1
	}
	if node.Line > 1 {
		return d.line + node.Line, node.Column
	}
	return d.line + 1, d.column + node.Column
}

// child is the value of a key or an index; nil for none.
func child(node *yamlv3.Node, step any) *yamlv3.Node {
	for node != nil && node.Kind == yamlv3.AliasNode {
		node = node.Alias
	}
	if node == nil {
		return nil
	}
	switch step := step.(type) {
	case int:
		if node.Kind == yamlv3.SequenceNode && step >= 0 && step < len(node.Content) {
			return node.Content[step]
		}
	case string:
		for i := 0; node.Kind == yamlv3.MappingNode && i+1 < len(node.Content); i += 2 {
			if node.Content[i].Value == step {
				return node.Content[i+1]
			}
		}
	}
	return nil
}

// steps of a path: keys and indices. A key in brackets may have dots.
func steps(path string) (all []any) {
	for path != "" {
		end := strings.IndexAny(path, ".[")
		switch {
		case end < 0:
			return append(all, path)
		case end > 0:
			all = append(all, path[:end])
			path = path[end:]
		case path[0] == '.':
			path = path[1:]
		default:
			inside, rest, _ := strings.Cut(path[1:], "]")
			var index int
			if _, err := fmt.Sscanf(inside, "%d", &index); err == nil {
				all = append(all, index)
			} else {
				all = append(all, strings.Trim(inside, `"'`))
			}
			path = rest
		}
	}
	return all
}
