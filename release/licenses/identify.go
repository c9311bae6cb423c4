package licenses

import (
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/daymark-lb/daymark/release/archive"
)

// Standard is the label of Go's standard library.
const Standard = "go"

// passedOn is the name of a file that goes along with a licence and is none.
var passedOn = regexp.MustCompile(`(?i)^(notice|patents)([._-].*)?$`)

// known are licences by their SPDX identifiers, each with words that stand in its text and in no other's.
var known = []struct{ id, words string }{
	{"Apache-2.0", "apache license version 2.0"},
	{"ISC", "permission to use, copy, modify, and/or distribute this software for any purpose with or without fee"},
	{"ISC", "permission to use, copy, modify, and distribute this software for any purpose with or without fee"},
	{"MIT", "permission is hereby granted, free of charge, to any person obtaining a copy"},
	{"MPL-2.0", "mozilla public license, version 2.0"},
	{"MPL-2.0", "mozilla public license version 2.0"},
}

// Identify returns the SPDX identifiers of the licences in a text, sorted; none if it knows none of them.
func Identify(text []byte) (ids []string) {
	words := strings.ToLower(strings.Join(strings.Fields(string(text)), " "))
	for _, l := range known {
		if strings.Contains(words, l.words) {
			ids = append(ids, l.id)
		}
	}
	if strings.Contains(words, "redistribution and use in source and binary forms") {
		if strings.Contains(words, "endorse or promote products") {
			ids = append(ids, "BSD-3-Clause")
		} else {
			ids = append(ids, "BSD-2-Clause")
		}
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

// IDs returns the identifiers of all licences among the texts of a module, whose label is MODULE@VERSION.
func IDs(texts []archive.File, label string) (ids []string) {
	for _, file := range texts {
		if strings.HasPrefix(file.Name, label+"/") && !passedOn.MatchString(path.Base(file.Name)) {
			ids = append(ids, Identify(file.Data)...)
		}
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}
