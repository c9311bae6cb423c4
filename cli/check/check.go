// Package check is the command that looks at a cluster before Daymark is installed, and at an installation, for what would keep it from
// working. Its one job is that each finding names what is in the way, what to do, and the section of docs/cli/checks.md that says more.
// It refuses to repeat the daemons' rules: what their conditions say it takes from package view.
package check

import (
	"slices"
	"strings"

	"github.com/daymark-lb/daymark/cli/source"
	"github.com/daymark-lb/daymark/cli/view"
)

// Severity of a finding.
type Severity string

// The severities, the worst first. A Note is no reason to wait, and leaves the exit status 0.
const (
	Error   Severity = "error"
	Warning Severity = "warning"
	Note    Severity = "note"
)

// Input of all checks.
type Input struct {
	Objects *source.Objects
	// Cluster is the view of the Objects.
	Cluster *view.Cluster
	// System is the namespace that Daymark runs in, or will.
	System string
	// Pre: Daymark is not installed yet.
	Pre bool
	// values of the chart that the install will have; nil: nobody has said.
	values *values
	// Server is the version of the API server; empty: unknown, as in a file.
	Server string
	// Plugin is the version of this program.
	Plugin string
	// Rights of the user who will install, and DaemonRights of the programs that are installed; nil: nobody was asked, as with a file.
	Rights, DaemonRights []Right
}

// Finding is something in the way.
type Finding struct {
	// Check is the name of the check, and of its section in Page.
	Check    string   `json:"check"`
	Severity Severity `json:"severity"`
	// Object is what it is about: Node n1; empty: the cluster.
	Object  string `json:"object,omitempty"`
	Message string `json:"message"`
	// Mend is what to do.
	Mend string `json:"mend"`
	Page string `json:"page"`
}

// Skipped is a check that was not made, or not of all.
type Skipped struct {
	Check string `json:"check"`
	Why   string `json:"why"`
}

// Report is the outcome of all checks.
type Report struct {
	Findings []Finding `json:"findings"`
	// Passed are the checks that found nothing.
	Passed  []string  `json:"passed"`
	Skipped []Skipped `json:"skipped,omitempty"`
	// Unseen says that the user may see nothing of what the checks look at; nil: something.
	Unseen error `json:"-"`
}

// check is one thing to look at.
type check struct {
	// name of the check, and of its section in docs/cli/checks.md.
	name string
	// mend is what to do about all that it finds; NAMESPACE in it is the one that Daymark runs in, and GOSSIPPORT where speakers listen
	// for each other.
	mend string
	// needs are the kinds without which it cannot say anything. One that is not installed has no objects.
	needs []source.Kind
	// blind is why it cannot be made on an input; empty: it can. nil: it always can.
	blind func(in *Input) string
	find  func(in *Input) []Finding
}

// page has a section for each check.
const page = "docs/cli/checks.md"

// Run the checks on an input.
func Run(in *Input) Report {
	r := Report{Findings: []Finding{}, Passed: []string{}}
	names := strings.NewReplacer("NAMESPACE", in.System, "GOSSIPPORT", in.Cluster.GossipPort())
	for _, c := range checksOf(in.Pre) {
		if why := c.skipped(in); why != "" {
			r.Skipped = append(r.Skipped, Skipped{c.name, why})
			continue
		}
		found := c.find(in)
		if len(found) == 0 {
			r.Passed = append(r.Passed, c.name)
		}
		for _, f := range found {
			f.Check, f.Page = c.name, page+"#"+c.name
			f.Mend = names.Replace(c.mend)
			r.Findings = append(r.Findings, f)
		}
	}
	slices.SortStableFunc(r.Findings, func(a, b Finding) int { return a.Severity.rank() - b.Severity.rank() })
	return r
}

// Well reports whether nothing is in the way.
func (r *Report) Well() bool {
	return !slices.ContainsFunc(r.Findings, func(f Finding) bool { return f.Severity != Note })
}

// skipped says why a check cannot be made; empty: it can.
func (c *check) skipped(in *Input) string {
	for _, kind := range c.needs {
		if gap := in.Objects.Gap(kind); gap != nil && gap.Why != source.NotInstalled {
			return gap.String()
		}
	}
	if c.blind != nil {
		return c.blind(in)
	}
	return ""
}

func (s Severity) rank() int {
	return slices.Index([]Severity{Error, Warning, Note}, s)
}

// checksOf all, or those that can be made before Daymark is installed.
func checksOf(pre bool) []check {
	if pre {
		return slices.Concat(always, before)
	}
	return slices.Concat(always, after)
}
