package explain

import (
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/util/duration"

	"github.com/daymark-lb/daymark/cli/output"
	"github.com/daymark-lb/daymark/cli/view"
)

// page writes an explanation.
type page struct {
	*output.Screen
	now time.Time
}

func (p *page) heading(text string) { p.Printf("\n%s\n", p.Style.Bold(text)) }

// conditions in words, each with what can be done when it says that something is wrong.
func (p *page) conditions(lines []view.ConditionLine) {
	for _, c := range lines {
		text := string(c.Status) + " for " + p.age(c.Since.Time) + ", " + c.Reason
		if c.Message != "" {
			text += ": " + c.Message
		}
		if c.Wrong {
			p.Printf("  %s: %s\n", c.Type, p.Style.Bad(text))
		} else {
			p.Printf("  %s: %s\n", c.Type, text)
		}
		p.remedy(c.Remedy)
	}
}

func (p *page) remedy(text string) {
	if text != "" {
		p.Printf("    what to do: %s\n", text)
	}
}

// columns writes lines in columns, the last of any width.
func (p *page) columns(lines [][]string) {
	var widths []int
	for _, line := range lines {
		for i, cell := range line {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], len(cell))
		}
	}
	for _, line := range lines {
		text := ""
		for i, cell := range line {
			text += cell + strings.Repeat(" ", widths[i]-len(cell)+2)
		}
		p.Printf("  %s\n", strings.TrimRight(text, " "))
	}
}

// age is the time since a moment, as kubectl writes it.
func age(now, at time.Time) string {
	if at.IsZero() {
		return "<unknown>"
	}
	return duration.HumanDuration(max(0, now.Sub(at)))
}
