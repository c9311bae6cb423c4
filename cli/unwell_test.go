package main

import (
	"bytes"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/daymark-lb/daymark/cli/env"
)

// asking are commands that ask an API server, FILE being one with a Service: each kind of command, and each that asks in a way of its own.
var asking = []string{
	"status", "problems", "services", "routes", "watch", "web --port=0", "status --watch", "version",
	"explain service web", "explain address 192.0.2.1", "explain node n1", "explain pool lan", "explain peer tor",
	"check", "check --pre", "simulate drain n1", "simulate apply -f FILE", "diff -f FILE", "validate --live -f FILE",
	"bundle -o FILE.tgz", "trace 192.0.2.1", "test", "drain n1", "migrate plan", "migrate next --yes", "migrate back shop/web --yes",
	"migrate metallb --cluster", "migrate others --cluster", "migrate external-ips --cluster",
}

// failure answers with one as an API server does.
func failure(w http.ResponseWriter, code int, reason string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	fmt.Fprintf(w, `{"kind":"Status","apiVersion":"v1","status":"Failure","code":%d,"reason":%q,"message":%q}`, code, reason, reason)
}

// askServer asks the API server at a place by a command, and return its error and what it says.
func askServer(t *testing.T, server, timeout, words string) (status int, says string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "web.yaml")
	const service = "{apiVersion: v1, kind: Service, metadata: {name: web, namespace: default}, spec: {type: LoadBalancer, ports: [{port: 80}]}}"
	if err := os.WriteFile(file, []byte(service), 0o600); err != nil {
		t.Fatal(err)
	}
	var out, remarks bytes.Buffer
	e := env.New(genericiooptions.IOStreams{In: strings.NewReader(""), Out: &out, ErrOut: &remarks})
	err := execute(t.Context(), e, append(strings.Fields(strings.ReplaceAll(words, "FILE", file)), "--server="+server, "--request-timeout="+timeout))
	return env.ExitStatus(err), remarks.String()
}

// TestCommands_SayInWordsWhyTheAPIServerDoesNotAnswer: each command ends, with status 1, and says what is wrong and what to do, not what
// request has failed.
func TestCommands_SayInWordsWhyTheAPIServerDoesNotAnswer(t *testing.T) {
	t.Setenv("KUBECONFIG", os.DevNull)
	t.Setenv("HOME", t.TempDir())
	gone := httptest.NewServer(nil)
	gone.Close()
	end := make(chan struct{})
	serve := func(handler http.HandlerFunc) string {
		server := httptest.NewServer(handler)
		t.Cleanup(server.Close)
		return server.URL
	}
	silent := serve(func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-r.Context().Done():
		case <-end:
		}
	})
	t.Cleanup(func() { close(end) })
	encrypted := httptest.NewUnstartedServer(nil)
	encrypted.Config.ErrorLog = log.New(io.Discard, "", 0)
	encrypted.StartTLS()
	t.Cleanup(encrypted.Close)
	for _, c := range []struct{ name, server, timeout, want string }{
		{"nobody listens", gone.URL, "0", "cannot be reached: is it up, and is this the right cluster"},
		{"it never answers", silent, "50ms", "has not answered for 50ms"},
		{"it says again and again that it may be asked later", serve(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "5")
			failure(w, http.StatusServiceUnavailable, "ServiceUnavailable")
		}), "50ms", "has not answered for 50ms"},
		{"it fails", serve(func(w http.ResponseWriter, _ *http.Request) {
			failure(w, http.StatusInternalServerError, "InternalError")
		}), "0", "answers with an error of its own"},
		{"the token has expired", serve(func(w http.ResponseWriter, _ *http.Request) { failure(w, http.StatusUnauthorized, "Unauthorized") }), "0", "does not accept your credentials"},
		{"its certificate is that of another", encrypted.URL, "0", "is not trusted"},
		{"it does not speak TLS", strings.Replace(silent, "http:", "https:", 1), "0", "does not speak TLS"},
		{"a proxy wants a login", serve(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			fmt.Fprint(w, "<html>log in</html>")
		}), "0", "is no API server"},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, words := range asking {
				status, says := askServer(t, c.server, c.timeout, words)
				if status != env.ExitWrong || !strings.Contains(says, c.want) || strings.Contains(says, "?limit=") {
					t.Errorf("%s ends with status %d and says %s", words, status, says)
				}
			}
		})
	}
}

// TestCommands_JudgeOutputFirst: a format that is none is an error of the command line, and is said before an API server is asked.
func TestCommands_JudgeOutputFirst(t *testing.T) {
	t.Setenv("KUBECONFIG", os.DevNull)
	t.Setenv("HOME", t.TempDir())
	gone := httptest.NewServer(nil)
	gone.Close()
	for _, words := range []string{"status", "problems", "services", "routes", "version", "explain web", "check", "simulate drain n1", "diff -f FILE", "test", "drain n1", "migrate plan"} {
		for _, format := range []string{"nothing", "jsonpath={.items[", "jsonpath", "go-template={{"} {
			status, says := askServer(t, gone.URL, "0", words+" -o "+format)
			if status != env.ExitUsage || strings.Contains(says, "cannot be reached") {
				t.Errorf("%s -o %s ends with status %d and says %s", words, format, status, says)
			}
		}
	}
}

// TestCommands_SayThatNothingIsSeen: who may list nothing is not told that all is well.
func TestCommands_SayThatNothingIsSeen(t *testing.T) {
	t.Setenv("KUBECONFIG", os.DevNull)
	t.Setenv("HOME", t.TempDir())
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { failure(w, http.StatusForbidden, "Forbidden") }))
	t.Cleanup(server.Close)
	for _, words := range asking {
		if words == "version" || strings.HasPrefix(words, "validate") {
			continue // What they say of the plugin and of files is true all the same.
		}
		status, says := askServer(t, server.URL, "0", words)
		if status != env.ExitWrong || !strings.Contains(says, "you may") && words != "test" {
			t.Errorf("%s ends with status %d and says %s", words, status, says)
		}
		if strings.Contains(says, "is left") {
			t.Errorf("%s says that something is left that could not be made: %s", words, says)
		}
	}
}

// other plays an API server that has kinds of Daymark in one version; empty: none.
func other(version string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		parts := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
		resource := parts[len(parts)-1]
		known := map[string]string{"services": "ServiceList", "nodes": "NodeList", "namespaces": "NamespaceList", "pods": "PodList", "configmaps": "ConfigMapList"}
		w.Header().Set("Content-Type", "application/json")
		switch {
		case r.URL.Path == "/apis/daymark.io" && version != "":
			fmt.Fprintf(w, `{"kind":"APIGroup","apiVersion":"v1","name":"daymark.io","versions":[{"groupVersion":"daymark.io/%[1]s","version":%[1]q}]}`, version)
		case known[resource] != "" && r.URL.Query().Get("watch") == "":
			fmt.Fprintf(w, `{"kind":%q,"apiVersion":"v1","metadata":{"resourceVersion":"1"},"items":[]}`, known[resource])
		default:
			failure(w, http.StatusNotFound, "NotFound")
		}
	}
}

// TestCommands_SayThatDaymarkIsNotInstalled or is so in another version, and do not wait for what cannot come.
func TestCommands_SayThatDaymarkIsNotInstalled(t *testing.T) {
	t.Setenv("KUBECONFIG", os.DevNull)
	t.Setenv("HOME", t.TempDir())
	for version, want := range map[string]string{"": "is Daymark installed", "v1": "has kinds of Daymark in v1"} {
		server := httptest.NewServer(other(version))
		t.Cleanup(server.Close)
		for _, words := range []string{
			"status", "problems", "routes", "watch", "web --port=0", "explain service web", "explain node n1", "simulate drain n1", "diff -f FILE",
			"test", "drain n1", "migrate plan", "status --watch",
		} {
			status, says := askServer(t, server.URL, "0", words)
			if status != env.ExitWrong || !strings.Contains(says, want) {
				t.Errorf("%s ends with status %d and says %s", words, status, says)
			}
		}
	}
}
