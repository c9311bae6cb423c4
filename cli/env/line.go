package env

import (
	"fmt"
	"strconv"
	"strings"
)

// Line is a text of a stranger as one line. What cannot be printed stands in it as Go writes it, \n or \x1b: it can neither do anything
// to a terminal nor look like a line of its own.
func Line(text string) string {
	var out strings.Builder
	for _, r := range text {
		if strconv.IsPrint(r) {
			out.WriteRune(r)
		} else {
			out.WriteString(strings.Trim(strconv.QuoteRune(r), "'"))
		}
	}
	return out.String()
}

// Lines are arguments of a format in which each text of a stranger is one line, of errors with "; " between the lines they have.
func Lines(args []any) []any {
	safe := make([]any, len(args))
	for i, arg := range args {
		switch text := arg.(type) {
		case string:
			safe[i] = Line(text)
		case error:
			safe[i] = Line(strings.ReplaceAll(text.Error(), "\n", "; "))
		case fmt.Stringer:
			safe[i] = Line(text.String())
		default:
			safe[i] = arg
		}
	}
	return safe
}
