package lb

import (
	"errors"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/daymark-lb/daymark/api/v1beta1"
)

// Selectors is a list of label selectors of which at least one must match. An empty list matches everything.
type Selectors []labels.Selector

// Match reports whether one of the selectors matches, or the list is empty.
func (s Selectors) Match(set map[string]string) bool { return len(s) == 0 || s.MatchAny(set) }

// MatchLabels is Match for the labels of a Service.
func (s Selectors) MatchLabels(of Labels) bool { return len(s) == 0 || s.matchAny(of) }

// MatchAny reports whether one of the selectors matches.
func (s Selectors) MatchAny(set map[string]string) bool { return s.matchAny(labels.Set(set)) }

func (s Selectors) matchAny(of labels.Labels) bool {
	for _, selector := range s {
		if selector.Matches(of) {
			return true
		}
	}
	return false
}

// parseSelectors parses a list of label selectors. The error names the field and each selector that cannot be parsed. Such a
// selector matches nothing, and the others of the list count.
func parseSelectors(field string, from []v1beta1.LabelSelector) (Selectors, error) {
	selectors := make(Selectors, 0, len(from))
	var errs []error
	for i := range from {
		selector, err := metav1.LabelSelectorAsSelector(from[i].Kubernetes())
		if err != nil {
			errs = append(errs, fmt.Errorf("%s[%d]: %w", field, i, err))
			selector = labels.Nothing()
		}
		selectors = append(selectors, selector)
	}
	return selectors, errors.Join(errs...)
}
