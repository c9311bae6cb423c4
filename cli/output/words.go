package output

import (
	"fmt"
	"strings"
)

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
