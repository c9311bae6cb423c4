package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/daymark-lb/daymark/internal/core/reason"
	speaker "github.com/daymark-lb/daymark/speaker/reconcile"
)

// conditions are those that all packages declare.
func conditions() []reason.Condition {
	return slices.Concat(speaker.Conditions())
}

func conditionsPage(context.Context) (string, error) {
	all := conditions()
	slices.SortStableFunc(all, func(a, b reason.Condition) int { return cmp.Compare(a.Kind, b.Kind) })
	var b strings.Builder
	b.WriteString("# Conditions and reasons\n\nEvery condition that Daymark writes, by the kind of the object that carries it, and every reason it can have. " +
		"The message of a condition says more: names, addresses, what was looked at.\n")
	anchors := map[string]bool{}
	for _, condition := range all {
		fmt.Fprintf(&b, "\n## %s: %s\n\n%s\n", condition.Kind, condition.Type, sentence(condition.Meaning))
		for _, r := range condition.Reasons {
			if r.Meaning == "" {
				return "", fmt.Errorf("reason %s of %s has no meaning", r.Name, condition.Type)
			}
			// A link to #reason leads to the first condition that has it; #kind-reason leads to just this one.
			anchor := strings.ToLower(condition.Kind + "-" + r.Name)
			if anchors[anchor] {
				anchor = strings.ToLower(condition.Kind + "-" + condition.Type + "-" + r.Name)
			}
			anchors[anchor] = true
			fmt.Fprintf(&b, "\n<a id=%q></a>\n### %s\n\n%s\n", anchor, r.Name, sentence(r.Meaning))
			if r.Remedy != "" {
				fmt.Fprintf(&b, "\nWhat to do: %s.\n", strings.TrimSuffix(r.Remedy, "."))
			}
		}
	}
	return b.String(), nil
}
