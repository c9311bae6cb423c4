package web

import (
	"bytes"
	"embed"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strconv"
)

//go:embed static
var static embed.FS

// localNames are those by which this machine's browser reaches the page, also through a tunnel that ends at another port. A name that
// a stranger's DNS resolves to this machine is none of them.
var localNames = []string{"localhost", "127.0.0.1", "::1"}

// policy lets the page load nothing but its own style, script and pictures, and run nothing that stands in it.
const policy = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; " +
	"base-uri 'none'; frame-ancestors 'none'"

// newHandler serves the pages, what changes in them, and the files that they need.
func newHandler(k *keeper) http.Handler {
	mux := http.NewServeMux()
	files := http.FileServerFS(static)
	mux.Handle("GET /static/", files)
	mux.HandleFunc("GET /live", func(w http.ResponseWriter, r *http.Request) { live(w, r, k) })
	mux.HandleFunc("GET /", func(w http.ResponseWriter, r *http.Request) {
		now, _ := k.look()
		show(w, now.page(r.URL))
	})
	return guard(mux)
}

// show writes a page.
func show(w http.ResponseWriter, p *page) {
	var html bytes.Buffer
	if err := templates.ExecuteTemplate(&html, p.Layout, p); err != nil {
		http.Error(w, fmt.Sprintf("lay out the page: %v", err), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(p.Status)
	_, _ = html.WriteTo(w) // who has gone does not mind
}

// guard refuses what does not come from a page of this server in a browser on this machine, or from a user who opens one.
func guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for name, value := range map[string]string{
			"Content-Security-Policy": policy, "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "Cache-Control": "no-store",
			"Cross-Origin-Resource-Policy": "same-origin", "Cross-Origin-Opener-Policy": "same-origin",
		} {
			w.Header().Set(name, value)
		}
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			http.Error(w, "this page only shows", http.StatusMethodNotAllowed)
			return
		}
		if why := foreign(r); why != "" {
			http.Error(w, why, http.StatusForbidden)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func isPort(text string) bool {
	_, err := strconv.ParseUint(text, 10, 16)
	return err == nil
}

// foreign says what is wrong with where a request comes from; empty: nothing.
func foreign(r *http.Request) string {
	host, port, err := net.SplitHostPort(r.Host)
	if err != nil {
		host, port = r.Host, "0"
	}
	site, mode := r.Header.Get("Sec-Fetch-Site"), r.Header.Get("Sec-Fetch-Mode")
	switch origin := r.Header.Get("Origin"); {
	case !slices.Contains(localNames, host) || !isPort(port):
		return "this page is served to localhost alone"
	case origin != "" && origin != "http://"+r.Host:
		return "this page is not for other pages"
	case (site == "cross-site" || site == "same-site") && mode != "navigate":
		return "this page is not for other pages"
	}
	return ""
}
