package output

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

// Count says how many there are of something that has its plural with s, or with es after an s or x.
func Count(n int, what string) string {
	if n != 1 {
		if strings.HasSuffix(what, "s") || strings.HasSuffix(what, "x") {
			what += "e"
		}
		what += "s"
	}
	return fmt.Sprintf("%d %s", n, what)
}
