package output

import (
	"bytes"
	"errors"
	"strings"
	"testing"
)

func TestScreen_TextsOfAClusterCannotSteerTheTerminal(t *testing.T) {
	var out bytes.Buffer
	s := &Screen{Writer: &out, Style: Style{on: true}}
	const evil = "evil\x1b[2J\u009b2J\nok: all is well\r"
	s.Printf("%s %v %s\n", evil, errors.New(evil), s.Style.Bad(evil))
	if err := s.Table(table(evil), false); err != nil {
		t.Fatal(err)
	}
	if got := strings.Count(out.String(), "\x1b"); got != 2 {
		t.Errorf("there are %d escape characters, not those of one colour alone: %q", got, out.String())
	}
	if got := strings.Count(out.String(), "\n"); got != 3 || strings.ContainsAny(out.String(), "\u009b\r") {
		t.Errorf("a stranger's text steers the terminal, or is a line of its own: %q", out.String())
	}
}

func TestFlags_NamesOfABundleCannotSteerTheTerminal(t *testing.T) {
	var out bytes.Buffer
	flags := Flags{Format: "name"}
	if err := flags.Print(&out, Result{Names: []string{"service/evil\x1b[2J\u009b2J\nservice/web", "service/ü"}}); err != nil {
		t.Fatal(err)
	}
	if want := `service/evil\x1b[2J\u009b2J\nservice/web` + "\nservice/ü\n"; out.String() != want {
		t.Errorf("it prints %q", out.String())
	}
}

func table(cell string) *Table {
	t := NewTable("Name", "+More")
	AddRow(t, cell, "x")
	return t
}

func TestStyle_NoColourWhereNobodyWantsIt(t *testing.T) {
	var out bytes.Buffer
	if got := StyleOf(&out).Bad("text"); got != "text" {
		t.Errorf("into a file it writes %q", got)
	}
}

func TestFlags_WideShowsMore(t *testing.T) {
	for format, want := range map[string]string{"table": "NAME\na\n", "wide": "NAME   MORE\na      x\n"} {
		var out bytes.Buffer
		flags := Flags{Format: format}
		if err := flags.Print(&out, Result{Table: table("a")}); err != nil || out.String() != want {
			t.Errorf("%s prints %q, error %v", format, out.String(), err)
		}
	}
}
