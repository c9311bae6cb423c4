package view

import (
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Flags are understood as the controller understands them, in each form that they may have, beside others that are not known here.
func TestSettings_AreReadAsTheControllerReadsThem(t *testing.T) {
	const system = "daymark-system"
	for name, test := range map[string]struct {
		command, args []string
		class         string
		classless     bool
		cordon, known bool
		grace         time.Duration
	}{
		"none":           {nil, nil, "daymark.io/daymark", true, false, true, 10 * time.Minute},
		"with =":         {nil, []string{"--load-balancer-class=a/b", "--serve-classless=false", "--pool-grace=1m"}, "a/b", false, false, true, time.Minute},
		"with a space":   {nil, []string{"--load-balancer-class", "a/b", "--pool-grace", "1m"}, "a/b", true, false, true, time.Minute},
		"a bool alone":   {nil, []string{"--withdraw-on-cordon", "--serve-classless=0"}, "daymark.io/daymark", false, true, true, 10 * time.Minute},
		"F and T":        {nil, []string{"--withdraw-on-cordon=T", "--serve-classless=F"}, "daymark.io/daymark", false, true, true, 10 * time.Minute},
		"others between": {nil, []string{"--namespace", "x", "--v=4", "--withdraw-on-cordon=true"}, "daymark.io/daymark", true, true, true, 10 * time.Minute},
		"in the command": {[]string{"/controller", "--serve-classless=false"}, []string{"--pool-grace=1m"}, "daymark.io/daymark", false, false, true, time.Minute},
		"nonsense":       {nil, []string{"--serve-classless=perhaps", "--pool-grace=1m"}, "daymark.io/daymark", true, false, false, 10 * time.Minute},
	} {
		deployment := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: system, Name: "controller"}}
		deployment.Spec.Template.Spec.Containers = []corev1.Container{{Name: "sidecar"}, {Name: "controller", Command: test.command, Args: test.args}}
		c := &Cluster{Input: Input{System: system}, deployments: []*appsv1.Deployment{deployment}}
		got := c.settings()
		if got.Classes.Name != test.class || got.Classes.Classless != test.classless || got.Options.WithdrawOnCordon != test.cordon ||
			got.PoolGrace != test.grace || got.Known != test.known {
			t.Errorf("%s: %q %q are read as %+v", name, test.command, test.args, got)
		}
	}
}
