package trace

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/daymark-lb/daymark/internal/traceapi"
)

const (
	// silence is how long a speaker may send nothing, not even an empty line, until it counts as gone.
	silence = 30 * time.Second
	// maxLine is how long a line may be, in bytes.
	maxLine = 1 << 20
	// answerTimeout is how long a speaker, which asks the API server who we are, may take.
	answerTimeout = 20 * time.Second
)

// reach is how speakers are reached.
type reach struct {
	// dial opens a connection to the port of a Pod where it answers traces.
	dial func(ctx context.Context, pod *corev1.Pod) (net.Conn, error)
	// token to show there.
	token string
}

// follow shows what speakers say until ctx ends. It ends with an error when no speaker says anything any more.
func (o *options) follow(ctx context.Context, addr netip.Addr, speakers []*corev1.Pod, show func(*traceapi.Event) error) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	events := make(chan traceapi.Event)
	var following sync.WaitGroup
	for _, pod := range speakers {
		following.Go(func() {
			err := o.reach.stream(ctx, pod, addr, events)
			if ctx.Err() == nil {
				o.lost(pod, err)
			}
		})
	}
	ended := make(chan struct{})
	go func() {
		following.Wait()
		close(ended)
	}()
	for {
		select {
		case e := <-events:
			if err := show(&e); err != nil {
				stop(err)
				<-ended
				return fmt.Errorf("show an event: %w", err)
			}
		case <-ended:
			if ctx.Err() != nil {
				return nil // The user has seen enough.
			}
			return errors.New("no speaker answers any more")
		}
	}
}

// lost says that a speaker says nothing more.
func (o *options) lost(pod *corev1.Pod, err error) {
	if err == nil {
		err = errors.New("it has ended the stream, as it does after an hour")
	}
	o.remarks.Lock()
	defer o.remarks.Unlock()
	o.Warn("not seen from now on: what node %s sees: %v", pod.Spec.NodeName, err)
}

// stream passes on the events of one speaker until ctx ends or the speaker ends it.
func (r *reach) stream(ctx context.Context, pod *corev1.Pod, addr netip.Addr, events chan<- traceapi.Event) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	watchdog := time.AfterFunc(silence, func() { cancel(fmt.Errorf("nothing has come for %s", silence)) })
	defer watchdog.Stop()
	body, err := r.open(ctx, pod, addr)
	if err != nil {
		return errors.Join(err, context.Cause(ctx))
	}
	defer func() { _ = body.Close() }()
	scanner := bufio.NewScanner(body)
	scanner.Buffer(nil, maxLine)
	for scanner.Scan() {
		watchdog.Reset(silence)
		if len(scanner.Bytes()) == 0 {
			continue
		}
		var e traceapi.Event
		if err := json.Unmarshal(scanner.Bytes(), &e); err != nil {
			return fmt.Errorf("read an event: %w", err)
		}
		e.Node = pod.Spec.NodeName // Nobody speaks for another node.
		select {
		case events <- e:
		case <-ctx.Done():
		}
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return scanner.Err()
}

// open asks a speaker for what is about an address.
func (r *reach) open(ctx context.Context, pod *corev1.Pod, addr netip.Addr) (io.ReadCloser, error) {
	at := url.URL{Scheme: "http", Host: "speaker", Path: traceapi.Path, RawQuery: url.Values{traceapi.AddressParameter: {addr.String()}}.Encode()}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, at.String(), http.NoBody)
	if err != nil {
		return nil, fmt.Errorf("ask the speaker: %w", err)
	}
	request.Header.Set("Authorization", "Bearer "+r.token)
	transport := &http.Transport{
		// The context that it is given outlives the request.
		DialContext:       func(context.Context, string, string) (net.Conn, error) { return r.dial(ctx, pod) },
		DisableKeepAlives: true, ResponseHeaderTimeout: answerTimeout,
	}
	answer, err := transport.RoundTrip(request)
	if err != nil {
		return nil, fmt.Errorf("ask the speaker: %w", err)
	}
	if answer.StatusCode == http.StatusOK {
		return answer.Body, nil
	}
	defer func() { _ = answer.Body.Close() }()
	text, _ := io.ReadAll(io.LimitReader(answer.Body, 1<<10))
	return nil, fmt.Errorf("the speaker answers %s: %s", answer.Status, strings.TrimSpace(string(text)))
}
