package view

import (
	"io"
	"slices"
	"time"

	"github.com/spf13/pflag"
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
		flags, after := flagSet(), time.Duration(1)
		flags.DurationVar(&after, "l2-rebalance-after", after, "")
		s.EvenOut = flags.Parse(args) != nil || after > 0
	}
	return s
}

// read the arguments of the controller as it does itself, and report whether it can be started with them: it says why not, and its Pod fails.
func (s *Settings) read(args []string) (understood bool) {
	read, flags := *s, flagSet()
	flags.StringVar(&read.Classes.Name, "load-balancer-class", read.Classes.Name, "")
	flags.BoolVar(&read.Classes.Classless, "serve-classless", read.Classes.Classless, "")
	flags.BoolVar(&read.Options.IgnoreExcludeLabel, "ignore-exclude-label", false, "")
	flags.BoolVar(&read.Options.WithdrawOnCordon, "withdraw-on-cordon", false, "")
	flags.DurationVar(&read.PoolGrace, "pool-grace", read.PoolGrace, "")
	if flags.Parse(args) != nil {
		return false
	}
	*s = read
	return true
}

// flagSet that passes over flags it does not know.
func flagSet() *pflag.FlagSet {
	flags := pflag.NewFlagSet("", pflag.ContinueOnError)
	flags.ParseErrorsAllowlist.UnknownFlags = true
	flags.SetOutput(io.Discard)
	flags.Usage = func() {}
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
