package bundle

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/daymark-lb/daymark/cli/env"
	"github.com/daymark-lb/daymark/cli/source"
)

var now = time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)

// command in an environment, and what it prints.
func command(change func(e *env.Env), args ...string) (string, error) {
	var out bytes.Buffer
	e := env.New(genericiooptions.IOStreams{Out: &out, ErrOut: &out})
	none := os.DevNull
	e.Now, e.Version, e.System, e.Config.KubeConfig = func() time.Time { return now }, "v0.2.0", "lb-system", &none
	change(e)
	c := New(e)
	c.SilenceErrors, c.SilenceUsage = true, true
	c.SetArgs(args)
	err := c.Execute()
	return out.String(), err
}

// unpack the files of a bundle.
func unpack(t *testing.T, content io.Reader) map[string]string {
	t.Helper()
	zip, err := gzip.NewReader(content)
	if err != nil {
		t.Fatal(err)
	}
	files, archive := map[string]string{}, tar.NewReader(zip)
	for {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(archive)
		if err != nil {
			t.Fatal(err)
		}
		files[header.Name] = string(text)
	}
}

func pod(name string, restarts int32, ready bool, args ...string) *corev1.Pod {
	p := &corev1.Pod{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"},
		ObjectMeta: metav1.ObjectMeta{Namespace: "lb-system", Name: name, Labels: map[string]string{"app.kubernetes.io/name": "daymark"}},
	}
	p.Spec.Containers = []corev1.Container{{
		Name: "speaker", Args: args, Ports: []corev1.ContainerPort{{Name: "metrics", ContainerPort: 7472}},
		Env: []corev1.EnvVar{{Name: "HTTPS_PROXY", Value: "http://user:hunter2@proxy"}},
	}}
	p.Status.ContainerStatuses = []corev1.ContainerStatus{{Name: "speaker", RestartCount: restarts, Ready: ready}}
	return p
}

// apiServer has two Pods of Daymark, of which one was restarted, and no other objects. It does not let anybody see metrics of the second.
type apiServer struct {
	asked []string
	// logs is called when a log is asked for, if it is not nil.
	logs func()
}

func (s *apiServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.asked = append(s.asked, r.URL.Path)
	const pods = "/api/v1/namespaces/lb-system/pods"
	switch path := r.URL.Path; {
	case path == pods:
		w.Header().Set("Content-Type", "application/json")
		list := corev1.PodList{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "PodList"}}
		list.Items = []corev1.Pod{*pod("speaker-a", 0, true), *pod("speaker-b", 3, true, "--metrics-secure")}
		_ = json.NewEncoder(w).Encode(list)
	case strings.HasSuffix(path, "/log"):
		if s.logs != nil {
			s.logs()
		}
		fmt.Fprintf(w, "%s of 192.0.2.7 previous=%s since=%s\n", path[len(pods)+1:], r.URL.Query().Get("previous"), r.URL.Query().Get("sinceSeconds"))
	case path == pods+"/http:speaker-a:7472/proxy/metrics":
		fmt.Fprint(w, "daymark_leads 1\n")
	case strings.Contains(path, "/proxy/"):
		s.refuse(w, http.StatusForbidden, metav1.StatusReasonForbidden, "User jane may not")
	case path == "/version":
		fmt.Fprint(w, `{"gitVersion":"v1.37.1"}`)
	default:
		s.refuse(w, http.StatusNotFound, metav1.StatusReasonNotFound, "it is not there")
	}
}

func (*apiServer) refuse(w http.ResponseWriter, code int32, reason metav1.StatusReason, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(int(code))
	_ = json.NewEncoder(w).Encode(metav1.Status{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Status"}, Status: "Failure", Code: code, Reason: reason, Message: message,
	})
}

func live(t *testing.T) (server *apiServer, change func(e *env.Env)) {
	t.Helper()
	server = &apiServer{}
	var one http.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { server.ServeHTTP(w, r) })
	listening := httptest.NewServer(serialized(one))
	t.Cleanup(listening.Close)
	return server, func(e *env.Env) { e.Config.APIServer = &listening.URL }
}

// serialized lets one request in at a time.
func serialized(h http.Handler) http.Handler {
	turn := make(chan struct{}, 1)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		turn <- struct{}{}
		defer func() { <-turn }()
		h.ServeHTTP(w, r)
	})
}

func TestBundle_HasLogsAndMetrics(t *testing.T) {
	server, change := live(t)
	name := filepath.Join(t.TempDir(), "b.tgz")
	printed, err := command(change, "-o", name, "--since", "90s")
	if err != nil {
		t.Fatal(err, printed)
	}
	content, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer content.Close()
	files := unpack(t, content)
	for file, want := range map[string]string{
		"logs/speaker-a/speaker.log":          "speaker-a/log of 192.0.2.7 previous= since=90\n",
		"logs/speaker-b/speaker.log":          "speaker-b/log of 192.0.2.7 previous= since=90\n",
		"logs/speaker-b/speaker.previous.log": "speaker-b/log of 192.0.2.7 previous=true since=\n",
		"metrics/speaker-a.txt":               "daymark_leads 1\n",
	} {
		if files[file] != want {
			t.Errorf("%s has %q", file, files[file])
		}
	}
	if !strings.Contains(files["version.json"], "v1.37.1") || !strings.Contains(files["check.json"], `"check": "kinds"`) {
		t.Errorf("the versions are %s, the findings %s", files["version.json"], files["check.json"])
	}
	for _, missing := range []string{"services are not known to the API server", "you may not get pods/proxy"} {
		if !strings.Contains(files["bundle.json"], missing) || !strings.Contains(printed, "not in the bundle: "+missing) {
			t.Errorf("it does not say %q: %s, %s", missing, printed, files["bundle.json"])
		}
	}
	if strings.Contains(files["bundle.json"], "jane") {
		t.Error("it names the user")
	}
	if all := fmt.Sprint(files); strings.Contains(all, "hunter2") {
		t.Error("it has a password out of the environment of a Pod")
	}
	if i := slices.IndexFunc(server.asked, func(path string) bool { return strings.Contains(path, "secrets") }); i >= 0 {
		t.Errorf("it asked for %s", server.asked[i])
	}
	if mode, err := content.Stat(); err != nil || mode.Mode().Perm() != 0o600 {
		t.Errorf("others may read it: %v", mode.Mode())
	}
}

func TestBundle_RedactsLogs(t *testing.T) {
	_, change := live(t)
	var files map[string]string
	name := filepath.Join(t.TempDir(), "b.tgz")
	if printed, err := command(change, "-o", name, "--redact"); err != nil {
		t.Fatal(err, printed)
	}
	content, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	files = unpack(t, bytes.NewReader(content))
	if log := files["logs/pod-1/speaker.log"]; log != "pod-1/log of 10.0.0.7 previous= since=3600\n" {
		t.Errorf("the files are %q", files)
	}
	if strings.Contains(fmt.Sprint(files), "127.0.0.1:") {
		t.Error("it names the API server")
	}
}

func TestBundle_LeavesOutWhatIsSecretOrLarge(t *testing.T) {
	p := pod("speaker-a", 0, true)
	p.Annotations = map[string]string{lastApplied: "hunter2"}
	node := &corev1.Node{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Node"}, ObjectMeta: metav1.ObjectMeta{Name: "n1"}}
	node.Status.VolumesInUse = []corev1.UniqueVolumeName{"kubernetes.io/csi/hunter2"}
	node.Status.VolumesAttached = []corev1.AttachedVolume{{Name: "kubernetes.io/csi/hunter2", DevicePath: "/dev/x"}}
	all := &source.Memory{Time: now, Items: []runtime.Object{p, node, &corev1.Secret{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Secret"}, ObjectMeta: metav1.ObjectMeta{Namespace: "lb-system", Name: "s"},
		Data: map[string][]byte{"password": []byte("hunter2")},
	}}}
	for i := range mostEvents + 3 {
		all.Items = append(all.Items, &eventsv1.Event{
			TypeMeta: metav1.TypeMeta{APIVersion: "events.k8s.io/v1", Kind: "Event"}, ObjectMeta: metav1.ObjectMeta{Namespace: "lb-system", Name: fmt.Sprint("e", i)},
			EventTime: metav1.NewMicroTime(now.Add(time.Duration(i) * time.Second)),
		})
	}
	printed, err := command(func(e *env.Env) { e.Objects = all }, "-o", "-")
	if err != nil {
		t.Fatal(err)
	}
	files := unpack(t, strings.NewReader(printed[strings.Index(printed, "\x1f\x8b"):]))
	if text := fmt.Sprint(files); strings.Contains(text, "hunter2") || strings.Contains(text, "Secret") {
		t.Error("there is a secret in it")
	}
	events := files["objects/events.k8s.io_v1_Event.json"]
	if strings.Contains(events, `"e2"`) || !strings.Contains(events, `"e3"`) || !strings.Contains(files["bundle.json"], "3 Events, older than the 5000 that are") {
		t.Errorf("of the Events the oldest are there, or it does not say so: %s", files["bundle.json"])
	}
}

func TestPrograms_AreBounded(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/log") {
			log := strings.Repeat(strings.Repeat("x", 99)+"\n", mostKept/10) + "last\n"
			if limit, err := strconv.Atoi(r.URL.Query().Get("limitBytes")); err == nil { // the kubelet counts from the oldest line
				log = log[:min(limit, len(log))]
			}
			fmt.Fprint(w, log)
			return
		}
		fmt.Fprint(w, strings.Repeat("x", mostKept+1))
	}))
	t.Cleanup(server.Close)
	e := env.New(genericiooptions.NewTestIOStreamsDiscard())
	none := os.DevNull
	e.Config.KubeConfig, e.Config.APIServer = &none, &server.URL
	p, err := (&options{Env: e}).programs()
	if err != nil {
		t.Fatal(err)
	}
	var pods []*corev1.Pod
	for _, name := range []string{"a", "b", "c"} {
		pods = append(pods, pod(name, 0, name != "c"))
	}
	c := &contents{}
	p.fetch(t.Context(), pods, c)
	for _, f := range c.files {
		if len(f.text) > mostKept || !strings.HasSuffix(f.text, "x\nlast\n") || !strings.HasPrefix(f.text, strings.Repeat("x", 99)+"\n") {
			t.Errorf("%s has %d bytes, not the newest whole lines", f.name, len(f.text))
		}
	}
	if len(c.files) != 3 || !slices.Contains(c.manifest.Missing, "metrics of Pod a: they are larger than 2 MiB") {
		t.Errorf("it has %d files without %q", len(c.files), c.manifest.Missing)
	}
	c, p.room = &contents{}, 2*mostKept+1000
	p.fetch(t.Context(), pods, c)
	if len(c.files) != 2 || !slices.ContainsFunc(c.manifest.Missing, func(text string) bool { return strings.HasSuffix(text, errNoRoom.Error()) }) {
		t.Errorf("in little room are %d files without %q", len(c.files), c.manifest.Missing)
	}
	if pods[0].Name != "c" {
		t.Errorf("the first is %s, not the one that is not ready", pods[0].Name)
	}
}

func TestCommand_LeavesNoHalfBundle(t *testing.T) {
	name := filepath.Join(t.TempDir(), "missing", "b.tgz")
	if _, err := command(func(e *env.Env) { e.Objects = &source.Memory{Time: now} }, "-o", name); err == nil {
		t.Error("it writes into a folder that is not there")
	}
	o := &options{Env: env.New(genericiooptions.NewTestIOStreamsDiscard()), file: filepath.Join(t.TempDir(), "b.tgz")}
	wrong := &contents{files: []file{{name: strings.Repeat("\x00", 3)}}, kinds: nil}
	if err := o.write(wrong); err == nil {
		t.Error("a file without a name that can be written is written")
	}
	if _, err := os.Stat(o.file); !os.IsNotExist(err) {
		t.Errorf("half a bundle is left: %v", err)
	}
}

func TestWrite_KeepsWhatIsNoFileAndHidesWhatIs(t *testing.T) {
	all := func(e *env.Env) { e.Objects = &source.Memory{Time: now} }
	folder := t.TempDir()
	old, link := filepath.Join(folder, "old.tgz"), filepath.Join(folder, "link")
	if err := errors.Join(os.WriteFile(old, nil, 0o644), os.Symlink("/dev/full", link)); err != nil {
		t.Fatal(err)
	}
	if _, err := command(all, "-o", old); err != nil {
		t.Error(err)
	}
	if info, err := os.Stat(old); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("others may read a file that was there: %v, error %v", info, err)
	}
	_, err := command(all, "-o", link)
	if _, gone := os.Lstat(link); err == nil || gone != nil {
		t.Errorf("into a full device it writes with the error %v, and the name of it: %v", err, gone)
	}
}

func TestCommand_InterruptedWritesNothing(t *testing.T) {
	server, change := live(t)
	ctx, interrupt := context.WithCancel(t.Context())
	server.logs = interrupt
	e := env.New(genericiooptions.NewTestIOStreamsDiscard())
	none := os.DevNull
	e.Config.KubeConfig, e.System = &none, "lb-system"
	change(e)
	o := &options{Env: e, file: filepath.Join(t.TempDir(), "b.tgz")}
	err := o.run(ctx)
	if _, missing := os.Stat(o.file); !errors.Is(err, context.Canceled) || !os.IsNotExist(missing) {
		t.Errorf("interrupted it ends with %v, and the file is there: %v", err, missing)
	}
}
