package main

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path"
	"regexp"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
)

// wordsOf the program that this one is to be, in the environment.
const wordsOf = "DAYMARK_TEST_WORDS"

// program of a command line, as a process of its own.
func program(t testing.TB, words ...string) *exec.Cmd {
	t.Helper()
	c := exec.Command(os.Args[0])
	c.Env = append(os.Environ(), "KUBECONFIG="+os.DevNull, "HOME="+t.TempDir(), wordsOf+"="+strings.Join(words, " "))
	return c
}

// TestMain runs the program itself in a process that a test has started for it.
func TestMain(m *testing.M) {
	words, is := os.LookupEnv(wordsOf)
	if !is {
		os.Exit(m.Run())
	}
	os.Args = append([]string{"kubectl-daymark"}, strings.Fields(words)...)
	main()
}

// madeName is how the objects are called that the command test makes.
var madeName = regexp.MustCompile(`daymark-test-[a-z0-9]{5}`)

// TestProgram_RemovesWhatItMadeWhenNobodyReads: `kubectl daymark test | head -1` leaves nothing behind.
func TestProgram_RemovesWhatItMadeWhenNobodyReads(t *testing.T) {
	var deleted atomic.Int32
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodDelete {
			deleted.Add(1)
		}
		w.Header().Set("Content-Type", "application/json")
		if r.Method == http.MethodPost {
			body, _ := io.ReadAll(r.Body) // What cannot be read has no name.
			kind := map[string]string{"services": "Service", "pods": "Pod"}[path.Base(r.URL.Path)]
			w.WriteHeader(http.StatusCreated)
			fmt.Fprintf(w, `{"kind":%q,"apiVersion":"v1","metadata":{"namespace":"default","name":%q}}`, kind, madeName.Find(body))
			return
		}
		switch r.URL.Path {
		case "/apis/daymark.io/v1beta1/ipaddresspools":
			fmt.Fprint(w, `{"kind":"IPAddressPoolList","apiVersion":"daymark.io/v1beta1","items":[]}`)
		case "/api":
			fmt.Fprint(w, `{"kind":"APIVersions","versions":["v1"]}`)
		case "/apis":
			fmt.Fprint(w, `{"kind":"APIGroupList","apiVersion":"v1","groups":[]}`)
		case "/api/v1":
			fmt.Fprint(w, `{"kind":"APIResourceList","groupVersion":"v1","resources":[{"name":"services","kind":"Service","namespaced":true},{"name":"pods","kind":"Pod","namespaced":true}]}`)
		default:
			w.WriteHeader(http.StatusNotFound)
			fmt.Fprint(w, `{"kind":"Status","apiVersion":"v1","status":"Failure","code":404,"reason":"NotFound","message":"it is not there"}`)
		}
	}))
	t.Cleanup(api.Close)
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	read.Close()
	defer write.Close()
	c := program(t, "test", "--server="+api.URL)
	var remarks strings.Builder
	c.Stdout, c.Stderr = write, &remarks
	err = c.Run()
	if deleted.Load() != 2 {
		t.Errorf("%d objects are removed, not the Service and the Pod; it ends with %v and says %s", deleted.Load(), err, remarks.String())
	}
}

// TestProgram_EndsInOrderWhenTheTerminalIsClosed, so that it removes what it made.
func TestProgram_EndsInOrderWhenTheTerminalIsClosed(t *testing.T) {
	asked, answer := make(chan struct{}, 100), make(chan struct{})
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked <- struct{}{}
		<-answer
		http.NotFound(w, nil)
	}))
	t.Cleanup(api.Close)
	c := program(t, "services", "--server="+api.URL)
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	<-asked
	err := c.Process.Signal(syscall.SIGHUP)
	close(answer)
	if _ = c.Wait(); err != nil || !c.ProcessState.Exited() {
		t.Errorf("it is %v, error %v", c.ProcessState, err)
	}
}
