// Package redact puts other names and other addresses in the place of those that objects and logs have. Its one job is that what is wrong
// in a cluster can still be seen: the same name has the same pseudonym everywhere, in the order that the names have, and addresses
// keep their subnets and their place in them. It refuses to read, to write, and to decide what belongs into a bundle.
//
// Words that say something of Kubernetes or of Daymark, numbers, ports, ASNs, communities, times and versions stay as they are.
package redact

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/runtime"
)

// Survey is the first look at all that will be redacted: pseudonyms in order need all names.
type Survey struct {
	// kept are names that stay.
	kept map[string]bool
	// names by what they are names of, and labels, which are replaced in labels and texts alone.
	names, labels map[string]string
	// annotations that BGPPeers read from Nodes, by key. Others stay only when it is known what their values are.
	annotations map[string]bool
	networks    map[netip.Prefix]bool
	macs        map[string]bool
}

// NewSurvey begins a survey. The names that are to be kept stay.
func NewSurvey(keep ...string) *Survey {
	s := &Survey{
		kept: map[string]bool{}, names: map[string]string{}, labels: map[string]string{}, annotations: map[string]bool{},
		networks: map[netip.Prefix]bool{}, macs: map[string]bool{},
	}
	for _, name := range keep {
		s.kept[name] = true
	}
	return s
}

// AddObject looks at an object.
func (s *Survey) AddObject(o runtime.Object) error {
	fields, err := runtime.DefaultUnstructuredConverter.ToUnstructured(o)
	if err != nil {
		return fmt.Errorf("look at an object: %w", err)
	}
	(&walk{visit: s.see}).object(fields)
	return nil
}

// AddText looks at a text, such as a log.
func (s *Survey) AddText(text string) { s.see(anyText, "", text) }

func (s *Survey) see(c class, kind, text string) string {
	switch c {
	case name:
		s.add(s.names, kind, text)
	case annotationKey:
		s.annotations[text] = true
		s.addKey(text)
	case labelKey:
		s.addKey(text)
	case labelValue:
		s.add(s.labels, "value", text)
	case anyText: // its Pod may be gone
		for _, match := range imageNamed.FindAllStringSubmatch(text, -1) {
			for _, part := range registry(match[1]) {
				s.add(s.names, "registry", part)
			}
		}
	case field:
	}
	scan(text, &scanner{address: s.seeAddress, mac: s.seeMAC})
	return text
}

// addKey adds the domain and the name of a key, as far as they are not Kubernetes' own.
func (s *Survey) addKey(key string) {
	domain, name, has := strings.Cut(key, "/")
	switch {
	case !has:
		s.add(s.labels, "label", key)
	case !ofKubernetes(domain):
		s.labels[domain] = "label"
		s.add(s.labels, "label", name)
	case userNamed(domain):
		s.add(s.labels, "label", name)
	}
}

func (s *Survey) add(to map[string]string, kind, text string) {
	if s.kept[text] || ordinary(text) {
		return
	}
	if before, has := to[text]; !has || rank(kind) < rank(before) {
		to[text] = kind
	}
}

// Redactor replaces what a Survey has seen.
type Redactor struct {
	// names and labels by what they stand for; a label that is a name as well is among the names.
	names, labels map[string]string
	annotations   map[string]bool
	networks      networks
	macs          map[string]string
}

var errTooMany = errors.New("there are too many networks, or too large ones, for others to stand in their place")

// Redactor that knows all that was seen.
func (s *Survey) Redactor() (*Redactor, error) {
	r := &Redactor{names: numbered(s.names), annotations: s.annotations, macs: map[string]string{}}
	for label := range s.labels {
		if _, also := s.names[label]; also {
			delete(s.labels, label)
		}
	}
	r.labels = numbered(s.labels)
	macs := sortedKeys(s.macs)
	for i, mac := range macs {
		r.macs[mac] = fmt.Sprintf("02:00:00:%02x:%02x:%02x", (i+1)>>16&0xff, (i+1)>>8&0xff, (i+1)&0xff)
	}
	var ok bool
	if r.networks, ok = placed(s.networks); !ok {
		return nil, errTooMany
	}
	return r, nil
}

// numbered pseudonyms: of each kind in the order of the names.
func numbered(kinds map[string]string) map[string]string {
	byKind := map[string][]string{}
	for _, text := range sortedKeys(kinds) {
		byKind[kinds[text]] = append(byKind[kinds[text]], text)
	}
	pseudonyms := map[string]string{}
	for kind, texts := range byKind {
		width := len(fmt.Sprint(len(texts)))
		for i, text := range texts {
			pseudonyms[text] = fmt.Sprintf("%s-%0*d", kind, width, i+1)
		}
	}
	return pseudonyms
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for key := range m {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}

// Object returns an object with pseudonyms, as fields. Annotations whose values may be anything are not in it, and no managedFields.
func (r *Redactor) Object(o runtime.Object) (map[string]any, error) {
	fields, err := runtime.DefaultUnstructuredConverter.ToUnstructured(o)
	if err != nil {
		return nil, fmt.Errorf("redact an object: %w", err)
	}
	(&walk{r.replace, r.keepsAnnotation}).object(fields)
	return fields, nil
}

// Text with pseudonyms.
func (r *Redactor) Text(text string) string { return r.replace(anyText, "", text) }

func (r *Redactor) keepsAnnotation(key string) bool {
	return r.annotations[key] || ofProvider(key) || slices.Contains(keptAnnotations, key)
}

func (r *Redactor) replace(c class, _, text string) string {
	words := &scanner{address: r.address, mac: r.mac, word: func(word string) (string, bool) {
		pseudonym, known := r.names[word]
		if !known && c != field && c != name {
			pseudonym, known = r.labels[word]
		}
		return pseudonym, known
	}}
	switch c {
	case labelKey, annotationKey:
		return r.key(text, words)
	case name, labelValue:
		return r.whole(text, words)
	case field, anyText:
	}
	return scan(withoutShutdownTexts(text), words)
}

// key with another domain or name, where these are not Kubernetes' own.
func (r *Redactor) key(text string, words *scanner) string {
	domain, name, has := strings.Cut(text, "/")
	switch {
	case !has:
		return r.whole(text, words)
	case !ofKubernetes(domain):
		return r.whole(domain, words) + "/" + r.whole(name, words)
	case userNamed(domain):
		return domain + "/" + r.whole(name, words)
	}
	return text
}

// whole is a word that may have any characters.
func (r *Redactor) whole(text string, words *scanner) string {
	if pseudonym, known := words.word(text); known {
		return pseudonym
	}
	return scan(text, words)
}
