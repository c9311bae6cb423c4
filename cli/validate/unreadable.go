package validate

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	yamlv3 "go.yaml.in/yaml/v3"
)

// unreadable is the finding of a part of a file that is no YAML, or no object.
func unreadable(file string, p part, err error) Finding {
	line, words := lineOf(p.text, err)
	if filepath.Ext(file) == ".json" {
		line, words = inJSON(p.text, line, words)
	}
	var object *noObjectError
	if !errors.As(err, &object) {
		words = "this is not YAML: " + words
	}
	return Finding{File: file, Line: p.line + line, Severity: Error, Message: words}
}

// noObjectError is about YAML that is none of Kubernetes.
type noObjectError struct{ what string }

func (e *noObjectError) Error() string { return "this is no object of Kubernetes, but " + e.what }

// isObject refuses what has no fields.
func isObject(node *yamlv3.Node) error {
	switch {
	case node.Kind == yamlv3.SequenceNode:
		return &noObjectError{"a list; a List has kind: List and its objects in items"}
	case node.Kind == yamlv3.ScalarNode && node.Tag != "!!null":
		return &noObjectError{"a text"}
	}
	return nil
}

// inJSON is where a text is no JSON; line and words if it only ends too early. What reads YAML names the begin of the object there.
func inJSON(text []byte, line int, words string) (int, string) {
	var syntax *json.SyntaxError
	if err := json.Unmarshal(text, new(json.RawMessage)); !errors.As(err, &syntax) || int(syntax.Offset) >= len(text) {
		return line, words
	}
	return bytes.Count(text[:syntax.Offset], []byte("\n")) + 1, syntax.Error()
}

// numbered is an error of the library with the line that it names.
var numbered = regexp.MustCompile(`(?s)^.*?line (\d+): (.*)$`)

// fromZero are what the library's parser says, and not its scanner: it counts lines from zero.
var fromZero = []string{
	"did not find expected <document start>", "did not find expected key", "did not find expected '-' indicator",
	"did not find expected node content", "did not find expected ',' or ']'", "did not find expected ',' or '}'",
	"found undefined tag handle", "found duplicate %YAML directive", "found incompatible YAML document", "found duplicate %TAG directive",
}

// inBlocks are what it says at the begin of a block, wherever in the block the fault is.
var inBlocks = []string{"did not find expected key", "did not find expected '-' indicator"}

// lineOf an error in a text, counted from one, and its words.
func lineOf(text []byte, err error) (line int, words string) {
	words = strings.TrimPrefix(err.Error(), "yaml: ")
	parsed := syntax(text)
	switch match := numbered.FindStringSubmatch(words); {
	case slices.Contains(inBlocks, parsed.words):
		return firstLines(text, parsed.words), parsed.words
	case parsed.line > 0: // at the end of the text it is behind the last line
		return min(parsed.line, bytes.Count(bytes.TrimRightFunc(text, unicode.IsSpace), []byte("\n"))+1), parsed.words
	case match != nil:
		if _, err := fmt.Sscan(match[1], &line); err != nil {
			line = 1
		}
		return line, match[2]
	}
	return max(1, lineWithout(text, words)), words
}

// fault of syntax; the zero value for none, or one without a line.
type fault struct {
	line  int
	words string
}

// syntax is the fault in a text. One in its first line is told from one without a line by a line before it.
func syntax(text []byte) (found fault) {
	err := yamlv3.Unmarshal(append([]byte("\n"), text...), new(yamlv3.Node))
	if err == nil {
		return fault{}
	}
	match := numbered.FindStringSubmatch(err.Error())
	if match == nil {
		return fault{}
	}
	if _, err := fmt.Sscan(match[1], &found.line); err != nil {
		return fault{}
	}
	found.words = match[2]
	if !slices.Contains(fromZero, found.words) {
		found.line-- // that which was put before
	}
	return found
}

// firstLines is how many lines of a text are enough for the same fault: the last of them has it.
func firstLines(text []byte, words string) int {
	lines := bytes.SplitAfter(text, []byte("\n"))
	ends := make([]int, len(lines))
	for i, size := range lines {
		ends[i] = len(size)
		if i > 0 {
			ends[i] += ends[i-1]
		}
	}
	first, _ := slices.BinarySearchFunc(ends, true, func(end int, _ bool) int {
		if syntax(text[:end]).words == words {
			return 0
		}
		return -1
	})
	return min(first+1, len(lines))
}

// named is what an error without a line names.
var named = regexp.MustCompile(`unknown anchor '(.*)' referenced|anchor '(.*)' value contains itself`)

// lineWithout is where what an error without a line is about stands; zero if it is not known.
func lineWithout(text []byte, words string) int {
	at := -1
	switch match := named.FindStringSubmatch(words); {
	case match != nil:
		alias := regexp.MustCompile(`\*` + regexp.QuoteMeta(match[1]+match[2]) + `(?:[\s,\]}]|$)`)
		if place := alias.FindIndex(text); place != nil {
			at = place[0]
		}
	case strings.Contains(words, "invalid map key"):
		var root yamlv3.Node
		if yamlv3.Unmarshal(text, &root) == nil {
			return keyWithout(&root)
		}
	case strings.Contains(words, "control characters"):
		at = bytes.IndexFunc(text, func(r rune) bool { return unicode.IsControl(r) && !strings.ContainsRune("\t\r\n\u0085", r) })
	case strings.Contains(words, "UTF-8"):
		at = bytes.IndexFunc(text, func(r rune) bool { return r == utf8.RuneError })
	}
	return bytes.Count(text[:max(at, 0)], []byte("\n")) + 1
}

// keyWithout is the line of a key that is no text, as braces of a template are; zero for none.
func keyWithout(node *yamlv3.Node) int {
	for i, child := range node.Content {
		if node.Kind == yamlv3.MappingNode && i%2 == 0 && child.Kind != yamlv3.ScalarNode && child.Kind != yamlv3.AliasNode {
			return child.Line
		}
		if line := keyWithout(child); line > 0 {
			return line
		}
	}
	return 0
}
