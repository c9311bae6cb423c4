package redact

import (
	"regexp"
	"strings"
)

// shutdownText begins what the operator of a router sent with a NOTIFICATION (RFC 9003), which the speaker quotes, and who quotes it again.
var shutdownText = regexp.MustCompile(`administrative (?:shutdown|reset): (\\*)"`)

// withoutShutdownTexts has nothing between their quotes: people wrote them to people.
func withoutShutdownTexts(text string) string {
	var out strings.Builder
	for {
		at := shutdownText.FindStringSubmatchIndex(text)
		if at == nil {
			return out.String() + text
		}
		out.WriteString(text[:at[1]])
		text = text[at[1]:]
		text = text[quotedLength(text, at[3]-at[2]):]
	}
}

// quotedLength of a text until the end of its quotation, or of the line, if it was cut. Each quotation around it doubles its backslashes
// and adds one to each quote, so those before the last quote are as many as before the first one, and whole pairs of the text's own.
func quotedLength(text string, before int) int {
	backslashes := 0
	for i := range len(text) {
		switch own := backslashes - before; {
		case text[i] == '\\':
			backslashes++
			continue
		case text[i] == '\n', text[i] == '"' && (own < 0 || own%(2*(before+1)) == 0):
			return i - min(backslashes, before)
		}
		backslashes = 0
	}
	return len(text)
}
