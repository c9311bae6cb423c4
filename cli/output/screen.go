package output

import (
	"fmt"
	"io"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/cli-runtime/pkg/printers"

	"github.com/daymark-lb/daymark/cli/env"
)

// Screen is where a text for people is written.
type Screen struct {
	io.Writer
	Style Style
	// Wide: the user wants to see more.
	Wide bool
}

// Printf writes a text. Strings among the arguments come from a cluster or a file: each is one line, and cannot do anything to the
// terminal. What Style has made can.
func (s *Screen) Printf(format string, args ...any) {
	fmt.Fprintf(s, format, env.Lines(args)...)
}

// Table writes a table. Columns with a priority are shown when Wide.
func (s *Screen) Table(t *Table, noHeaders bool) error {
	return printers.NewTablePrinter(printers.PrintOptions{Wide: s.Wide, NoHeaders: noHeaders}).PrintObj(t, s)
}

// Table is a table as kubectl prints it.
type Table = metav1.Table

// NewTable returns a table with columns; those whose names begin with + are for -o wide.
func NewTable(columns ...string) *Table {
	t := &Table{}
	for _, name := range columns {
		column := metav1.TableColumnDefinition{Name: name, Type: "string"}
		if name[0] == '+' {
			column.Name, column.Priority = name[1:], 1
		}
		t.ColumnDefinitions = append(t.ColumnDefinitions, column)
	}
	return t
}

// AddRow adds a line to a table. Strings may come from a cluster or a file: each is one line, and cannot do anything to the terminal.
func AddRow(t *Table, cells ...any) {
	t.Rows = append(t.Rows, metav1.TableRow{Cells: env.Lines(cells)})
}

// OrNone is a text, or <none> as kubectl says.
func OrNone(text string) string {
	if text == "" {
		return "<none>"
	}
	return text
}
