package chart

import (
	"testing"

	"github.com/fluxcd/cli-utils/pkg/kstatus/status"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// What Helm and Flux wait by, in the library that they use, for the conditions that the controller writes.
func TestKstatus_OfWhatTheControllerWrites(t *testing.T) {
	for _, test := range waits {
		test.eachKind(t, func(t *testing.T, object map[string]any) {
			result, err := status.Compute(&unstructured.Unstructured{Object: object})
			must(t, err)
			if result.Status != test.kstatus {
				t.Errorf("it is %s, not %s: %s", result.Status, test.kstatus, result.Message)
			}
		})
	}
}
