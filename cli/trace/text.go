package trace

import (
	"encoding/json"
	"fmt"
	"io"

	corev1 "k8s.io/api/core/v1"

	"github.com/daymark-lb/daymark/cli/output"
	"github.com/daymark-lb/daymark/internal/traceapi"
)

// timeFormat is that of the lines: all are of today.
const timeFormat = "15:04:05.000"

// lines shows each event on a line.
type lines struct {
	output.Screen
	// width of the nodes' names.
	width int
}

func widest(speakers []*corev1.Pod) (width int) {
	for _, pod := range speakers {
		width = max(width, len(pod.Spec.NodeName))
	}
	return width
}

func (l *lines) show(e *traceapi.Event) error {
	if e.Dropped > 0 {
		l.Printf("%s  %-*s  %d events are missing here: there were too many\n", e.Time.Local().Format(timeFormat), l.width, e.Node, e.Dropped)
	}
	l.Printf("%s  %-*s  %-18s  %s\n", e.Time.Local().Format(timeFormat), l.width, e.Node, place(e), words(e))
	return nil
}

// place is the protocol of an event, with where it was.
func place(e *traceapi.Event) string {
	text := string(e.Protocol)
	if e.Direction != "" {
		text = fmt.Sprintf("%-3s %-3s", e.Protocol, e.Direction)
	}
	if e.On != "" {
		text += " " + e.On
	}
	return text
}

// words are what an event was and what was decided about it.
func words(e *traceapi.Event) string {
	if e.Summary == "" || e.Decision == "" {
		return e.Summary + e.Decision
	}
	return e.Summary + ": " + e.Decision
}

// asJSON writes each event as a document on a line.
func asJSON(to io.Writer) func(*traceapi.Event) error {
	encoder := json.NewEncoder(to)
	return func(e *traceapi.Event) error { return encoder.Encode(e) }
}
