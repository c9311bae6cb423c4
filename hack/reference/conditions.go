package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/daymark-lb/daymark/internal/core/announce"
	"github.com/daymark-lb/daymark/internal/core/reason"
	"github.com/daymark-lb/daymark/internal/core/status"
)

func conditionsPage(context.Context) (string, error) {
	all := status.Conditions()
	slices.SortStableFunc(all, func(a, b reason.Condition) int { return cmp.Compare(a.Kind, b.Kind) })
	var b strings.Builder
	b.WriteString("# Conditions and reasons\n\nEvery condition that Daymark writes, by the kind of the object that carries it, and every reason it can have. " +
		"The message of a condition says more: names, addresses, what was looked at.\n")
	anchors := map[string]bool{}
	for _, condition := range all {
		fmt.Fprintf(&b, "\n## %s: %s\n\n%s\n", condition.Kind, condition.Type, sentence(condition.Meaning))
		for _, r := range condition.Reasons {
			anchor := strings.ToLower(condition.Kind + "-" + r.Name)
			if anchors[anchor] {
				anchor = strings.ToLower(condition.Kind + "-" + condition.Type + "-" + r.Name)
			}
			anchors[anchor] = true
			if err := writeReason(&b, anchor, r); err != nil {
				return "", err
			}
		}
	}
	b.WriteString("\n## Service: Events\n\nAn Event says so when the reason of a condition of a Service changes, with that reason. " +
		"Where a Service gets its address and is announced by one write, one Event says both, with the reason AddressAssigned. Besides:\n")
	if err := writeReason(&b, "event-addresswithdrawn", status.AddressWithdrawn); err != nil {
		return "", err
	}
	b.WriteString("\n## Why a node does not announce an address\n\nThe messages of `daymark.io/Announced` name these for each node, in words. " +
		"They are asked in this order, and the first that applies to a node is told. Where a node has several ways to announce the address, " +
		"by layer 2 and to several peers, each has its own first reason, and the one that stands last here is told.\n")
	for _, r := range announce.IneligibleReasons() {
		if err := writeReason(&b, "node-"+strings.ToLower(r.Name), r); err != nil {
			return "", err
		}
	}
	return b.String(), nil
}

// writeReason under its anchor. A link to the heading leads to the first condition that has a reason of this name, a link to
// the anchor to just this one.
func writeReason(b *strings.Builder, anchor string, r reason.Reason) error {
	if r.Name == "" || r.Meaning == "" {
		return fmt.Errorf("reason %q (%s) has no name or no meaning", r.Name, anchor)
	}
	fmt.Fprintf(b, "\n<a id=%q></a>\n\n### %s\n\n%s\n", anchor, r.Name, sentence(r.Meaning))
	if r.Remedy != "" {
		fmt.Fprintf(b, "\nWhat to do: %s\n", sentence(r.Remedy))
	}
	return nil
}
