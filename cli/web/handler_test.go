package web

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// get a page as a browser on this machine does.
func get(t testing.TB, handler http.Handler, path string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "http://localhost:8686"+path, nil)
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, r)
	return w
}

func TestHandler_ServesThisMachineAlone(t *testing.T) {
	handler := newHandler(newKeeper(environment(), objects(t, "healthy")))
	type headers = map[string]string
	for _, test := range []struct {
		name, method, host string
		headers            headers
		status             int
	}{
		{"a user who types the address", "GET", "localhost:8686", nil, 200},
		{"by number", "GET", "127.0.0.1:8686", nil, 200},
		{"through a tunnel with an IPv6 address at another port", "GET", "[::1]:9000", nil, 200},
		{"without a port", "GET", "localhost", nil, 200},
		{"a name whose DNS says 127.0.0.1", "GET", "evil.example:8686", nil, 403},
		{"a name that begins like ours", "GET", "localhost.evil.example:8686", nil, 403},
		{"no name", "GET", "", nil, 403},
		{"a name in the place of the port", "GET", "localhost:8686.evil.example", nil, 403},
		{"the page's own script", "GET", "localhost:8686", headers{"Origin": "http://localhost:8686", "Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "cors"}, 200},
		{"the script of another page", "GET", "localhost:8686", headers{"Origin": "https://evil.example"}, 403},
		{"the script of a page at another port", "GET", "localhost:8686", headers{"Origin": "http://localhost:3000"}, 403},
		{"a page without an origin", "GET", "localhost:8686", headers{"Origin": "null"}, 403},
		{"a picture in another page", "GET", "localhost:8686", headers{"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"}, 403},
		{"a link in another page", "GET", "localhost:8686", headers{"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}, 200},
		{"a form", "POST", "localhost:8686", nil, 405},
	} {
		t.Run(test.name, func(t *testing.T) {
			for _, path := range []string{"/", "/services/default/web", "/static/style.css"} {
				r := httptest.NewRequestWithContext(t.Context(), test.method, path, nil)
				r.Host = test.host
				for name, value := range test.headers {
					r.Header.Set(name, value)
				}
				w := httptest.NewRecorder()
				handler.ServeHTTP(w, r)
				if w.Code != test.status {
					t.Errorf("%s is answered with %d", path, w.Code)
				}
				if test.status != http.StatusOK && strings.Contains(w.Body.String(), "192.0.2") {
					t.Errorf("%s shows what is refused", path)
				}
			}
		})
	}
}

func TestHandler_LetsThePageLoadNothingOfOthers(t *testing.T) {
	handler := newHandler(newKeeper(environment(), objects(t, "broken")))
	for _, path := range paths {
		w := get(t, handler, path)
		if policy := w.Header().Get("Content-Security-Policy"); !strings.HasPrefix(policy, "default-src 'none';") || strings.Contains(policy, "unsafe") {
			t.Errorf("%s has the policy %q", path, policy)
		}
		for _, refused := range []string{`src="http`, `href="http`, "style=", "<style", "<script>", " onclick", "javascript:"} {
			if strings.Contains(w.Body.String(), refused) {
				t.Errorf("%s has %q, which the policy does not let through", path, refused)
			}
		}
	}
}
