package main

import (
	"context"
	"strings"

	"github.com/daymark-lb/daymark/api/v1beta1"
)

func annotationsPage(context.Context) (string, error) {
	setBy := map[v1beta1.AnnotationUse]string{
		v1beta1.AnnotationRequest: "you", v1beta1.AnnotationResult: "Daymark",
	}
	var rows [][]string
	for _, a := range v1beta1.Annotations() {
		meaning := sentence(a.Meaning)
		if len(a.Aliases) > 0 {
			aliases := make([]string, len(a.Aliases))
			for i, alias := range a.Aliases {
				aliases[i] = code(alias)
			}
			meaning += " When this annotation is absent, the first of these is read: " + strings.Join(aliases, ", ") + "."
		}
		rows = append(rows, []string{code(a.Key), a.Kind, setBy[a.Use], meaning})
	}
	return "# Annotations\n\nWhat a user can request with them: " +
		"[requesting addresses](../requesting-addresses.md), [sharing addresses](../sharing-addresses.md).\n\n" +
		table([]string{"annotation", "on a", "set by", "meaning"}, rows), nil
}
