package validate

import (
	"encoding/json"
	"io"
	"net/url"
	"path/filepath"

	"github.com/daymark-lb/daymark/internal/version"
)

// The parts of SARIF 2.1.0 (OASIS, section 3) that code hosts and editors read.
type (
	sarifLog struct {
		Schema  string     `json:"$schema"`
		Version string     `json:"version"`
		Runs    []sarifRun `json:"runs"`
	}
	sarifRun struct {
		Tool    sarifTool     `json:"tool"`
		Results []sarifResult `json:"results"`
	}
	sarifTool struct {
		Driver sarifDriver `json:"driver"`
	}
	sarifDriver struct {
		Name           string      `json:"name"`
		Version        string      `json:"version"`
		InformationURI string      `json:"informationUri"`
		Rules          []sarifRule `json:"rules"`
	}
	sarifRule struct {
		ID string `json:"id"`
	}
	sarifResult struct {
		RuleID    string          `json:"ruleId"`
		Level     Severity        `json:"level"`
		Message   sarifText       `json:"message"`
		Locations []sarifLocation `json:"locations"`
	}
	sarifText struct {
		Text string `json:"text"`
	}
	sarifLocation struct {
		Physical sarifPhysical `json:"physicalLocation"`
	}
	sarifPhysical struct {
		Artifact sarifArtifact `json:"artifactLocation"`
		Region   sarifRegion   `json:"region"`
	}
	sarifArtifact struct {
		URI string `json:"uri"`
	}
	sarifRegion struct {
		StartLine   int `json:"startLine"`
		StartColumn int `json:"startColumn,omitempty"`
	}
)

// writeSARIF writes findings as a log of SARIF 2.1.0. A finding in the cluster has no location.
func writeSARIF(out io.Writer, all []Finding) error {
	run := sarifRun{
		Tool: sarifTool{sarifDriver{
			Name: "kubectl-daymark validate", Version: version.Get().String(), InformationURI: "https://github.com/daymark-lb/daymark", Rules: []sarifRule{},
		}},
		Results: []sarifResult{},
	}
	rules := map[string]bool{}
	for i := range all {
		f := &all[i]
		result := sarifResult{RuleID: f.rule(), Level: f.Severity, Message: sarifText{f.words()}, Locations: []sarifLocation{}}
		if f.File != "" {
			result.Locations = append(result.Locations, sarifLocation{sarifPhysical{sarifArtifact{uri(f.File)}, sarifRegion{max(f.Line, 1), f.Column}}})
		}
		if !rules[result.RuleID] {
			rules[result.RuleID] = true
			run.Tool.Driver.Rules = append(run.Tool.Driver.Rules, sarifRule{result.RuleID})
		}
		run.Results = append(run.Results, result)
	}
	encoder := json.NewEncoder(out)
	encoder.SetIndent("", "  ")
	return encoder.Encode(sarifLog{"https://json.schemastore.org/sarif-2.1.0.json", "2.1.0", []sarifRun{run}})
}

// uri of a file (RFC 3986), relative as its name is.
func uri(file string) string { return (&url.URL{Path: filepath.ToSlash(file)}).String() }

// rule is the name of what a finding is one of: the reason of the condition or of the API server's error.
func (f *Finding) rule() string {
	if f.Reason == "" {
		return "Unreadable"
	}
	return f.Reason
}
