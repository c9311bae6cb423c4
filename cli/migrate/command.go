package migrate

import (
	"context"
	"errors"
	"strings"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/daymark-lb/daymark/cli/env"
	"github.com/daymark-lb/daymark/cli/migrate/changeover"
	"github.com/daymark-lb/daymark/cli/validate"
)

type options struct {
	*env.Env
	files   []string
	cluster bool
	metallb string
}

// New returns the command, with one for each provider.
func New(e *env.Env) *cobra.Command {
	c := &cobra.Command{
		Use: "migrate", Short: "Come from another provider: its objects, and a living cluster, Service by Service",
		Args: cobra.NoArgs, RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(newMetalLB(e))
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
		Args: cobra.NoArgs, RunE: func(c *cobra.Command, _ []string) error { return o.run(c.Context()) },
	}
	c.Flags().StringSliceVarP(&o.files, "filename", "f", nil, "Files with objects of MetalLB, and Services; - is the standard input")
	c.Flags().BoolVar(&o.cluster, "cluster", false, "Read them from the cluster")
	c.Flags().StringVar(&o.metallb, "metallb-namespace", "metallb-system", "Namespace that MetalLB runs in, for --cluster")
	return c
}

func (o *options) run(ctx context.Context) error {
	if o.cluster == (len(o.files) > 0) {
		return env.Usage(errors.New("give either files with -f, or --cluster"))
	}
	var objects []unstructured.Unstructured
	var err error
	if o.cluster {
		objects, err = o.readCluster(ctx)
	} else {
		objects, err = o.readFiles()
	}
	if err != nil {
		return err
	}
	return o.print(ctx, Convert(objects, o.System))
}

// print what was made and the remarks, and check it.
func (o *options) print(ctx context.Context, result *Result) error {
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
	checked, err := validate.Check(ctx, documents, &validate.Others{System: o.System, Now: o.Now()})
	if err != nil {
		return err
	}
	wrong := false
	for _, finding := range append(found, checked...) {
		o.Warn("%s", finding.String())
		wrong = wrong || finding.Severity == validate.Error
	}
	if len(result.Items) == 0 {
		o.Warn("there is no object of MetalLB")
	}
	if wrong {
		return env.ErrWrong
	}
	return nil
}
