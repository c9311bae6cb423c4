package daemon

import (
	"crypto/sha256"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr"
	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	authenticationclient "k8s.io/client-go/kubernetes/typed/authentication/v1"
	authorizationclient "k8s.io/client-go/kubernetes/typed/authorization/v1"
	"k8s.io/client-go/rest"
)

// reviewServer stands for an API server that knows the tokens "reader", who may get /metrics, and "other", who may not.
type reviewServer struct {
	down  bool
	asked int
}

func (s *reviewServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.asked++
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
		_ = json.NewEncoder(w).Encode(review)
		return
	}
	var review authorizationv1.SubjectAccessReview
	_ = json.NewDecoder(r.Body).Decode(&review)
	asked := review.Spec.NonResourceAttributes
	review.Status.Allowed = review.Spec.User == "reader" && asked.Path == "/metrics" && asked.Verb == "get"
	_ = json.NewEncoder(w).Encode(review)
}

func TestReaders_LetThoseReadWhoMay(t *testing.T) {
	api := &reviewServer{}
	server := httptest.NewServer(api)
	defer server.Close()
	config := &rest.Config{Host: server.URL, ContentConfig: rest.ContentConfig{ContentType: "application/json"}}
	now := time.Unix(1000, 0)
	r := &readers{
		tokens: authenticationclient.NewForConfigOrDie(config).TokenReviews(), access: authorizationclient.NewForConfigOrDie(config).SubjectAccessReviews(),
		now: func() time.Time { return now }, verdicts: map[[sha256.Size]byte]verdict{},
	}
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
		api.down, api.asked = step.down, 0
		request := httptest.NewRequest(http.MethodGet, step.path, nil)
		request.Header.Set("Authorization", step.authorization)
		answer := httptest.NewRecorder()
		handler.ServeHTTP(answer, request)
		if answer.Code != step.want || api.asked != step.asked {
			t.Errorf("%s: status %d, want %d; the API server was asked %d times, want %d", step.name, answer.Code, step.want, api.asked, step.asked)
		}
	}
}
