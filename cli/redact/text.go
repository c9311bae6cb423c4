package redact

import (
	"net"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// scanner says what to put in the place of what a text has.
type scanner struct {
	// address with the length of the prefix that follows it; -1: none does.
	address func(a netip.Addr, bits int) netip.Addr
	mac     func(mac string) string
	// word that may be a name; false: it is none. nil: nothing is a name.
	word func(word string) (string, bool)
}

// scan a text for addresses and names.
func scan(text string, s *scanner) string {
	var out strings.Builder
	for i := 0; i < len(text); {
		if n := s.between(text[i:]); n > 0 {
			out.WriteString(text[i : i+n])
			i += n
			continue
		}
		end := i + tokenLength(text[i:])
		token := strings.TrimRight(text[i:end], ".-")
		out.WriteString(s.token(token, bitsAfter(text[i+len(token):])))
		out.WriteString(text[i+len(token) : end])
		i = end
	}
	return out.String()
}

// between tokens is what a text begins with: a character, or an escape, whose letters are no part of the word that follows it. 0: a token.
func (s *scanner) between(text string) int {
	switch {
	case inToken(text[0]):
		return 0
	case text[0] == escape:
		return 1 + len(coloring.FindString(text[1:]))
	case text[0] != '\\':
		return 1
	}
	n := len(text) - len(strings.TrimLeft(text, `\`)) // an escape may be escaped once more
	letters := escaped.FindString(text[n:])
	if s.complete(text[n:n+tokenLength(text[n:])], letters) {
		letters = ""
	}
	if slices.Contains(escapes, letters) {
		letters += coloring.FindString(text[n+len(letters):])
	}
	return n + len(letters)
}

// escape begins what colours a terminal, here as a character and as it is written in strings of JSON, Go and the shell.
const escape = 0x1b

var (
	escapes  = []string{"u001b", "x1b", "033", "e"}
	escaped  = regexp.MustCompile(`^([abefnrtv]|u[0-9a-fA-F]{4}|x[0-9a-fA-F]{2}|[0-3][0-7]{2})`)
	coloring = regexp.MustCompile(`^\[[0-9;]*[A-Za-z]`)
)

// complete says whether a token after a backslash does not begin with the letters of an escape: it is an address, or a name that is none
// without them, neither a name nor an address. If it only has names in it, it begins with an escape when there is one without the letters.
func (s *scanner) complete(token, letters string) bool {
	token = strings.TrimRight(token, ".-:")
	rest := token[min(len(letters), len(token)):]
	switch {
	case s.word == nil || isAddress(token):
		return isAddress(token)
	case s.isName(token):
		return !s.isName(rest) && !isAddress(rest)
	}
	return s.names(token) != token && s.token(rest, -1) == rest
}

func (s *scanner) isName(token string) bool {
	_, known := s.word(token)
	return known
}

func tokenLength(text string) (n int) {
	for n < len(text) && inToken(text[n]) {
		n++
	}
	return n
}

// inToken are the characters of names, of addresses, and of ranges of them.
func inToken(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || c == '.' || c == ':' || c == '-' || c == '_'
}

// bitsAfter an address: the 24 of /24; -1: there is no length.
func bitsAfter(rest string) int {
	digits, is := strings.CutPrefix(rest, "/")
	end := 0
	for end < min(len(digits), 3) && '0' <= digits[end] && digits[end] <= '9' {
		end++
	}
	bits, err := strconv.Atoi(digits[:end])
	if !is || err != nil {
		return -1
	}
	return bits
}

// token of a text: an address, a range of them, a name, or some names with what is between them.
func (s *scanner) token(token string, bits int) string {
	if first, last, isRange := strings.Cut(token, "-"); isRange {
		a, errA := netip.ParseAddr(first)
		b, errB := netip.ParseAddr(last)
		if errA == nil && errB == nil && a.BitLen() == b.BitLen() {
			common := commonBits(a, b)
			return s.address(a, common).String() + "-" + s.address(b, common).String()
		}
	}
	for _, text := range []string{token, strings.TrimRight(token, ":")} { // a colon may follow an address
		if a, err := netip.ParseAddr(text); err == nil {
			return s.address(a, bits).String() + token[len(text):]
		}
	}
	if _, err := net.ParseMAC(token); err == nil && len(token) == len("02:00:00:00:00:01") && token[2] == ':' {
		return s.mac(strings.ToLower(token))
	}
	parts := strings.Split(token, ":")
	for i, part := range parts {
		if a, err := netip.ParseAddr(part); err == nil && len(parts) > 1 {
			parts[i] = s.address(a, -1).String()
		} else if s.word != nil {
			parts[i] = s.names(part)
		}
	}
	return strings.Join(parts, ":")
}

// commonBits that two addresses begin with.
func commonBits(a, b netip.Addr) int {
	bits := 0
	for bits < a.BitLen() {
		p, err := a.Prefix(bits + 1)
		if err != nil || !p.Contains(b) {
			return bits
		}
		bits++
	}
	return bits
}

// mostParts of a word in which names are looked for.
const mostParts = 12

// names in a word: the whole, or else the longest ones that it is made of, as in the name of a Pod.
func (s *scanner) names(word string) string {
	if pseudonym, known := s.word(word); known {
		return pseudonym
	}
	ends := partEnds(word)
	if len(ends) < 2 || len(ends) > mostParts {
		return word
	}
	start := 0
	for from := range ends {
		for to := len(ends) - 1; to >= from; to-- {
			if pseudonym, known := s.word(word[start:ends[to]]); known {
				rest := word[ends[to]:]
				if rest != "" {
					rest = rest[:1] + s.names(rest[1:])
				}
				return word[:start] + pseudonym + rest
			}
		}
		start = ends[from] + 1
	}
	return word
}

// partEnds are the places in a word where a part ends, at a dot, a dash or an underscore, and its end.
func partEnds(word string) (ends []int) {
	for i := range len(word) {
		if strings.IndexByte(".-_", word[i]) >= 0 {
			ends = append(ends, i)
		}
	}
	return append(ends, len(word))
}
