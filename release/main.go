// Command release makes everything that is published of a version of Daymark, and pushes its images and its chart. `make release` runs it. It
// is a module of its own, so that the libraries it needs are not among the product's. It refuses to publish anything else:
// files are left in a folder.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"

	"github.com/spf13/cobra"

	"github.com/daymark-lb/daymark/release/build"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := newCommand(os.Stdout).ExecuteContext(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "release:", err)
		os.Exit(1)
	}
}

func newCommand(out io.Writer) *cobra.Command {
	root := &cobra.Command{
		Use: "release", Short: "Makes what is published of a version of Daymark", SilenceUsage: true, SilenceErrors: true,
	}
	root.AddCommand(makeCommand(out), pushCommand(out))
	return root
}

func makeCommand(out io.Writer) *cobra.Command {
	var o options
	var platforms string
	command := &cobra.Command{
		Use: "make", Short: "Write programs, images, manifests and checksums into a folder", Args: cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			var err error
			if o.platforms, err = build.Parse(platforms); err != nil {
				return err
			}
			return makeAll(command.Context(), o, out)
		},
	}
	flags := command.Flags()
	flags.StringVar(&o.root, "root", ".", "the checkout of Daymark")
	flags.StringVar(&o.out, "out", "dist", "the folder to write into, which must be empty or missing")
	flags.StringVar(&o.version, "version", "", "the version, as v1.2.3")
	flags.StringVar(&o.prefix, "image-prefix", "", "what the images' names begin with, as ghcr.io/daymark-lb")
	flags.StringVar(&o.key, "key", "", "sign SHA256SUMS with the private key in this file")
	flags.StringVar(&platforms, "platforms", "", "platforms separated by commas, as linux/amd64,linux/arm/v7 (default: all)")
	for _, name := range []string{"version", "image-prefix"} {
		if err := command.MarkFlagRequired(name); err != nil {
			panic(err)
		}
	}
	return command
}

func pushCommand(out io.Writer) *cobra.Command {
	var to destination
	command := &cobra.Command{
		Use: "push FOLDER", Short: "Push the images and the chart that make has written into the folder", Args: cobra.ExactArgs(1),
		RunE: func(command *cobra.Command, args []string) error {
			return push(command.Context(), args[0], to, out)
		},
	}
	command.Flags().StringVar(&to.registry, "registry", "",
		"push to this registry, host or host:port, under the same path (default: that of the names)")
	command.Flags().BoolVar(&to.plain, "plain-http", false, "speak HTTP with the registry")
	command.Flags().StringVar(&to.key, "key", "", "sign what is pushed with the private key in this file")
	return command
}
