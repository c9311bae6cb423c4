package daemon

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/go-logr/logr/funcr"
	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	"k8s.io/client-go/rest"
)

// reviewServer stands for an API server that knows the tokens "reader", who may get /metrics, and "other", who may not.
type reviewServer struct {
	down bool
	// old: it knows nothing of audiences.
	old   bool
	asked atomic.Int32
}

func (s *reviewServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.asked.Add(1)
	if s.down {
		http.Error(w, "down", http.StatusServiceUnavailable)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	if strings.HasSuffix(r.URL.Path, "/tokenreviews") {
		var review authenticationv1.TokenReview
		_ = json.NewDecoder(r.Body).Decode(&review)
		user := review.Spec.Token
		review.Status.Authenticated, review.Status.User.Username = user == "reader" || user == "other", user
		if !s.old {
			review.Status.Audiences = review.Spec.Audiences
		}
		_ = json.NewEncoder(w).Encode(review)
		return
	}
	var review authorizationv1.SubjectAccessReview
	_ = json.NewDecoder(r.Body).Decode(&review)
	asked := review.Spec.NonResourceAttributes
	review.Status.Allowed = review.Spec.User == "reader" && asked.Path == "/metrics" && asked.Verb == "get"
	_ = json.NewEncoder(w).Encode(review)
}

// readersOf ask an API server. Its program has no limit of its own.
func readersOf(t *testing.T, url string) *readers {
	t.Helper()
	r, err := newReaders(&rest.Config{Host: url, QPS: -1, ContentConfig: rest.ContentConfig{ContentType: "application/json"}}, http.DefaultClient, nil)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestReaders_LetThoseReadWhoMay(t *testing.T) {
	api := &reviewServer{}
	server := httptest.NewServer(api)
	defer server.Close()
	now := time.Unix(1000, 0)
	r := readersOf(t, server.URL)
	r.now = func() time.Time { return now }
	handler := r.filter(logr.Discard(), http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) }))
	for _, step := range []struct {
		name, authorization, path string
		down                      bool
		after                     time.Duration
		want, asked               int
	}{
		{"nobody", "", "/metrics", false, 0, 401, 0},
		{"an empty token", "Bearer ", "/metrics", false, 0, 401, 0},
		{"a password", "Basic cmVhZGVyOg==", "/metrics", false, 0, 401, 0},
		{"a token that is too long", "Bearer " + strings.Repeat("x", maxToken+1), "/metrics", false, 0, 401, 0},
		{"a token that is not known", "Bearer made-up", "/metrics", false, 0, 401, 1},
		{"who may not", "Bearer other", "/metrics", false, 0, 403, 2},
		{"who may", "Bearer reader", "/metrics", false, 0, 200, 2},
		{"again: nobody is asked", "Bearer reader", "/metrics", false, 0, 200, 0},
		{"who may not, again", "Bearer other", "/metrics", false, 0, 403, 0},
		{"who may, on another path", "Bearer reader", "/debug", false, 0, 403, 2},
		{"a minute later it is asked again", "Bearer reader", "/metrics", false, verdictTimeout, 200, 2},
		{"while the API server is away, who might", "Bearer reader", "/metrics", true, verdictTimeout, 200, 1},
		{"and who might not", "Bearer other", "/metrics", true, 0, 503, 1},
		{"and who was not seen", "Bearer new", "/metrics", true, 0, 503, 1},
		{"but not for ever", "Bearer reader", "/metrics", true, awayTimeout, 503, 1},
	} {
		now = now.Add(step.after)
		api.down = step.down
		before := int(api.asked.Load())
		request := httptest.NewRequest(http.MethodGet, step.path, nil)
		request.Header.Set("Authorization", step.authorization)
		answer := httptest.NewRecorder()
		handler.ServeHTTP(answer, request)
		if asked := int(api.asked.Load()) - before; answer.Code != step.want || asked != step.asked {
			t.Errorf("%s: status %d, want %d; the API server was asked %d times, want %d", step.name, answer.Code, step.want, asked, step.asked)
		}
	}
}

// Whoever reaches the port may send tokens that are made up.
func TestReaders_AFloodOfTokensIsNotPassedOn(t *testing.T) {
	api := &reviewServer{}
	server := httptest.NewServer(api)
	defer server.Close()
	logged := 0
	log := funcr.New(func(string, string) { logged++ }, funcr.Options{})
	handler := readersOf(t, server.URL).filter(log, http.NotFoundHandler())
	began := time.Now()
	for i := range 200 {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second/reviewsPerSecond/2)
		request := httptest.NewRequestWithContext(ctx, http.MethodGet, "/metrics", nil)
		request.Header.Set("Authorization", fmt.Sprintf("Bearer made-up-%d", i))
		answer := httptest.NewRecorder()
		handler.ServeHTTP(answer, request)
		cancel()
		if answer.Code != http.StatusUnauthorized && answer.Code != http.StatusServiceUnavailable {
			t.Fatalf("token %d: status %d", i, answer.Code)
		}
	}
	took := time.Since(began)
	if asked, most := int(api.asked.Load()), reviewBurst+int(took.Seconds()*reviewsPerSecond)+1; asked == 0 || asked > most {
		t.Errorf("the API server was asked %d times in %s, want at most %d", asked, took, most)
	}
	if most := 1 + int(took/complaintInterval); logged == 0 || logged > most {
		t.Errorf("%d lines were logged, want at most %d", logged, most)
	}
}

func TestReaders_RememberThoseWhoMayBeforeOthers(t *testing.T) {
	r := readersOf(t, "http://192.0.2.1")
	now := time.Unix(100_000, 0)
	key := func(name string, i int) [sha256.Size]byte { return sha256.Sum256([]byte(fmt.Sprint(name, i))) }
	r.remember(key("old", 0), verdict{0, now.Add(-awayTimeout)})
	r.remember(key("reader", 0), verdict{0, now})
	for i := range 3 * maxVerdicts {
		r.remember(key("made-up", i), verdict{http.StatusUnauthorized, now})
	}
	if _, found := r.verdicts[key("reader", 0)]; !found {
		t.Error("tokens that are made up have pushed out a reader")
	}
	if _, found := r.verdicts[key("old", 0)]; found {
		t.Error("what is of no use any more is remembered")
	}
	for i := range 3 * maxVerdicts {
		r.remember(key("reader", i), verdict{0, now})
		if len(r.verdicts) > maxVerdicts {
			t.Fatalf("%d are remembered", len(r.verdicts))
		}
	}
}

func TestFilter_WantsTokensOfAnAudience(t *testing.T) {
	for _, test := range []struct {
		name string
		old  bool
		want int
	}{{"the API server says that the token is meant for it", false, http.StatusOK}, {"it does not say", true, http.StatusUnauthorized}} {
		server := httptest.NewServer(&reviewServer{old: test.old})
		defer server.Close()
		filter, err := Filter(&rest.Config{Host: server.URL, ContentConfig: rest.ContentConfig{ContentType: "application/json"}}, http.DefaultClient,
			"metrics.example", slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		request := httptest.NewRequest(http.MethodGet, "/metrics", nil)
		request.Header.Set("Authorization", "Bearer reader")
		answer := httptest.NewRecorder()
		filter(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})).ServeHTTP(answer, request)
		if answer.Code != test.want {
			t.Errorf("%s: status %d, want %d", test.name, answer.Code, test.want)
		}
	}
}
