package main

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

func (o outcome) String() string {
	line := fmt.Sprintf("    nobody %s, two %s; clients near %s, far %s; moved %v; %d routes withdrawn, %d announcements; quiet after %.1f s",
		ms(o.unheld), ms(o.shared), ms(o.near), ms(o.far), o.moved, o.withdrawn, o.announced, o.quietAfter.Seconds())
	if len(o.ended) > 0 {
		line += "\n    started again: " + strings.Join(o.ended, ", ")
	}
	if o.seen != "" {
		line += "\n    not all was seen: " + o.seen
	}
	for _, w := range o.wrong {
		line += "\n    WRONG: " + w
	}
	return line
}

// report is the run as a page, and how much was not as promised.
func (s *soak) report() (text string, wrong int) {
	var b strings.Builder
	fmt.Fprintf(&b, "Seed %d, %s, %d faults.\n\n", s.seed, time.Since(s.began).Round(time.Second), len(s.outcomes))
	b.WriteString("| fault | times | nobody answers | two answer | client on the segment | client behind the router | quiet after |\n|---|---|---|---|---|---|---|\n")
	for _, k := range kinds {
		b.WriteString(s.row(k))
	}
	b.WriteString("\nEach is the median and the worst. The last column is the time from the end of the fault until all is as before.\n\n")
	b.WriteString("| program | at the beginning | in the end |\n|---|---|---|\n")
	for _, name := range s.first.names() {
		fmt.Fprintf(&b, "| %s | %s | %s |\n", name, s.first[name], s.last[name])
	}
	b.WriteString("\nNot as promised:\n\n")
	for _, o := range s.outcomes {
		if len(o.wrong) > 0 {
			wrong++
			fmt.Fprintf(&b, "- %s, %s: %s\n", clock(o.at), o.step, strings.Join(o.wrong, "; "))
		}
	}
	for _, line := range s.grown() {
		wrong++
		fmt.Fprintf(&b, "- %s\n", line)
	}
	if wrong == 0 {
		b.WriteString("- nothing\n")
	}
	return b.String(), wrong
}

// row is the figures of a kind.
func (s *soak) row(k *kind) string {
	of := []func(outcome) time.Duration{
		func(o outcome) time.Duration { return o.unheld }, func(o outcome) time.Duration { return o.shared },
		func(o outcome) time.Duration { return o.near }, func(o outcome) time.Duration { return o.far },
	}
	var such []outcome
	for _, o := range s.outcomes {
		if o.kind == k {
			such = append(such, o)
		}
	}
	if len(such) == 0 {
		return ""
	}
	cells := []string{k.what, fmt.Sprint(len(such))}
	for _, figure := range of {
		median, worst := spread(such, figure)
		cells = append(cells, fmt.Sprintf("%d, %d ms", median.Milliseconds(), worst.Milliseconds()))
	}
	median, worst := spread(such, func(o outcome) time.Duration { return o.quietAfter })
	cells = append(cells, fmt.Sprintf("%.1f, %.1f s", median.Seconds(), worst.Seconds()))
	return "| " + strings.Join(cells, " | ") + " |\n"
}

// spread is the median and the largest of a figure.
func spread(of []outcome, figure func(outcome) time.Duration) (median, worst time.Duration) {
	var values []time.Duration
	for _, o := range of {
		values = append(values, figure(o))
	}
	slices.Sort(values)
	return values[len(values)/2], values[len(values)-1]
}
