package lb

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxPassword is the longest key of a TCP MD5 signature in Linux (TCP_MD5SIG_MAXKEYLEN), in bytes.
const maxPassword = 80

// ParsePassword parses the value of a Secret into the key of TCP MD5 signatures (RFC 2385). One line end is cut, \n or \r\n: files
// end in one, and so does what echo writes. Odd says what hardly anybody types into a router, though it is used as it is; the error
// says why the value cannot be used. Neither has any of the value in it.
func ParsePassword(value []byte) (password, odd string, err error) {
	password = string(value)
	if cut, ended := strings.CutSuffix(password, "\n"); ended {
		password = strings.TrimSuffix(cut, "\r")
	}
	switch {
	case password == "":
		return "", "", errors.New("is empty")
	case len(password) > maxPassword:
		return "", "", fmt.Errorf("has %d bytes, and TCP MD5 signatures allow %d", len(password), maxPassword)
	}
	return password, oddities(password), nil
}

// oddities are what is unusual about a password, in words.
func oddities(value string) string {
	trimmed := strings.TrimSpace(value)
	text := utf8.ValidString(value)
	var odd []string
	for _, found := range []struct {
		is    bool
		words string
	}{
		{trimmed == "", "is white space only"},
		{trimmed != "" && strings.TrimLeftFunc(value, unicode.IsSpace) != value, "begins with white space"},
		{trimmed != "" && strings.TrimRightFunc(value, unicode.IsSpace) != value, "ends in white space"},
		{!text, "is not text in UTF-8"},
		{text && strings.ContainsFunc(trimmed, func(r rune) bool { return !unicode.IsPrint(r) }), "has characters that cannot be seen"},
	} {
		if found.is {
			odd = append(odd, found.words)
		}
	}
	return strings.Join(odd, ", and ")
}
