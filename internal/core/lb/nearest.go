package lb

import (
	"slices"
	"strings"
)

// Nearest returns the name that a text is most probably meant to be: the one that the fewest edits make of it, by at most a third of
// its letters; "" if none is near. Capitals count as small letters. Of several the first in order of name.
func Nearest(text string, names []string) string {
	best, fewest := "", len(text)/3+1
	for _, name := range slices.Sorted(slices.Values(names)) {
		if abs(len(name)-len(text)) >= fewest {
			continue
		}
		if edits := editDistance(strings.ToLower(text), strings.ToLower(name)); edits < fewest {
			best, fewest = name, edits
		}
	}
	return best
}

func abs(n int) int { return max(n, -n) }

// editDistance is how many octets must be inserted, removed or replaced to make one text of another (Levenshtein).
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0]++
		for j := range len(b) {
			replaced := diagonal
			if a[i] != b[j] {
				replaced++
			}
			diagonal = row[j+1]
			row[j+1] = min(replaced, diagonal+1, row[j]+1)
		}
	}
	return row[len(b)]
}
