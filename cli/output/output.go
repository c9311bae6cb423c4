// Package output prints what commands have found: a table or a text for people, JSON, YAML, names and templates for programs. Its one
// job is that all commands do this in the same way, which is kubectl's. It refuses to know what is printed.
package output

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/cli-runtime/pkg/printers"

	"github.com/daymark-lb/daymark/cli/env"
)

// APIVersion of the documents that -o json and -o yaml print. No object of a cluster has it.
const APIVersion = "cli.daymark.io/v1beta1"

// Result is what a command has found.
type Result struct {
	// Kind of the document that -o json and -o yaml print.
	Kind string
	// Value of that document: a struct with json tags.
	Value any
	// Names for -o name, such as service/web.
	Names []string
	// For people: a Table, or else a Text.
	Table *Table
	Text  func(*Screen)
}

// Flags are -o and those that belong to it.
type Flags struct {
	Format    string
	NoHeaders bool
	documents *genericclioptions.JSONYamlPrintFlags
	templates *genericclioptions.KubeTemplatePrintFlags
}

// Add the flags to a command.
func (f *Flags) Add(c *cobra.Command) {
	f.documents, f.templates = &genericclioptions.JSONYamlPrintFlags{}, genericclioptions.NewKubeTemplatePrintFlags()
	c.Flags().StringVarP(&f.Format, "output", "o", f.Format, "Output format: "+strings.Join(f.formats(), ", "))
	c.Flags().BoolVar(&f.NoHeaders, "no-headers", false, "Print no headers of tables")
	f.templates.AddFlags(c)
	c.PreRunE = func(*cobra.Command, []string) error { return f.check() } // before a cluster is read
	_ = c.RegisterFlagCompletionFunc("output", func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return f.formats(), cobra.ShellCompDirectiveNoFileComp
	})
}

func (f *Flags) formats() []string {
	return slices.Concat([]string{"table", "wide", "name"}, f.documents.AllowedFormats(), f.templates.AllowedFormats())
}

// Print a result.
func (f *Flags) Print(out io.Writer, r Result) error {
	switch f.Format {
	case "", "table", "wide":
		return f.people(out, r)
	case "name":
		for _, name := range r.Names {
			fmt.Fprintln(out, env.Line(name))
		}
		return nil
	}
	printer, err := f.printer()
	if err != nil {
		return err
	}
	document, err := r.document()
	if err != nil {
		return err
	}
	return printer.PrintObj(document, out)
}

// check returns an error of the command line when -o is none that can be printed.
func (f *Flags) check() error {
	switch f.Format {
	case "", "table", "wide", "name":
		return nil
	}
	_, err := f.printer()
	return env.Usage(err)
}

// printer for programs.
func (f *Flags) printer() (printers.ResourcePrinter, error) {
	printer, err := f.documents.ToPrinter(f.Format)
	if !genericclioptions.IsNoCompatiblePrinterError(err) {
		return printer, err
	}
	printer, err = f.templates.ToPrinter(f.Format)
	if genericclioptions.IsNoCompatiblePrinterError(err) {
		return nil, env.Usage(fmt.Errorf("-o %s is none of %s", f.Format, strings.Join(f.formats(), ", ")))
	}
	return printer, err
}

// document is the value with an apiVersion and a kind.
func (r *Result) document() (*unstructured.Unstructured, error) {
	text, err := json.Marshal(r.Value)
	if err != nil {
		return nil, fmt.Errorf("encode the result: %w", err)
	}
	document := &unstructured.Unstructured{}
	if err := json.Unmarshal(text, &document.Object); err != nil {
		return nil, fmt.Errorf("encode the result: %w", err)
	}
	document.SetAPIVersion(APIVersion)
	document.SetKind(r.Kind)
	return document, nil
}

func (f *Flags) people(out io.Writer, r Result) error {
	screen := &Screen{Writer: out, Style: StyleOf(out), Wide: f.Format == "wide"}
	if r.Table == nil {
		r.Text(screen)
		return nil
	}
	return screen.Table(r.Table, f.NoHeaders)
}
