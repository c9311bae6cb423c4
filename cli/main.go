// Command kubectl-daymark (kubectl daymark) shows what Daymark does: which addresses Services have and why, who announces them and
// why not, and what would be if something were otherwise. What it says of the cluster is computed by the packages that the daemons
// decide with. This package is the list of the commands and refuses to be more.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/go-logr/logr"
	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"k8s.io/cli-runtime/pkg/printers"
	"k8s.io/klog/v2"

	"github.com/daymark-lb/daymark/cli/bundle"
	"github.com/daymark-lb/daymark/cli/check"
	"github.com/daymark-lb/daymark/cli/drain"
	"github.com/daymark-lb/daymark/cli/env"
	"github.com/daymark-lb/daymark/cli/explain"
	"github.com/daymark-lb/daymark/cli/migrate"
	"github.com/daymark-lb/daymark/cli/routes"
	"github.com/daymark-lb/daymark/cli/services"
	"github.com/daymark-lb/daymark/cli/simulate"
	"github.com/daymark-lb/daymark/cli/status"
	"github.com/daymark-lb/daymark/cli/test"
	"github.com/daymark-lb/daymark/cli/trace"
	"github.com/daymark-lb/daymark/cli/validate"
	"github.com/daymark-lb/daymark/cli/version"
	"github.com/daymark-lb/daymark/cli/watch"
	"github.com/daymark-lb/daymark/cli/web"
	build "github.com/daymark-lb/daymark/internal/version"
)

// groups of commands, in the order of the help. To add a command, write a package with a constructor and add that here.
var groups = []struct {
	title    string
	commands []func(*env.Env) *cobra.Command
}{
	{"See what is:", []func(*env.Env) *cobra.Command{status.New, status.NewProblems, services.New, routes.New, watch.New, web.New, version.New}},
	{"Ask why:", []func(*env.Env) *cobra.Command{explain.New, trace.New}},
	{"Ask others:", []func(*env.Env) *cobra.Command{bundle.New}},
	{"Before you change something:", []func(*env.Env) *cobra.Command{check.New, simulate.New, simulate.NewDiff, validate.New, migrate.New}},
	{"Take a node out:", []func(*env.Env) *cobra.Command{drain.New}},
	{"Try it:", []func(*env.Env) *cobra.Command{test.New}},
}

// completer is the name under which kubectl looks for a program that completes the words of this one.
const completer = "kubectl_complete-daymark"

func main() {
	klog.SetLogger(logr.Discard()) // Informers log what a command says in its own words, onto a terminal that is a screen.
	ctx, stop := signal.NotifyContext(context.Background(), ending()...)
	err := run(ctx, os.Args, genericiooptions.IOStreams{In: os.Stdin, Out: os.Stdout, ErrOut: os.Stderr})
	stop()
	os.Exit(env.ExitStatus(err))
}

// ending are the signals that end a command in order. That a terminal is closed does not, where nohup has it ignored.
func ending() []os.Signal {
	all := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) {
		all = append(all, syscall.SIGHUP)
	}
	return all
}

// run the program with a command line, its own name included.
func run(ctx context.Context, args []string, streams genericiooptions.IOStreams) error {
	own, words := args[0], args[1:]
	if strings.TrimSuffix(filepath.Base(own), ".exe") == completer {
		words = append([]string{cobra.ShellCompRequestCmd}, words...)
	}
	return execute(ctx, env.New(streams), words)
}

// execute words in an environment, and say what went wrong.
func execute(ctx context.Context, e *env.Env, words []string) error {
	out := &outputWriter{Writer: e.Out}
	if !printers.IsTerminal(e.Out) { // a terminal is asked for its size
		e.Out = out
	}
	root := newRoot(e)
	root.SetArgs(words)
	err := root.ExecuteContext(ctx)
	if err != nil && strings.HasPrefix(err.Error(), "unknown command") {
		err = env.Usage(err)
	}
	if written := out.Failed(); written != nil && (err == nil || errors.Is(err, env.ErrWrong)) {
		err = written
	}
	if err != nil && !errors.Is(err, env.ErrWrong) {
		e.Warn("error: %v", err)
	}
	return err
}

// outputWriter remembers that something could not be written: a file is not whole then, and no command asks after each line.
// What goes on until it is ended asks by Env.Written.
type outputWriter struct {
	io.Writer
	err error
}

func (w *outputWriter) Write(text []byte) (n int, err error) {
	n, err = w.Writer.Write(text)
	if err != nil && w.err == nil {
		w.err = err
	}
	return n, err
}

// Failed is the error of the first thing that could not be written.
func (w *outputWriter) Failed() error {
	if w.err == nil {
		return nil
	}
	return fmt.Errorf("not all was written: %w", w.err)
}

func newRoot(e *env.Env) *cobra.Command {
	root := &cobra.Command{
		Use: "kubectl-daymark", Short: "See what Daymark does for Services of type LoadBalancer, ask why, and try things out",
		Annotations: map[string]string{cobra.CommandDisplayNameAnnotation: "kubectl daymark"},
		Version:     build.Get().String(), SilenceUsage: true, SilenceErrors: true,
	}
	root.SetOut(e.Out)
	root.SetErr(e.ErrOut)
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return env.Usage(err) })
	e.AddFlags(root.PersistentFlags())
	e.CompleteFlags(root)
	root.SetUsageTemplate(strings.Replace(root.UsageTemplate(), "{{.InheritedFlags.FlagUsages | trimTrailingWhitespaces}}",
		`  Those of kubectl, such as -n, --context and --from FILE: see "kubectl daymark --help".`, 1))
	for _, group := range groups {
		root.AddGroup(&cobra.Group{ID: group.title, Title: group.title})
		for _, command := range group.commands {
			c := command(e)
			c.GroupID = group.title
			root.AddCommand(c)
		}
	}
	return root
}
