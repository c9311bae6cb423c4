package bundle

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/rest"
)

// What logs and metrics may take.
const (
	// mostKept bytes of a log, the newest, or of metrics are kept.
	mostKept = 2 << 20
	// mostLines of a log are asked for.
	mostLines = 50_000
	// mostAll is how much all of them may take together.
	mostAll = 64 << 20
	// eachTime is for one of them, and allTime for all.
	eachTime = 15 * time.Second
	allTime  = 90 * time.Second
	atOnce   = 6
)

// programs reads what Daymark's Pods say, by the API server.
type programs struct {
	pods  corev1client.PodInterface
	since time.Duration
	// warn of progress.
	warn func(format string, args ...any)

	mu   sync.Mutex
	room int
}

func (o *options) programs() (*programs, error) {
	config, err := o.Config.ToRESTConfig()
	if err != nil {
		return nil, fmt.Errorf("find the API server: %w", err)
	}
	client, err := corev1client.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("make a client: %w", err)
	}
	return &programs{pods: client.Pods(o.System), since: o.since, warn: o.Warn, room: mostAll}, nil
}

// piece is a log, or the metrics of a Pod.
type piece struct {
	// name of its file, and what it is for people.
	name, what, resource string
	read                 func(ctx context.Context) (string, error)
}

// fetch logs and metrics of Pods, those that are not well first, and add them or what was not to be had.
func (p *programs) fetch(ctx context.Context, pods []*corev1.Pod, c *contents) {
	ctx, cancel := context.WithTimeout(ctx, allTime)
	defer cancel()
	slices.SortStableFunc(pods, func(a, b *corev1.Pod) int { return cmp.Compare(wellness(a), wellness(b)) })
	var pieces []piece
	for _, pod := range pods {
		pieces = append(pieces, p.pieces(pod)...)
	}
	if len(pieces) > 0 {
		p.warn("reading logs and metrics of %d Pods ...", len(pods))
	}
	texts, errs := make([]string, len(pieces)), make([]error, len(pieces))
	var group errgroup.Group
	group.SetLimit(atOnce)
	for i := range pieces {
		group.Go(func() error {
			texts[i], errs[i] = p.one(ctx, &pieces[i])
			return nil
		})
	}
	_ = group.Wait() // errors are by piece
	for i := range pieces {
		if errs[i] != nil {
			c.miss(pieces[i].missing(errs[i]))
		} else {
			c.files = append(c.files, file{pieces[i].name, texts[i]})
		}
	}
}

// wellness of a Pod: 0, it is not ready; 1, it has been restarted; 2, neither.
func wellness(pod *corev1.Pod) int {
	well := 2
	for i := range pod.Status.ContainerStatuses {
		switch s := &pod.Status.ContainerStatuses[i]; {
		case !s.Ready:
			return 0
		case s.RestartCount > 0:
			well = 1
		}
	}
	return well
}

// missing says what is not there. The API server's own words of what is forbidden have the name of the user, and are one for each Pod.
func (p *piece) missing(err error) string {
	if apierrors.IsForbidden(err) {
		return "you may not get " + p.resource
	}
	return p.what + ": " + err.Error()
}

var errNoRoom = fmt.Errorf("all of them are larger than %d MiB", mostAll>>20)

// one piece, as far as there is room.
func (p *programs) one(ctx context.Context, of *piece) (string, error) {
	if !p.take(0) {
		return "", errNoRoom
	}
	ctx, cancel := context.WithTimeout(ctx, eachTime)
	defer cancel()
	text, err := of.read(ctx)
	if err != nil {
		return "", err
	}
	if !p.take(len(text)) {
		return "", errNoRoom
	}
	return text, nil
}

// take room, and report whether there was some.
func (p *programs) take(size int) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.room -= size
	return p.room > 0
}

// pieces of a Pod.
func (p *programs) pieces(pod *corev1.Pod) (all []piece) {
	restarted := map[string]bool{}
	for i := range pod.Status.ContainerStatuses {
		restarted[pod.Status.ContainerStatuses[i].Name] = pod.Status.ContainerStatuses[i].RestartCount > 0
	}
	for i := range pod.Spec.Containers {
		container := &pod.Spec.Containers[i]
		all = append(all, p.log(pod.Name, container.Name, false))
		if restarted[container.Name] {
			all = append(all, p.log(pod.Name, container.Name, true))
		}
		for _, port := range container.Ports {
			if port.Name == "metrics" {
				all = append(all, p.metrics(pod.Name, port.ContainerPort, slices.ContainsFunc(container.Args, secure)))
			}
		}
	}
	return all
}

func secure(arg string) bool { return arg == "--metrics-secure" || arg == "--metrics-secure=true" }

func (p *programs) log(pod, container string, previous bool) piece {
	name := "logs/" + pod + "/" + container
	if previous {
		name += ".previous"
	}
	lines := int64(mostLines)
	// No LimitBytes, which would cut off the newest lines.
	options := &corev1.PodLogOptions{Container: container, Previous: previous, TailLines: &lines}
	if seconds := int64((p.since + time.Second - 1) / time.Second); seconds > 0 && !previous {
		options.SinceSeconds = &seconds
	}
	return piece{name + ".log", "log of " + container + " in Pod " + pod, "pods/log", func(ctx context.Context) (string, error) {
		text, err := answer(ctx, p.pods.GetLogs(pod, options), newestLines)
		return string(text), err
	}}
}

func (p *programs) metrics(pod string, port int32, secure bool) piece {
	scheme := "http"
	if secure {
		scheme = "https"
	}
	return piece{"metrics/" + pod + ".txt", "metrics of Pod " + pod, "pods/proxy", func(ctx context.Context) (string, error) {
		text, err := answer(ctx, p.pods.ProxyGet(scheme, pod, strconv.Itoa(int(port)), "metrics", nil), upToMost)
		if err == nil && len(text) > mostKept {
			err = fmt.Errorf("they are larger than %d MiB", mostKept>>20)
		}
		return string(text), err
	}}
}

// answer of a request, as much of it as read keeps.
func answer(ctx context.Context, request rest.ResponseWrapper, read func(io.Reader) ([]byte, error)) (text []byte, err error) {
	stream, err := request.Stream(ctx)
	if err != nil {
		return nil, firstLine(err)
	}
	defer func() { err = errors.Join(err, stream.Close()) }()
	return read(stream)
}

// upToMost of a stream, and one byte to see that there is more.
func upToMost(stream io.Reader) ([]byte, error) {
	return io.ReadAll(io.LimitReader(stream, mostKept+1))
}

// newestLines of a stream, whole ones, mostKept bytes at most.
func newestLines(stream io.Reader) ([]byte, error) {
	var text []byte
	buffer := make([]byte, 64<<10)
	for {
		n, err := stream.Read(buffer)
		text = append(text, buffer[:n]...)
		if len(text) > 2*mostKept {
			text = append(text[:0], text[len(text)-mostKept-1:]...) // one more than is kept says that something was before
		}
		if err == nil {
			continue
		}
		if len(text) > mostKept {
			text = text[len(text)-mostKept:]
			text = text[bytes.IndexByte(text, '\n')+1:]
		}
		if errors.Is(err, io.EOF) {
			err = nil
		}
		return text, err
	}
}

// firstLine of what a proxy has answered, which may be a page.
func firstLine(err error) error {
	if line, _, more := strings.Cut(err.Error(), "\n"); more && !apierrors.IsForbidden(err) {
		return errors.New(line)
	}
	return err
}
