package output

import (
	"io"
	"os"

	"golang.org/x/term"

	"github.com/daymark-lb/daymark/cli/env"
)

// Style colours words. The zero value leaves them as they are.
type Style struct{ on bool }

// StyleOf an output: colour on a terminal, unless NO_COLOR is set (no-color.org) or the terminal is dumb.
func StyleOf(out io.Writer) Style {
	file, ok := out.(*os.File)
	return Style{ok && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb" && term.IsTerminal(int(file.Fd()))}
}

// Styled is a text that a Style has made: it cannot do anything to the terminal but colour it.
type Styled string

// Bad colours what is wrong.
func (s Style) Bad(text string) Styled { return s.colour("31", text) }

// Warn colours what may be wrong.
func (s Style) Warn(text string) Styled { return s.colour("33", text) }

// Good colours what is as it should be.
func (s Style) Good(text string) Styled { return s.colour("32", text) }

// Bold is for headings.
func (s Style) Bold(text string) Styled { return s.colour("1", text) }

// Dim is for what matters less.
func (s Style) Dim(text string) Styled { return s.colour("2", text) }

func (s Style) colour(code, text string) Styled {
	text = env.Line(text)
	if !s.on || text == "" {
		return Styled(text)
	}
	return Styled("\x1b[" + code + "m" + text + "\x1b[0m")
}
