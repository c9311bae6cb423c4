package validate

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"unicode/utf8"
)

// part of a file with a document in it, or several in JSON.
type part struct {
	text []byte
	// line and column are how many of the file come before it.
	line, column int
}

const separator = "---"

// split a file at the separators between documents, as kubectl does: only a comment may stand behind one.
func split(file string, text []byte) (parts []part, problems []Finding) {
	ours, begin, line := bytes.Contains(text, []byte(group)), 0, 0
	here := part{}
	for begin < len(text) {
		end := len(text)
		if i := bytes.IndexByte(text[begin:], '\n'); i >= 0 {
			end = begin + i + 1
		}
		whole := text[begin:end]
		begin, line = end, line+1
		rest, found := bytes.CutPrefix(whole, []byte(separator))
		if !found {
			here.text = text[end-len(whole)-len(here.text) : end]
			continue
		}
		if rest = bytes.TrimSpace(rest); ours && len(rest) > 0 && rest[0] != '#' {
			problems = append(problems, Finding{
				File: file, Line: line, Severity: Error, Message: "kubectl refuses the file: only a comment may stand behind a separator of documents",
			})
		}
		parts, here = append(parts, here), part{line: line}
	}
	return append(parts, here), problems
}

// values of a part: JSON may have several, one after the other. All else is one.
func values(p part) (all []part) {
	if text := bytes.TrimLeft(p.text, " \t\r\n"); len(text) == 0 || text[0] != '{' {
		return []part{p}
	}
	decoder, read := json.NewDecoder(bytes.NewReader(p.text)), 0
	for {
		var raw json.RawMessage
		err := decoder.Decode(&raw)
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil { // YAML may begin like JSON
			return append(all, p)
		}
		end := int(decoder.InputOffset())
		value := p.skip(end - len(raw) - read)
		p, read = value.skip(len(raw)), end
		value.text = value.text[:len(raw)]
		all = append(all, value)
	}
}

// skip some bytes at the begin.
func (p part) skip(bytesBefore int) part {
	before := p.text[:bytesBefore]
	if lines := bytes.Count(before, []byte("\n")); lines > 0 {
		p.line, p.column = p.line+lines, 0
	}
	p.column += utf8.RuneCount(before[bytes.LastIndexByte(before, '\n')+1:])
	p.text = p.text[bytesBefore:]
	return p
}
