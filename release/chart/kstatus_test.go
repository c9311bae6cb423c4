package chart

import (
	"testing"
	"time"

	"github.com/fluxcd/cli-utils/pkg/kstatus/status"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/core/reason"
	written "github.com/daymark-lb/daymark/internal/core/status"
)

// What Helm and Flux wait by, in the library that they use, for the conditions that the controller writes.
func TestKstatus_OfTheConditionsOfAPeer(t *testing.T) {
	ready := func(is bool, why reason.Reason) written.Condition {
		return written.Condition{Type: v1beta1.ConditionReady, True: is, Reason: why}
	}
	away := written.Condition{Type: v1beta1.ConditionSessionsEstablished, Reason: written.NotEstablished}
	for _, test := range []struct {
		name       string
		conditions []written.Condition
		behind     bool
		want       status.Status
	}{
		{"in use, with its sessions", []written.Condition{ready(true, written.InUse)}, false, status.CurrentStatus},
		{"in use, and the router is away", []written.Condition{ready(true, written.InUse), away}, false, status.CurrentStatus},
		{"no node yet", []written.Condition{ready(true, written.Accepted)}, false, status.CurrentStatus},
		{"a typing error", []written.Condition{ready(false, written.Invalid)}, false, status.FailedStatus},
		{"a profile that may come", []written.Condition{ready(false, written.NotFound)}, false, status.InProgressStatus},
		{"an edit that was not looked at", []written.Condition{ready(true, written.InUse)}, true, status.InProgressStatus},
	} {
		t.Run(test.name, func(t *testing.T) {
			peer := &v1beta1.BGPPeer{ObjectMeta: metav1.ObjectMeta{Name: "router", Generation: 2}}
			peer.SetGroupVersionKind(v1beta1.GroupVersion.WithKind("BGPPeer"))
			peer.Status.ObservedGeneration = 2
			if test.behind {
				peer.Status.ObservedGeneration = 1
			}
			written.Write(&peer.Status.Conditions, peer.Status.ObservedGeneration, time.Now(), test.conditions[0], test.conditions[1:]...)
			object, err := runtime.DefaultUnstructuredConverter.ToUnstructured(peer)
			must(t, err)
			result, err := status.Compute(&unstructured.Unstructured{Object: object})
			must(t, err)
			if result.Status != test.want {
				t.Errorf("it is %s: %s", result.Status, result.Message)
			}
		})
	}
}
