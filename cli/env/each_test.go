package env

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/daymark-lb/daymark/cli/source"
	"github.com/daymark-lb/daymark/internal/bubble"
)

// fading is a Source that is followed without a change, and whose API server may go away.
type fading struct{ away atomic.Bool }

func (f *fading) Read(context.Context, ...source.Query) (*source.Objects, error) {
	if f.away.Load() {
		return nil, errors.New("connection refused")
	}
	return &source.Objects{}, nil
}

func (f *fading) Follow(ctx context.Context, _ time.Duration, _ ...source.Query) (<-chan *source.Objects, error) {
	all := make(chan *source.Objects, 1)
	all <- &source.Objects{}
	go func() { <-ctx.Done(); close(all) }()
	return all, nil
}

func TestEnv_WatchSaysThatTheAPIServerDoesNotAnswer(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		var out, remarks bytes.Buffer
		e, from := New(genericiooptions.IOStreams{Out: &out, ErrOut: &remarks}), &fading{}
		e.Objects = from
		ctx, cancel := context.WithCancel(t.Context())
		shown, ended := 0, make(chan error)
		go func() {
			ended <- e.Each(ctx, true, nil, func(*source.Objects) error { shown++; return nil })
		}()
		for _, away := range []bool{false, true, true, false} {
			from.away.Store(away)
			time.Sleep(2 * source.ProbeInterval)
		}
		cancel()
		if err := <-ended; err != nil || shown != 1 {
			t.Errorf("shown %d times, error %v", shown, err)
		}
		synctest.Wait()
		lines := strings.Split(strings.TrimSpace(remarks.String()), "\n")
		if len(lines) != 2 || !strings.Contains(lines[0], "what is shown may be old, the API server does not answer: connection refused") || !strings.Contains(lines[1], "answers again") {
			t.Errorf("it says\n%s", remarks.String())
		}
	})
}

// brokenOutput is an output that cannot be written to from some time on.
type brokenOutput struct {
	bytes.Buffer
	err error
}

func (b *brokenOutput) Failed() error { return b.err }

// Nobody reads what is not written: a watch into a full disk would go on for ever, and say so to nobody.
func TestEnv_WatchEndsWhenItCannotWrite(t *testing.T) {
	out := &brokenOutput{}
	e := New(genericiooptions.IOStreams{Out: out, ErrOut: io.Discard})
	e.Objects = &fading{}
	full := errors.New("no space left on device")
	err := e.Each(t.Context(), true, nil, func(*source.Objects) error { out.err = full; return nil })
	if !errors.Is(err, full) {
		t.Errorf("it ends with the error %v", err)
	}
}
