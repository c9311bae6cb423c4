// Package test is the command that tries whether a new Service gets an address that can be reached, from the request to the answer. Its one
// job is to make a Service, to wait, to ask, and to leave nothing behind. Why something does not work package explain says.
package test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/util/duration"

	"github.com/daymark-lb/daymark/cli/env"
	"github.com/daymark-lb/daymark/cli/explain"
	"github.com/daymark-lb/daymark/cli/output"
	"github.com/daymark-lb/daymark/cli/source"
)

// defaultImage serves the name of the Pod by HTTP, as Kubernetes' own tests have it do.
const defaultImage = "registry.k8s.io/e2e-test-images/agnhost:2.66.1"

type options struct {
	*env.Env
	output.Flags
	image, backend, pool string
	timeout              time.Duration
	keep                 bool
	// dial an address from this machine.
	dial func(ctx context.Context, network, address string) (net.Conn, error)
	// networks that this machine is in.
	networks func() ([]net.Addr, error)
	// neighbors of this machine in its segments, as its kernel knows them by ARP and NDP.
	neighbors func() ([]neighbor, error)
}

// New returns the command.
func New(e *env.Env) *cobra.Command {
	return (&options{Env: e, dial: (&net.Dialer{Timeout: dialTime}).DialContext, networks: net.InterfaceAddrs, neighbors: neighbors}).command()
}

func (o *options) command() *cobra.Command {
	c := &cobra.Command{
		Use: "test", Args: env.Args(cobra.NoArgs),
		Short: "Make a Service, wait for its address, ask for it from here, and remove it; status 1 if something does not work",
		Example: `  kubectl daymark test
  kubectl daymark test --backend web --pool lan # without a Pod of its own
  kubectl daymark test --image registry.example.com/agnhost:2.66.1`,
		RunE: func(c *cobra.Command, _ []string) error { return o.run(c.Context()) },
	}
	o.Add(c)
	c.Flags().StringVar(&o.image, "image", defaultImage, "Image of the Pod, which is started with the arguments serve-hostname --port=8080 and answers GET / with its name")
	c.Flags().StringVar(&o.backend, "backend", "", "Existing Service whose Pods and ports are used, instead of a Pod of its own")
	c.Flags().StringVar(&o.pool, "pool", "", "IPAddressPool to ask for an address")
	c.Flags().DurationVar(&o.timeout, "timeout", time.Minute, "Time until all must work")
	c.Flags().BoolVar(&o.keep, "keep", false, "Do not remove the Service and the Pod")
	_ = c.RegisterFlagCompletionFunc("pool", o.CompleteKind(0, source.Pools))
	_ = c.RegisterFlagCompletionFunc("backend", o.Complete(0, func() []source.Query {
		namespace, _, _ := o.Namespace()
		return []source.Query{{Kind: source.Services, Namespace: namespace}}
	}, nil))
	return c
}

func (o *options) run(ctx context.Context) error {
	t, err := o.prepare(ctx)
	if err != nil {
		return err
	}
	if !o.keep {
		defer survivePipes()()
		defer t.remove()
	}
	trying, cancel := context.WithTimeout(ctx, o.timeout)
	defer cancel()
	failed := t.try(trying)
	if ctx.Err() != nil {
		return errors.New("interrupted")
	}
	if err := o.Print(o.Out, output.Result{Kind: "TestReport", Value: &t.Report, Names: []string{"service/" + t.Name}, Text: t.text}); err != nil {
		return err
	}
	if !failed {
		return nil
	}
	if people := o.Format == "" || o.Format == "table" || o.Format == "wide"; people && t.service.UID != "" {
		fmt.Fprintln(o.Out)
		if err := explain.Service(ctx, o.Env, t.Namespace, t.Name); err != nil && !errors.Is(err, env.ErrWrong) {
			o.Warn("explain: %v", err)
		}
	}
	return env.ErrWrong
}

// survivePipes until the function that it returns is called: a write that nobody reads is an error then, and does not end the process
// before it has removed what it made.
func survivePipes() (stop func()) {
	broken := make(chan os.Signal, 1)
	signal.Notify(broken, syscall.SIGPIPE)
	return func() { signal.Stop(broken) }
}

// Report of what worked.
type Report struct {
	Namespace string `json:"namespace"`
	// Name of the Service that was made.
	Name  string `json:"name"`
	Steps []Step `json:"steps"`
}

// Step of the way from the request to the answer.
type Step struct {
	Name    string `json:"name"`
	OK      bool   `json:"ok"`
	Message string `json:"message"`
	// AfterMillis is the time since the Service was made.
	AfterMillis int64 `json:"afterMillis"`
	// Note says why it may be well that it did not work; such a step is no failure.
	Note string `json:"note,omitempty"`
}

func (t *trial) text(s *output.Screen) {
	for i := range t.Steps {
		step := &t.Steps[i]
		state := s.Style.Good("works ")
		switch {
		case step.Note != "":
			state = s.Style.Warn("note  ")
		case !step.OK:
			state = s.Style.Bad("failed")
		}
		s.Printf("%s %7s  %-10s %s\n", state, after(step.AfterMillis), step.Name, step.Message)
		if step.Note != "" {
			s.Printf("                           %s\n", step.Note)
		}
	}
}

// after is a time, exact while it is short.
func after(millis int64) string {
	d := time.Duration(millis) * time.Millisecond
	if d < 10*time.Second {
		return fmt.Sprintf("%.2fs", d.Seconds())
	}
	return duration.HumanDuration(d)
}

// segmentOf is the network of this machine that has an address; empty: none has.
func (o *options) segmentOf(a netip.Addr) string {
	all, err := o.networks()
	if err != nil {
		return ""
	}
	for _, network := range all {
		if p, err := netip.ParsePrefix(network.String()); err == nil && p.Masked().Contains(a) && !p.IsSingleIP() {
			return p.String()
		}
	}
	return ""
}
