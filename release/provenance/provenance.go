// Package provenance writes from what and how a release was made: an in-toto statement with a predicate of SLSA provenance v1. It
// refuses to say more than is known: who ran the build is not.
package provenance

import (
	"encoding/json"
	"time"
)

// The types of the documents.
const (
	statementType = "https://in-toto.io/Statement/v1"
	predicateType = "https://slsa.dev/provenance/v1"
	buildType     = "https://github.com/daymark-lb/daymark/blob/main/docs/verify.md#provenance"
)

// Resource is something that was made, or of which something was made.
type Resource struct {
	Name   string            `json:"name,omitempty"`
	URI    string            `json:"uri,omitempty"`
	Digest map[string]string `json:"digest,omitempty"`
}

// Statement is the whole document.
type Statement struct {
	Type          string     `json:"_type"`
	Subject       []Resource `json:"subject"`
	PredicateType string     `json:"predicateType"`
	Predicate     Predicate  `json:"predicate"`
}

// Predicate says how the subjects were made.
type Predicate struct {
	BuildDefinition Definition `json:"buildDefinition"`
	RunDetails      Run        `json:"runDetails"`
}

// Definition is all that the result depends on.
type Definition struct {
	BuildType            string            `json:"buildType"`
	ExternalParameters   map[string]any    `json:"externalParameters"`
	InternalParameters   map[string]string `json:"internalParameters"`
	ResolvedDependencies []Resource        `json:"resolvedDependencies"`
}

// Run says who built. Times are those of the commit, or two builds would differ.
type Run struct {
	Builder  map[string]string `json:"builder"`
	Metadata map[string]string `json:"metadata"`
}

// Build is what is known of a release.
type Build struct {
	Version, Prefix string
	Platforms       []string
	// Commit and Time are those of the source; Go is the toolchain's version.
	Commit, Go string
	Time       time.Time
	// Materials are the modules; Subjects what was made.
	Materials, Subjects []Resource
}

// Of writes the statement.
func Of(b Build) ([]byte, error) {
	at := b.Time.Format(time.RFC3339)
	source := Resource{URI: "git+https://github.com/daymark-lb/daymark", Digest: map[string]string{"gitCommit": b.Commit}}
	return json.MarshalIndent(Statement{
		Type: statementType, Subject: b.Subjects, PredicateType: predicateType,
		Predicate: Predicate{
			BuildDefinition: Definition{
				BuildType:            buildType,
				ExternalParameters:   map[string]any{"version": b.Version, "imagePrefix": b.Prefix, "platforms": b.Platforms},
				InternalParameters:   map[string]string{"go": b.Go, "SOURCE_DATE_EPOCH": at},
				ResolvedDependencies: append([]Resource{source}, b.Materials...),
			},
			RunDetails: Run{
				Builder:  map[string]string{"id": "https://github.com/daymark-lb/daymark/blob/main/docs/releasing.md"},
				Metadata: map[string]string{"startedOn": at, "finishedOn": at},
			},
		},
	}, "", "  ")
}
