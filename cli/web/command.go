// Package web is the command that shows a cluster as a page in a browser, with the rights of its user. Its one job is to lay out what
// package view computes, again whenever something changes. It serves this machine alone, and refuses to change anything.
package web

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/daymark-lb/daymark/cli/env"
	"github.com/daymark-lb/daymark/cli/source"
)

// interval is the shortest time between two looks at what has changed.
const interval = 250 * time.Millisecond

type options struct {
	*env.Env
	port uint16
}

// New returns the command.
func New(e *env.Env) *cobra.Command {
	o := &options{Env: e}
	c := &cobra.Command{
		Use: "web", Args: env.Args(cobra.NoArgs),
		Short: "Serve a page to this machine's browser: the network as a picture, Services, problems, fail-overs as they happen",
		Example: `  kubectl daymark web                   # then open http://localhost:8686
  kubectl daymark web --port 0          # any free port
  kubectl daymark web --from bundle.tgz`,
		RunE: func(c *cobra.Command, _ []string) error { return o.run(c.Context()) },
	}
	c.Flags().Uint16Var(&o.port, "port", 8686, "Port of localhost to serve the page at; 0: a free one")
	return c
}

// run serves the page until ctx ends.
func (o *options) run(ctx context.Context) error {
	namespace, _, err := o.Namespace()
	if err != nil {
		return err
	}
	from, err := o.Source()
	if err != nil {
		return err
	}
	if err := o.FindSystem(ctx); err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	all, err := from.Follow(ctx, interval, o.queries(namespace)...)
	if err != nil {
		return err
	}
	first := <-all
	if err := first.Usable(); err != nil {
		return err
	}
	o.WarnOfGaps(first.Gaps)
	k := newKeeper(o.Env, first)
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(int(o.port))))
	if err != nil {
		return fmt.Errorf("listen: %w (--port 0 takes a free port)", err)
	}
	fmt.Fprintf(o.Out, "http://localhost:%d\n", listener.Addr().(*net.TCPAddr).Port)
	o.Warn("Ctrl-C ends it.")
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { k.follow(ctx, all); return nil })
	group.Go(func() error { source.Probe(ctx, from, o.ProbeQuery(), k.tell); return nil })
	group.Go(func() error { return serve(ctx, listener, newHandler(k)) })
	return group.Wait()
}

// queries for what the page shows. Events of all Services would be more than all else; those of the controller are the ones that matter.
func (o *options) queries(namespace string) []source.Query {
	return append(
		o.World(namespace),
		source.Query{Kind: source.Leases, Namespace: o.System, Name: "daymark-controller", Optional: true},
		source.Query{Kind: source.Events, Instead: namespace, Optional: true, Fields: "reportingController=daymark.io/controller"},
	)
}

// serve until ctx ends. Who is connected then is cut off: pages wait for changes for ever.
func serve(ctx context.Context, listener net.Listener, handler http.Handler) error {
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second}
	defer context.AfterFunc(ctx, func() { _ = server.Close() })()
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve: %w", err)
	}
	return nil
}
