package migrate

import (
	"context"
	"errors"
	"strings"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/daymark-lb/daymark/cli/env"
	"github.com/daymark-lb/daymark/cli/migrate/changeover"
	"github.com/daymark-lb/daymark/cli/source"
	"github.com/daymark-lb/daymark/cli/validate"
)

type options struct {
	*env.Env
	files   []string
	cluster bool
	metallb string
	// partial: not all of a cluster could be read, or unreadable of the files.
	partial, unreadable bool
}

// New returns the command, with one for each provider.
func New(e *env.Env) *cobra.Command {
	c := &cobra.Command{
		Use: "migrate", Short: "Come from another provider: its objects, and a living cluster, Service by Service",
		Args: cobra.NoArgs, RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(newMetalLB(e), newOthers(e), newExternal(e))
	c.AddCommand(changeover.Commands(e)...)
	return c
}

func newMetalLB(e *env.Env) *cobra.Command {
	o := &options{Env: e}
	c := &cobra.Command{
		Use: "metallb (-f FILE... | --cluster)", Short: "Make Daymark's objects of MetalLB's",
		Long: `Prints Daymark's objects for those of MetalLB, of all its versions, the ConfigMap of 0.12 and before included. Each field is carried
over, or named with the reason, above the object and on stderr. Of Services it says what is to be changed. Nothing is written to a cluster,
and no Secret of one is read. What is printed was checked as "kubectl daymark validate" does; exit status 1 when that finds an error.`,
		Example: `  kubectl daymark migrate metallb --cluster > daymark.yaml
  kubectl daymark migrate metallb -f metallb.yaml -f services.yaml > daymark.yaml
  helm template CHART | kubectl daymark migrate metallb -f - > daymark.yaml`,
		Args: env.Args(cobra.NoArgs), RunE: func(c *cobra.Command, _ []string) error {
			objects, err := o.read(c.Context(), o.queriesOfMetalLB())
			if err != nil {
				return err
			}
			return o.print(c.Context(), Convert(objects, o.System), nil, "there is no object of MetalLB")
		},
	}
	o.addFlags(c, "Files with objects of MetalLB, and Services; - is the standard input")
	c.Flags().StringVar(&o.metallb, "metallb-namespace", "metallb-system", "Namespace that MetalLB runs in, for --cluster")
	return c
}

func newOthers(e *env.Env) *cobra.Command {
	o := &options{Env: e}
	c := &cobra.Command{
		Use: "others (-f FILE... | --cluster)", Short: "Make Daymark's objects of those of kube-vip, PureLB and Cilium's LB IPAM",
		Long: `Prints pools for the ConfigMap kubevip, ServiceGroups of PureLB and CiliumLoadBalancerIPPools, and L2Advertisements for
CiliumL2AnnouncementPolicies; stderr says what is not carried over, and which annotations of Services to write anew. Nothing is written to a
cluster. What is printed was checked as "kubectl daymark validate" does; exit status 1 when that finds an error.`,
		Example: `  kubectl daymark migrate others --cluster > daymark.yaml
  kubectl daymark migrate others -f cilium.yaml -f services.yaml > daymark.yaml`,
		Args: env.Args(cobra.NoArgs), RunE: func(c *cobra.Command, _ []string) error {
			objects, err := o.read(c.Context(), queriesOfOthers())
			if err != nil {
				return err
			}
			return o.print(c.Context(), Convert(objects, o.System), nil, "there is no object of kube-vip, PureLB or Cilium")
		},
	}
	o.addFlags(c, "Files with their objects, and Services; - is the standard input")
	return c
}

func newExternal(e *env.Env) *cobra.Command {
	o := &options{Env: e}
	c := &cobra.Command{
		Use: "external-ips (-f FILE... | --cluster)", Short: "Make pools and reservations of spec.externalIPs of Services",
		Long: `Prints a pool of the addresses in spec.externalIPs of Services, and an IPReservation for each Service; stderr has the commands by which
each Service asks for its addresses. Kubernetes 1.36 deprecates the field, 1.40 has it off. Nothing is written to a cluster. What is
printed was checked as "kubectl daymark validate" does; exit status 1 when that finds an error.`,
		Example: `  kubectl daymark migrate external-ips --cluster > pools.yaml
  kubectl daymark migrate external-ips -f services.yaml -f nodes.yaml`,
		Args: env.Args(cobra.NoArgs), RunE: func(c *cobra.Command, _ []string) error {
			objects, err := o.read(c.Context(), []source.Query{{Kind: source.Services}, {Kind: source.Namespaces}, {Kind: source.Nodes}, {Kind: source.Pools}})
			if err != nil {
				return err
			}
			result, pools, err := External(objects)
			if err != nil {
				return err
			}
			return o.print(c.Context(), result, pools, "no Service has spec.externalIPs that Daymark can give")
		},
	}
	o.addFlags(c, "Files with Services, and Nodes and Daymark's pools, if they are to be looked at; - is the standard input")
	return c
}

func (o *options) addFlags(c *cobra.Command, files string) {
	c.Flags().StringSliceVarP(&o.files, "filename", "f", nil, files)
	c.Flags().BoolVar(&o.cluster, "cluster", false, "Read them from the cluster")
}

// read the files, or what queries find in the cluster.
func (o *options) read(ctx context.Context, queries []source.Query) ([]unstructured.Unstructured, error) {
	if o.cluster == (len(o.files) > 0) {
		return nil, env.Usage(errors.New("give either files with -f, or --cluster"))
	}
	if o.cluster {
		return o.readCluster(ctx, queries)
	}
	return o.readFiles()
}

// print what was made and the remarks, and check it among others; none is what to say when nothing was made.
func (o *options) print(ctx context.Context, result *Result, others []runtime.Object, none string) error {
	text, err := result.YAML()
	if err != nil {
		return err
	}
	if _, err := o.Out.Write([]byte(text)); err != nil {
		return err
	}
	for _, remark := range result.All() {
		o.Warn("%s", line(remark.String()))
	}
	documents, found := validate.Read("output", strings.NewReader(text))
	checked, err := validate.Check(ctx, documents, &validate.Others{System: o.System, Now: o.Now(), Objects: others})
	if err != nil {
		return err
	}
	wrong := o.partial || o.unreadable
	for _, finding := range append(found, checked...) {
		o.Warn("%s", finding.String())
		wrong = wrong || finding.Severity == validate.Error
	}
	switch {
	case o.partial:
		o.Warn("this is not all: what you may not list is missing")
	case o.unreadable:
		o.Warn("this is not all: what could not be read is missing")
	case len(result.Items) == 0:
		o.Warn("%s", none)
	}
	if wrong {
		return env.ErrWrong
	}
	return nil
}
