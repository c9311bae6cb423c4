package licenses

import (
	"reflect"
	"testing"

	"github.com/daymark-lb/daymark/release/archive"
)

const bsd = "Redistribution and use in source and binary forms, with or without\nmodification, are permitted provided that the following conditions are met:\n"

func TestIdentify(t *testing.T) {
	for _, c := range []struct {
		name, text string
		want       []string
	}{
		{"Apache, over two lines", "                                 Apache License\n                           Version 2.0, January 2004\n", []string{"Apache-2.0"}},
		{"MIT", "Permission is hereby granted, free of charge, to any person\nobtaining a copy of this software", []string{"MIT"}},
		{"ISC", "Permission to use, copy, modify, and/or distribute this software for any\npurpose with or without fee is hereby granted", []string{"ISC"}},
		{"MPL", "Mozilla Public License, version 2.0\n\n1. Definitions", []string{"MPL-2.0"}},
		{"BSD with two clauses", bsd, []string{"BSD-2-Clause"}},
		{"BSD with three clauses", bsd + "may be used to endorse or\npromote products derived from this software", []string{"BSD-3-Clause"}},
		{"two in one file", "Permission is hereby granted, free of charge, to any person obtaining a copy\nApache License\nVersion 2.0", []string{"Apache-2.0", "MIT"}},
		{"none that is known", "You may do as you like.", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := Identify([]byte(c.text)); !reflect.DeepEqual(got, c.want) {
				t.Errorf("it is %v, want %v", got, c.want)
			}
		})
	}
}

func TestIDs_OfTheModuleAlone(t *testing.T) {
	mit := []byte("Permission is hereby granted, free of charge, to any person obtaining a copy")
	texts := []archive.File{
		{Name: "a.example/x@v1.0.0/LICENSE", Data: mit},
		{Name: "a.example/x@v1.0.0/internal/y/COPYING", Data: []byte(bsd)},
		{Name: "a.example/x@v1.0.0/NOTICE", Data: []byte("Apache License, Version 2.0: Apache License Version 2.0")},
		{Name: "a.example/x/v2@v2.0.0/LICENSE", Data: []byte("Apache License Version 2.0")},
	}
	if got := IDs(texts, "a.example/x@v1.0.0"); !reflect.DeepEqual(got, []string{"BSD-2-Clause", "MIT"}) {
		t.Errorf("it has %v", got)
	}
}
