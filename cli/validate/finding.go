package validate

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/daymark-lb/daymark/cli/env"
)

// Severity of a finding.
type Severity string

// The severities. An Error is what the API server refuses or no program would act on; a Warning may be right where it is applied.
const (
	Error   Severity = "error"
	Warning Severity = "warning"
)

// Finding is something wrong at a place.
type Finding struct {
	// File is empty for an object of the cluster.
	File     string   `json:"file,omitempty"`
	Line     int      `json:"line,omitempty"`
	Column   int      `json:"column,omitempty"`
	Severity Severity `json:"severity"`
	// Object is its kind and name: IPAddressPool web.
	Object string `json:"object,omitempty"`
	// Field is the path of a field: spec.addresses[0].
	Field string `json:"field,omitempty"`
	// Reason is that of a condition, or of an error of the API server.
	Reason  string `json:"reason,omitempty"`
	Message string `json:"message"`
}

// String is the finding as compilers write theirs, in one line: FILE:LINE:COLUMN: severity: object: field: words.
func (f *Finding) String() string {
	place := "in the cluster"
	if f.File != "" {
		place = fmt.Sprintf("%s:%d", f.File, f.Line)
	}
	if f.Column > 0 {
		place += fmt.Sprintf(":%d", f.Column)
	}
	return env.Line(fmt.Sprintf("%s: %s: %s", place, f.Severity, f.words()))
}

func (f *Finding) words() string {
	text := f.Message
	for _, before := range []string{f.Field, f.Object} {
		if before != "" {
			text = before + ": " + text
		}
	}
	return text
}

// sorted findings are in order of the place, and each is there once.
func sorted(all []Finding) []Finding {
	slices.SortStableFunc(all, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column), cmp.Compare(a.words(), b.words()))
	})
	return slices.Compact(all)
}
