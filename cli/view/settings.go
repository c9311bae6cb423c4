package view

import (
	"slices"
	"strconv"
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
		if args, found := argsOf(&d.Spec.Template.Spec, controllerContainer); found && d.Namespace == c.System {
			s.Known = s.read(args)
		}
	}
	if d := c.SpeakerSet(); d != nil {
		args, _ := argsOf(&d.Spec.Template.Spec, speakerContainer)
		after, err := time.ParseDuration(parse(args)["l2-rebalance-after"])
		s.EvenOut = err != nil || after > 0
	}
	return s
}

// read the arguments of the controller as it does itself, and report whether it can be started with them: it says why not, and its Pod fails.
func (s *Settings) read(args []string) (understood bool) {
	read, flags, understood := *s, parse(args), true
	if name, set := flags["load-balancer-class"]; set {
		read.Classes.Name = name
	}
	for name, to := range map[string]*bool{
		"serve-classless": &read.Classes.Classless, "ignore-exclude-label": &read.Options.IgnoreExcludeLabel,
		"withdraw-on-cordon": &read.Options.WithdrawOnCordon,
	} {
		if text, set := flags[name]; set {
			value, err := strconv.ParseBool(text)
			*to, understood = value, understood && err == nil
		}
	}
	if text, set := flags["pool-grace"]; set {
		grace, err := time.ParseDuration(text)
		read.PoolGrace, understood = grace, understood && err == nil
	}
	if understood {
		*s = read
	}
	return understood
}

// switches are the flags that need no value.
var switches = []string{"serve-classless", "ignore-exclude-label", "withdraw-on-cordon"}

// parse arguments into flags by name, in the forms that the programs understand: --name=value, --name value, and of a switch --name alone.
func parse(args []string) map[string]string {
	flags := map[string]string{}
	for i := 0; i < len(args); i++ {
		name, value, has := strings.Cut(strings.TrimPrefix(args[i], "--"), "=")
		switch {
		case !strings.HasPrefix(args[i], "--"):
			continue
		case has:
		case slices.Contains(switches, name):
			value = "true"
		case i+1 < len(args) && !strings.HasPrefix(args[i+1], "-"):
			i++
			value = args[i]
		}
		flags[name] = value
	}
	return flags
}

// argsOf are the arguments that a container is started with, after the program's name.
func argsOf(pod *corev1.PodSpec, container string) ([]string, bool) {
	for i := range pod.Containers {
		if c := &pod.Containers[i]; c.Name == container {
			var args []string
			if len(c.Command) > 1 {
				args = c.Command[1:]
			}
			return slices.Concat(args, c.Args), true
		}
	}
	return nil, false
}
