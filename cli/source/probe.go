package source

import (
	"context"
	"time"
)

// ProbeInterval is the time between two questions to the API server whether it is there.
const ProbeInterval = 5 * time.Second

// probeTimeout is how long the API server has for an answer.
const probeTimeout = 4 * time.Second

// Probe asks now and then whether a source that is followed answers, because a watch that hears nothing looks like one of which nothing is
// heard. It tells when the source does not answer as it should any more, and why, and when it does again, by nil, until ctx ends. The question
// should cost little.
func Probe(ctx context.Context, from Source, question Query, tell func(failure error)) {
	ticks := time.NewTicker(ProbeInterval)
	defer ticks.Stop()
	for silent := false; ; {
		select {
		case <-ctx.Done():
			return
		case <-ticks.C:
		}
		asked, cancel := context.WithTimeout(ctx, probeTimeout)
		_, err := from.Read(asked, question)
		cancel()
		if away := err != nil; away != silent && ctx.Err() == nil {
			silent = away
			tell(err)
		}
	}
}
