package informer

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"

	"github.com/daymark-lb/daymark/api/v1beta1"
)

// streaming is an API server that has no object, and answers every watch. It counts those that ask for what there is to be
// sent object by object first (WatchList), and lists.
type streaming struct {
	scheme *runtime.Scheme
	// refuses: it knows no such streams.
	refuses bool

	mu      sync.Mutex
	streams int
	lists   int
}

func (s *streaming) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	stream := query.Get("watch") == "true" && query.Get("sendInitialEvents") == "true" && query.Get("resourceVersionMatch") == "NotOlderThan"
	s.mu.Lock()
	if stream {
		s.streams++
	} else if query.Get("watch") != "true" {
		s.lists++
	}
	s.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	switch {
	case stream && s.refuses:
		w.WriteHeader(http.StatusUnprocessableEntity)
		_, _ = fmt.Fprint(w, `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"Invalid","code":422}`)
	case query.Get("watch") != "true":
		_, _ = fmt.Fprintf(w, `{"kind":"List","apiVersion":"v1","metadata":{"resourceVersion":"7"},"items":[]}`)
	default:
		if stream {
			kind := s.at(r.URL.Path)
			_, _ = fmt.Fprintf(w, `{"type":"BOOKMARK","object":{"kind":%q,"apiVersion":%q,"metadata":{"resourceVersion":"7","annotations":{%q:"true"}}}}`,
				kind.Kind, kind.GroupVersion(), metav1.InitialEventsAnnotationKey)
		}
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	}
}

// at returns the kind that a path of the API has.
func (s *streaming) at(path string) schema.GroupVersionKind {
	mapper, _ := Mapper(nil, nil)
	for _, object := range Kinds() {
		kind, _ := apiutil.GVKForObject(object, s.scheme)
		mapping, err := mapper.RESTMapping(kind.GroupKind(), kind.Version)
		if err == nil && strings.HasSuffix(path, "/"+mapping.Resource.Resource) {
			return kind
		}
	}
	return schema.GroupVersionKind{}
}

// A speaker that starts asks for no list: the API server would make each as a whole, for a thousand speakers at once. One that knows no
// streams is asked for lists.
func TestSpeakerOptions_StreamWhatThereIs(t *testing.T) {
	scheme := runtime.NewScheme()
	if err := clientgoscheme.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	if err := v1beta1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name           string
		refuses        bool
		streams, lists int
	}{
		{"an API server of today", false, len(Kinds()), 0},
		{"one that knows no streams", true, len(Kinds()), len(Kinds())},
	} {
		t.Run(test.name, func(t *testing.T) {
			api := &streaming{scheme: scheme, refuses: test.refuses}
			server := httptest.NewServer(api)
			ctx, end := context.WithTimeout(t.Context(), time.Minute)
			defer server.Close()
			defer end() // before the server waits for the end of its answers
			options := SpeakerOptions(scheme, "daymark-system", classes, "n1")
			options.Mapper, _ = Mapper(nil, nil)
			informers, err := cache.New(&rest.Config{Host: server.URL, QPS: -1}, options)
			if err != nil {
				t.Fatal(err)
			}
			for _, kind := range Kinds() {
				if _, err := informers.GetInformer(ctx, kind, cache.BlockUntilSynced(false)); err != nil {
					t.Fatal(err)
				}
			}
			ended := make(chan error)
			go func() { ended <- informers.Start(ctx) }()
			if !informers.WaitForCacheSync(ctx) {
				t.Error("the caches have not synced")
			}
			api.mu.Lock()
			if api.streams != test.streams || api.lists != test.lists {
				t.Errorf("asked for %d streams and %d lists, want %d and %d", api.streams, api.lists, test.streams, test.lists)
			}
			api.mu.Unlock()
			end()
			if err := <-ended; err != nil {
				t.Error(err)
			}
		})
	}
}
