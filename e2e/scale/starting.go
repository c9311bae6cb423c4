package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/e2e/lab"
	"github.com/daymark-lb/daymark/internal/core/lb"
	"github.com/daymark-lb/daymark/internal/informer"
)

// request is one by which a cache of a speaker is filled and kept.
type request struct{ uri, accept string }

// recorder notes the requests that pass.
type recorder struct {
	http.RoundTripper
	mu   sync.Mutex
	seen []request
}

func (r *recorder) RoundTrip(sent *http.Request) (*http.Response, error) {
	r.mu.Lock()
	r.seen = append(r.seen, request{sent.URL.RequestURI(), sent.Header.Get("Accept")})
	r.mu.Unlock()
	return r.RoundTripper.RoundTrip(sent)
}

// requestsOfSpeaker starts the caches of a speaker, waits until they have synced, and returns what they have asked the API server for.
func requestsOfSpeaker(ctx context.Context, config *rest.Config, node string) ([]request, error) {
	scheme, err := speakerScheme()
	if err != nil {
		return nil, err
	}
	seen := &recorder{}
	config = rest.CopyConfig(config)
	config.Wrap(func(next http.RoundTripper) http.RoundTripper { seen.RoundTripper = next; return seen })
	options := informer.SpeakerOptions(scheme, lab.Namespace, lb.Classes{Name: v1beta1.LoadBalancerClass}, node)
	options.Mapper, _ = informer.Mapper(nil, nil)
	informers, err := cache.New(config, options)
	if err != nil {
		return nil, fmt.Errorf("make caches: %w", err)
	}
	ctx, end := context.WithTimeout(ctx, time.Minute)
	defer end()
	for _, kind := range informer.Kinds() {
		if _, err := informers.GetInformer(ctx, kind, cache.BlockUntilSynced(false)); err != nil {
			return nil, fmt.Errorf("make a cache: %w", err)
		}
	}
	go func() { _ = informers.Start(ctx) }()
	if !informers.WaitForCacheSync(ctx) {
		return nil, fmt.Errorf("the caches have not synced: %w", ctx.Err())
	}
	seen.mu.Lock()
	defer seen.mu.Unlock()
	var once []request // what is refused for now is asked for again
	for _, r := range seen.seen {
		if !strings.Contains(r.uri, "sendInitialEvents=true") {
			return nil, fmt.Errorf("it is no stream: %s", r.uri)
		}
		path := func(uri string) string { before, _, _ := strings.Cut(uri, "?"); return before }
		if !slices.ContainsFunc(once, func(other request) bool { return path(other.uri) == path(r.uri) }) {
			once = append(once, r)
		}
	}
	return once, nil
}

func speakerScheme() (*runtime.Scheme, error) {
	scheme := runtime.NewScheme()
	if err := clientgoscheme.AddToScheme(scheme); err != nil {
		return nil, err
	}
	return scheme, v1beta1.AddToScheme(scheme)
}

// starting is a speaker that starts, of which there are no more than its requests: those of its caches, whose answers it reads and drops,
// and the writes of its Speaker object. It has a connection of its own. A thousand whole speakers would take the processors from the API
// server, which on their nodes they do not.
type starting struct {
	node     string
	config   *rest.Config
	like     string // the node whose speaker sent the requests
	requests []request

	streams        sync.WaitGroup
	bytes, refused atomic.Int64
	whole, wrote   time.Duration
	err            error
}

// start returns when all that there is has come, and the speaker has written what it does. The streams go on until ctx ends.
func (s *starting) start(ctx context.Context, began time.Time) {
	s.config.Dial = (&net.Dialer{}).DialContext // of its own: or all would share one connection
	web, err := rest.HTTPClientFor(s.config)
	if err != nil {
		s.err = err
		return
	}
	var came sync.WaitGroup
	for _, r := range s.requests {
		came.Add(1)
		s.streams.Go(func() { s.stream(ctx, web, r, sync.OnceFunc(came.Done)) })
	}
	came.Wait()
	s.whole = time.Since(began)
	if s.err = ctx.Err(); s.err == nil {
		s.err = s.write(ctx, web)
	}
	s.wrote = time.Since(began)
}

// stream sends a request again until it is not refused, and reads until ctx ends. It calls came when what there is has come, or ctx has ended.
func (s *starting) stream(ctx context.Context, web *http.Client, r request, came func()) {
	defer came()
	uri := strings.ReplaceAll(r.uri, "metadata.name%3D"+s.like, "metadata.name%3D"+s.node)
	for ctx.Err() == nil {
		sent, err := http.NewRequestWithContext(ctx, http.MethodGet, s.config.Host+uri, nil)
		if err != nil {
			return
		}
		sent.Header.Set("Accept", r.accept)
		answer, err := web.Do(sent)
		if err == nil && answer.StatusCode == http.StatusOK {
			s.read(answer.Body, came)
		} else {
			s.refused.Add(1)
			select {
			case <-ctx.Done():
			case <-time.After(wantedWait(answer)):
			}
		}
		if err == nil {
			_ = answer.Body.Close()
		}
	}
}

// wantedWait is how long the API server wants a client to wait that it has refused, as client-go does: the more it refuses, the longer, up
// to 32 s. Without an answer, or a word of it, it is a second.
func wantedWait(answer *http.Response) time.Duration {
	if answer != nil {
		if seconds, err := strconv.Atoi(answer.Header.Get("Retry-After")); err == nil && seconds > 0 {
			return time.Duration(seconds) * time.Second
		}
	}
	return time.Second
}

// read reads a stream to its end. The mark that ends what there was may lie across two reads.
func (s *starting) read(body io.Reader, came func()) {
	mark := []byte(metav1.InitialEventsAnnotationKey)
	buffer, kept := make([]byte, 32<<10), 0
	for {
		n, err := body.Read(buffer[kept:])
		s.bytes.Add(int64(n))
		all := buffer[:kept+n]
		if bytes.Contains(all, mark) {
			came()
		}
		kept = copy(buffer, all[max(0, len(all)-len(mark)+1):])
		if err != nil {
			return
		}
	}
}

// write writes the Speaker object twice, as a speaker does that starts: at once, and when it has sessions and knows the others.
func (s *starting) write(ctx context.Context, web *http.Client) error {
	scheme, err := speakerScheme()
	if err != nil {
		return err
	}
	mapper, _ := informer.Mapper(nil, nil)
	api, err := client.New(s.config, client.Options{Scheme: scheme, Mapper: mapper, HTTPClient: web})
	if err != nil {
		return fmt.Errorf("make a client: %w", err)
	}
	own := &v1beta1.Speaker{}
	for i := range 2 {
		if err := api.Get(ctx, client.ObjectKey{Name: s.node}, own); err != nil {
			return fmt.Errorf("read the Speaker object: %w", err)
		}
		own.Status.BGP[0].IPv4 += int32(1 - 2*i)
		if err := api.Status().Update(ctx, own); err != nil {
			return fmt.Errorf("write the Speaker object: %w", err)
		}
	}
	return nil
}
