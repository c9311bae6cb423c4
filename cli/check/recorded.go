package check

import (
	"encoding/json"
	"fmt"
	"slices"
)

// complete a report of a bundle with what its recorded report says of the checks that need more than the bundle has: Pods and ConfigMaps
// of other namespaces, and the API server. What can be checked by the objects of the bundle is: it may be of an earlier version.
func (r *Report) complete(recorded []byte) error {
	var before Report
	if err := json.Unmarshal(recorded, &before); err != nil {
		return fmt.Errorf("read the report: %w", err)
	}
	var skipped []Skipped
	for _, s := range r.Skipped {
		found := slices.DeleteFunc(slices.Clone(before.Findings), func(f Finding) bool {
			return f.Check != s.Check || f.Severity.rank() < 0
		})
		switch at := slices.IndexFunc(before.Skipped, func(other Skipped) bool { return other.Check == s.Check }); {
		case len(found) > 0:
			r.Findings = append(r.Findings, found...)
		case slices.Contains(before.Passed, s.Check):
			r.Passed = append(r.Passed, s.Check)
		case at >= 0:
			skipped = append(skipped, before.Skipped[at])
		default:
			skipped = append(skipped, s)
		}
	}
	r.Skipped = skipped
	slices.SortStableFunc(r.Findings, func(a, b Finding) int { return a.Severity.rank() - b.Severity.rank() })
	return nil
}
