package changeover

import (
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/cli/env"
)

const (
	there   = `{"metadata":{"annotations":{"daymark.io/provider":"daymark"},"labels":{"daymark.io/provider":"daymark"}}}`
	andBack = `{"metadata":{"annotations":{"daymark.io/provider":"metallb"},"labels":{"daymark.io/provider":null}}}`
	leaves  = `{"spec":{"serviceSelectors":[{"matchExpressions":[{"key":"daymark.io/provider","operator":"NotIn","values":["daymark"]}]}]}}`
)

// says fails unless a command ends with a status and prints some texts.
func (l *living) says(in, line string, status int, wanted ...string) {
	l.t.Helper()
	out, remarks, got := l.run(in, strings.Fields(line)...)
	for _, text := range wanted {
		if !strings.Contains(out+remarks, text) || got != status {
			l.t.Errorf("%s: status %d, want %d and %q:\n%s%s", line, got, status, text, out, remarks)
		}
	}
}

// wrote fails unless just these were written since it was asked last.
func (l *living) wrote(wanted ...string) {
	l.t.Helper()
	if !slices.Equal(l.writes, wanted) {
		l.t.Errorf("written was %q, want %q", l.writes, wanted)
	}
	l.writes = nil
}

func TestNext_GoesStepByStep(t *testing.T) {
	l := newLiving(t, "start")
	l.after = l.daymark
	l.says("yes\n", "next", 0, "Do it?", "old/both: Daymark's, with 192.0.2.202, after 0s, on n1", "old/too: Daymark's")
	if len(l.writes) != 5 || l.writes[0] != "BGPAdvertisement metallb-system/wan "+leaves || l.writes[1] != "L2Advertisement metallb-system/lan "+leaves {
		t.Errorf("written was %q", l.writes)
	}
	l.writes = nil
	l.says("", "next --yes --timeout=5s", 0, "old/idle")
	l.wrote("Service old/idle " + there)
	l.says("", "next --yes old/ready", 0, "old/ready: Daymark's, with 192.0.2.201, after 0s, on n1")
	l.wrote("Service old/ready " + there)
	l.says("", "next -y old/ready", 0, "has changed over already")
	l.says("", "next -y", 0, "uninstall MetalLB")
	l.wrote()
}

func TestNext_AsksBeforeItWrites(t *testing.T) {
	l := newLiving(t, "start")
	for _, answer := range []string{"", "\n", "no\n", "never mind"} {
		l.says(answer, "next", env.ExitWrong, "kubectl patch l2advertisements.metallb.io lan -n metallb-system", "nothing was changed")
	}
	l.says("y\n", "next old/ready", env.ExitWrong, "old/ready is not ready: the advertisements come first")
	l.wrote()
}

func TestNext_SaysWhatIsMissingAndHowToGoBack(t *testing.T) {
	l := newLiving(t, "start")
	l.says("", "next --yes --timeout=50ms", env.ExitWrong, "no pool has adopted 192.0.2.202", "kubectl daymark migrate back old/both")
	l.writes = nil
	l.says("", "next --yes", env.ExitWrong, "old/both is not whole", "kubectl daymark migrate back old/both")
	l.wrote()
}

// A write that fails in the middle of Services that share an address is made up for by the next one, and nothing is done before.
func TestNext_FinishesWhatWasWrittenInPart(t *testing.T) {
	l := newLiving(t, "start")
	l.after, l.refuses = l.daymark, "too"
	l.says("", "next --yes", env.ExitWrong, "4 of 5 writes were done")
	l.writes = nil
	l.says("", "plan", env.ExitWrong, "old/too shares 192.0.2.202 and was not handed over", "old/both was done in part. kubectl daymark migrate next")
	l.says("", "plan -o yaml", env.ExitWrong, "kubectl patch service too -n old --type=merge -p '"+there+"'")
	l.says("", "next --yes old/ready", env.ExitWrong, "old/ready is to wait: old/both is not whole: old/too shares 192.0.2.202")
	l.says("", "next --yes", env.ExitWrong, "0 of 1 writes were done")
	l.wrote("Service old/too " + there)
	l.refuses = ""
	l.says("", "next --yes old/too", 0, "old/both: Daymark's", "old/too: Daymark's")
	l.wrote("Service old/too " + there)
	l.says("", "next --yes old/ready", 0, "old/ready: Daymark's")
}

// What would lose its address is not handed over to finish a step.
func TestNext_DoesNotFinishAgainstAnything(t *testing.T) {
	l := newLiving(t, "start")
	l.after, l.refuses = l.daymark, "too"
	l.says("", "next --yes", env.ExitWrong)
	l.writes = nil
	l.Items = slices.DeleteFunc(l.Items, func(o runtime.Object) bool {
		_, isPool := o.(*v1beta1.IPAddressPool)
		return isPool
	})
	l.says("", "next --yes", env.ExitWrong, "old/both is not whole. Mend what the message says, or go back")
	l.wrote()
}

func TestNext_NoticesAnotherAddress(t *testing.T) {
	l := newLiving(t, "start")
	l.after = func() {
		for _, item := range l.Items {
			if s, isService := item.(*corev1.Service); isService && s.Name == "both" {
				s.Status.LoadBalancer.Ingress[0].IP = "192.0.2.203"
			}
		}
		l.daymark()
	}
	l.says("", "next --yes --timeout=50ms", env.ExitWrong, "old/both has [192.0.2.203] now, and had [192.0.2.202]")
}

// MetalLB before 0.16 drops the field; nothing more is written then.
func TestNext_StopsWhereMetalLBCannotLeaveOutServices(t *testing.T) {
	l := newLiving(t, "start")
	l.drops = "serviceSelectors"
	l.says("", "next --yes", env.ExitWrong, "BGPAdvertisement metallb-system/wan takes no serviceSelectors: MetalLB before 0.16 has none", "0 of 5 writes were done")
	l.wrote("BGPAdvertisement metallb-system/wan " + leaves)
}

// When MetalLB is uninstalled all is done, with the marks on the Services and without.
func TestPlan_IsFinishedWhenMetalLBIsGone(t *testing.T) {
	l := newLiving(t, "start")
	l.after = l.daymark
	for range 4 {
		l.says("", "next --yes", 0)
	}
	l.uninstalled = true
	for range 2 {
		l.says("", "plan", 0, "MetalLB is gone")
		l.says("", "next --yes", 0, "MetalLB is gone")
		for _, item := range l.Items {
			switch o := item.(type) {
			case *corev1.Service:
				delete(o.Annotations, Label)
				delete(o.Labels, Label)
			case *corev1.Namespace:
				delete(o.Annotations, Label)
			}
		}
	}
}
