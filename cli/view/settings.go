package view

import (
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/core/announce"
	"github.com/daymark-lb/daymark/internal/core/lb"
)

// Settings are the flags of the programs that change what they decide.
type Settings struct {
	Classes   lb.Classes
	Options   announce.Options
	PoolGrace time.Duration
	// EvenOut: the speakers even out a spread of layer-2 addresses that has become uneven.
	EvenOut bool
	// Known: they are those that the controller and the speakers are started with; else the defaults.
	Known bool
}

// The names of the programs' objects and containers, as config and the chart have them by default.
const (
	controllerContainer = "controller"
	speakerContainer    = "speaker"
	defaultPoolGrace    = 10 * time.Minute
)

// settings are read from the flags in the Deployment and the DaemonSet.
func (c *Cluster) settings() Settings {
	s := Settings{Classes: lb.Classes{Name: v1beta1.LoadBalancerClass, Classless: true}, PoolGrace: defaultPoolGrace, EvenOut: true}
	for _, d := range c.deployments {
		if flags, found := flagsOf(&d.Spec.Template.Spec, controllerContainer); found && d.Namespace == c.System {
			s.read(flags)
			s.Known = true
		}
	}
	if d := c.SpeakerSet(); d != nil {
		flags, _ := flagsOf(&d.Spec.Template.Spec, speakerContainer)
		after, err := time.ParseDuration(flags["l2-rebalance-after"])
		s.EvenOut = err != nil || after > 0
	}
	return s
}

func (s *Settings) read(flags map[string]string) {
	if name, set := flags["load-balancer-class"]; set {
		s.Classes.Name = name
	}
	s.Classes.Classless = flags["serve-classless"] != "false"
	s.Options.IgnoreExcludeLabel = isTrue(flags, "ignore-exclude-label")
	s.Options.WithdrawOnCordon = isTrue(flags, "withdraw-on-cordon")
	if grace, err := time.ParseDuration(flags["pool-grace"]); err == nil {
		s.PoolGrace = grace
	}
}

func isTrue(flags map[string]string, name string) bool {
	value, set := flags[name]
	return set && value != "false"
}

// flagsOf are the flags that a container is started with, by name; a flag without a value is "true".
func flagsOf(pod *corev1.PodSpec, container string) (map[string]string, bool) {
	for i := range pod.Containers {
		if pod.Containers[i].Name != container {
			continue
		}
		flags := map[string]string{}
		for _, arg := range pod.Containers[i].Args {
			name, value, hasValue := strings.Cut(strings.TrimLeft(arg, "-"), "=")
			if !hasValue {
				value = "true"
			}
			flags[name] = value
		}
		return flags, true
	}
	return nil, false
}
