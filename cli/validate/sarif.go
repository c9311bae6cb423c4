package validate

import (
	"cmp"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"io"
	"net/url"
	"path/filepath"

	"github.com/daymark-lb/daymark/internal/core/status"
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
	// sarifRule has the texts that GitHub shows beside a result, all of which it requires.
	sarifRule struct {
		ID      string    `json:"id"`
		Short   sarifText `json:"shortDescription"`
		Full    sarifText `json:"fullDescription"`
		Help    sarifText `json:"help"`
		HelpURI string    `json:"helpUri"`
	}
	sarifResult struct {
		RuleID    string          `json:"ruleId"`
		Level     Severity        `json:"level"`
		Message   sarifText       `json:"message"`
		Locations []sarifLocation `json:"locations"`
		// Fingerprints tell that a result is the one of an earlier run, on whatever line it stands now.
		Fingerprints sarifFingerprints `json:"partialFingerprints"`
	}
	sarifFingerprints struct {
		Primary string `json:"primaryLocationLineHash"`
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

// writeSARIF writes findings as a log of SARIF 2.1.0. A finding in the cluster stands at the beginning of the file that first is looked
// at: what has no place in a file GitHub refuses, with all else.
func writeSARIF(out io.Writer, all []Finding, first string) error {
	run := sarifRun{
		Tool: sarifTool{sarifDriver{
			Name: "kubectl-daymark validate", Version: version.Get().String(), InformationURI: pages, Rules: []sarifRule{},
		}},
		Results: []sarifResult{},
	}
	rules, seen := map[string]bool{}, map[string]int{}
	for i := range all {
		f := &all[i]
		key := f.key()
		seen[key]++
		run.Results = append(run.Results, sarifResult{
			RuleID: f.rule(), Level: f.Severity, Message: sarifText{f.words()},
			Locations:    []sarifLocation{{sarifPhysical{sarifArtifact{uri(cmp.Or(f.File, first))}, sarifRegion{max(f.Line, 1), f.Column}}}},
			Fingerprints: sarifFingerprints{fmt.Sprintf("%s:%d", key, seen[key])},
		})
		if !rules[f.rule()] {
			rules[f.rule()] = true
			run.Tool.Driver.Rules = append(run.Tool.Driver.Rules, rule(f.rule()))
		}
	}
	encoder := json.NewEncoder(out)
	encoder.SetIndent("", "  ")
	return encoder.Encode(sarifLog{"https://json.schemastore.org/sarif-2.1.0.json", "2.1.0", []sarifRun{run}})
}

// pages are where the documents are.
const pages = "https://github.com/daymark-lb/daymark"

// rule is what a reason means and what is to be done, from where the conditions declare it, or else as the API server's errors mean it.
func rule(name string) sarifRule {
	r := sarifRule{
		ID: name, Short: sarifText{name}, Full: sarifText{"The API server would refuse the object, or no program would understand it."},
		Help: sarifText{"Correct the field that the message names."}, HelpURI: pages + "/blob/main/docs/cli/validate.md",
	}
	for _, condition := range status.Conditions() {
		for _, reason := range condition.Reasons {
			if reason.Name == name && reason.Remedy != "" {
				r.Full.Text, r.Help.Text = reason.Meaning, reason.Remedy
				r.HelpURI = pages + "/blob/main/docs/reference/conditions-and-reasons.md"
				return r
			}
		}
	}
	return r
}

// key of a finding, which stays while the file has more or fewer lines before it, and other words for the same.
func (f *Finding) key() string {
	hash := fnv.New64a()
	for _, part := range []string{f.File, f.rule(), f.Object, f.Field} {
		fmt.Fprintf(hash, "%s\x00", part)
	}
	return fmt.Sprintf("%016x", hash.Sum64())
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
