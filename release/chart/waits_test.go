package chart

import (
	"testing"
	"time"

	"github.com/fluxcd/cli-utils/pkg/kstatus/status"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/core/reason"
	written "github.com/daymark-lb/daymark/internal/core/status"
)

// wait is a status that the controller writes, and what programs that wait for an object are to make of it (docs/ready.md).
type wait struct {
	name string
	// generation of the object that the status is about; the object is of generation 2.
	observed   int64
	conditions []written.Condition
	kstatus    status.Status
	// argoCD is the word of Argo CD, and message what it is to show; empty: any.
	argoCD, message string
}

var waits = []wait{
	{"new", -1, nil, status.InProgressStatus, "Progressing", "not looked at yet"},
	{"in use, with its sessions", 2, []written.Condition{ready(true, written.InUse, "")}, status.CurrentStatus, "Healthy", ""},
	{
		"in use, and the router is away", 2,
		[]written.Condition{ready(true, written.InUse, ""), {Type: v1beta1.ConditionSessionsEstablished, Reason: written.NotEstablished}},
		status.CurrentStatus, "Healthy", "",
	},
	{"no node yet", 2, []written.Condition{ready(true, written.Accepted, "no node is there")}, status.CurrentStatus, "Healthy", "no node is there"},
	{"a typing error", 2, []written.Condition{ready(false, written.Invalid, "no such word")}, status.FailedStatus, "Degraded", "no such word"},
	{"a profile that may come", 2, []written.Condition{ready(false, written.NotFound, "no profile")}, status.InProgressStatus, "Progressing", "no profile"},
	{"an edit that was not looked at", 1, []written.Condition{ready(true, written.InUse, "")}, status.InProgressStatus, "Progressing", "not looked at yet"},
	{"an edit of a typing error", 1, []written.Condition{ready(false, written.Invalid, "")}, status.InProgressStatus, "Progressing", "not looked at yet"},
}

func ready(is bool, why reason.Reason, message string) written.Condition {
	return written.Condition{Type: v1beta1.ConditionReady, True: is, Reason: why, Message: message}
}

// kindsWithStatus are those that a program may wait for.
var kindsWithStatus = []string{"IPAddressPool", "IPReservation", "L2Advertisement", "BGPAdvertisement", "BGPPeer", "BFDProfile", "Community"}

// eachKind runs a test with an object of each kind that has the status.
func (w wait) eachKind(t *testing.T, test func(t *testing.T, object map[string]any)) {
	t.Helper()
	var conditions []metav1.Condition
	if len(w.conditions) > 0 {
		written.Write(&conditions, w.observed, time.Unix(1, 0), w.conditions[0], w.conditions[1:]...)
	}
	for _, kind := range kindsWithStatus {
		t.Run(w.name+"/"+kind, func(t *testing.T) {
			object, err := runtime.DefaultUnstructuredConverter.ToUnstructured(&struct {
				metav1.TypeMeta   `json:",inline"`
				metav1.ObjectMeta `json:"metadata"`
				Status            any `json:"status"`
			}{
				metav1.TypeMeta{APIVersion: v1beta1.GroupVersion.String(), Kind: kind},
				metav1.ObjectMeta{Name: "waited-for", Generation: 2},
				struct {
					ObservedGeneration int64              `json:"observedGeneration"`
					Conditions         []metav1.Condition `json:"conditions,omitempty"`
				}{w.observed, conditions},
			})
			must(t, err)
			test(t, object)
		})
	}
}
