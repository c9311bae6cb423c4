package lb

import (
	"strings"
	"testing"
)

func TestParsePassword(t *testing.T) {
	for _, test := range []struct {
		name, value, want, odd, err string
	}{
		{"a word", "lighthouse", "lighthouse", "", ""},
		{"a sentence", "keep the light", "keep the light", "", ""},
		{"a file", "lighthouse\n", "lighthouse", "", ""},
		{"a file of Windows", "lighthouse\r\n", "lighthouse", "", ""},
		{"a carriage return alone is part of it", "lighthouse\r", "lighthouse\r", "ends in white space", ""},
		{"of two line ends one is cut", "lighthouse\n\n", "lighthouse\n", "ends in white space", ""},
		{"a blank before it", " lighthouse", " lighthouse", "begins with white space", ""},
		{"a blank at both ends", " lighthouse ", " lighthouse ", "begins with white space, and ends in white space", ""},
		{"blanks", "   ", "   ", "is white space only", ""},
		{"a tab inside", "light\thouse", "light\thouse", "has characters that cannot be seen", ""},
		{"a byte order mark", "\ufefflighthouse", "\ufefflighthouse", "has characters that cannot be seen", ""},
		{"letters of any language", "Leuchttürme", "Leuchttürme", "", ""},
		{"bytes that are no text", "light\xff", "light\xff", "is not text in UTF-8", ""},
		{"80 bytes and a line end", strings.Repeat("x", 80) + "\n", strings.Repeat("x", 80), "", ""},
		{"81 bytes", strings.Repeat("x", 81), "", "", "has 81 bytes, and TCP MD5 signatures allow 80"},
		{"nothing", "", "", "", "is empty"},
		{"a line end alone", "\n", "", "", "is empty"},
	} {
		t.Run(test.name, func(t *testing.T) {
			password, odd, err := ParsePassword([]byte(test.value))
			text := ""
			if err != nil {
				text = err.Error()
			}
			if password != test.want || odd != test.odd || text != test.err {
				t.Errorf("got %q, %q, %q", password, odd, text)
			}
			if strings.Contains(odd+text, "light") {
				t.Error("the password is in the words about it")
			}
		})
	}
}
