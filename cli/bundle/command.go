// Package bundle is the command that writes what somebody else needs to see what is wrong: objects, logs, metrics, versions, the findings of
// check. Its one job is a file that all commands read by --from, that is bounded, and that says what is not in it. It refuses to read
// Secrets, and leaves out what may be one.
package bundle

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/printers"

	"github.com/daymark-lb/daymark/cli/env"
)

type options struct {
	*env.Env
	file   string
	since  time.Duration
	redact bool
}

// New returns the command.
func New(e *env.Env) *cobra.Command {
	o := &options{Env: e}
	c := &cobra.Command{
		Use: "bundle", Args: env.Args(cobra.NoArgs),
		Short: "Write objects, logs and metrics into a file that others can look at; all commands read it by --from",
		Example: `  kubectl daymark bundle
  kubectl daymark bundle --redact               # with other names and addresses
  kubectl daymark bundle --since 10m -o - | ssh support 'cat > bundle.tgz'
  kubectl daymark status --from bundle.tgz`,
		RunE: func(c *cobra.Command, _ []string) error { return o.run(c.Context()) },
	}
	c.Flags().StringVarP(&o.file, "output", "o", "", `File to write, - for stdout (default "daymark-bundle-TIME.tgz")`)
	c.Flags().DurationVar(&o.since, "since", time.Hour, "Age of the oldest lines of logs; 0: there is no limit")
	c.Flags().BoolVar(&o.redact, "redact", false, "Put other names and addresses in the place of those of the cluster, the same everywhere")
	return c
}

func (o *options) run(ctx context.Context) error {
	if o.since < 0 {
		return env.Usage(errors.New("--since is negative"))
	}
	if o.file == "-" && printers.IsTerminal(o.Out) {
		return env.Usage(errors.New("a bundle is nothing for a terminal: name a file"))
	}
	c, err := o.collect(ctx)
	if err != nil {
		return err
	}
	if o.redact {
		if err := c.redact(o.System); err != nil {
			return err
		}
	}
	for _, text := range c.manifest.Missing {
		o.Warn("not in the bundle: %s", text)
	}
	if err := o.write(c); err != nil {
		return err
	}
	if !o.redact {
		o.Warn("It has names and addresses of the cluster. Look into it before you give it away, or use --redact.")
	}
	return nil
}

// write the bundle, into a file for nobody else to read; a file that could not be written whole is removed. What is no file, such as
// /dev/stdout, stays as it is, and its name is not printed, which may go to the same place.
func (o *options) write(c *contents) (err error) {
	if o.file == "-" {
		return c.write(o.Out)
	}
	name := o.file
	if name == "" {
		name = "daymark-bundle-" + c.manifest.Time.UTC().Format("20060102-150405") + ".tgz"
	}
	file, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	named, err := os.Lstat(name)
	if err != nil || !named.Mode().IsRegular() {
		return errors.Join(err, c.write(file), file.Close())
	}
	defer func() {
		if err = errors.Join(err, file.Close()); err != nil {
			_ = os.Remove(name) // that it was not written is said already
		}
	}()
	if err := errors.Join(file.Chmod(0o600), c.write(file)); err != nil { // one that was there has a mode already
		return err
	}
	size, err := file.Seek(0, io.SeekCurrent)
	if err != nil {
		return err
	}
	o.Warn("%d objects and %d files, %d KiB:", c.count(), len(c.files), (size+1023)>>10)
	fmt.Fprintln(o.Out, name)
	return nil
}
