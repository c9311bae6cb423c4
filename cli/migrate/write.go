package migrate

import (
	"fmt"
	"strings"

	"sigs.k8s.io/yaml"

	"github.com/daymark-lb/daymark/cli/env"
)

// YAML of the objects, each with what it was made of and the remarks above it.
func (r *Result) YAML() (string, error) {
	var out strings.Builder
	for i := range r.Items {
		item := &r.Items[i]
		if i > 0 {
			out.WriteString("---\n")
		}
		out.WriteString("# " + line(item.From) + "\n")
		for _, remark := range item.Remarks {
			text := remark.Text
			if remark.Field != "" {
				text = remark.Field + ": " + text
			}
			out.WriteString("# - " + line(text) + "\n")
		}
		text, err := yaml.Marshal(item.Object.Object)
		if err != nil {
			return "", fmt.Errorf("write %s: %w", item.From, err)
		}
		out.Write(text)
	}
	return out.String(), nil
}

// line is a text that cannot end a comment, and has nothing in it that YAML does not allow.
func line(text string) string { return env.Line(strings.Join(strings.Fields(text), " ")) }

// All remarks, in the order of the objects.
func (r *Result) All() (all []Remark) {
	for i := range r.Items {
		all = append(all, r.Items[i].Remarks...)
	}
	return append(all, r.Remarks...)
}
