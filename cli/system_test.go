package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/cli/source"
)

// elsewhere has the programs in another namespace than they are in by default, and no controller ready or leading there.
func elsewhere(all *source.Memory) source.Source {
	for _, item := range all.Items {
		switch o := item.(type) {
		case *appsv1.Deployment:
			o.Status.ReadyReplicas = 0
		case *coordinationv1.Lease:
			o.Spec.RenewTime = nil
		case *appsv1.DaemonSet:
		default:
			continue
		}
		if object, err := meta.Accessor(item); err == nil {
			object.SetNamespace("lb-system")
		}
	}
	return all
}

// uninstalled has the kinds and what users wrote, and neither a program nor what speakers report.
func uninstalled(all *source.Memory) source.Source {
	all.Items = slices.DeleteFunc(all.Items, func(item runtime.Object) bool {
		switch item.(type) {
		case *appsv1.Deployment, *appsv1.DaemonSet, *coordinationv1.Lease, *v1beta1.Speaker:
			return true
		}
		return false
	})
	return all
}

// installed plays an API server with Daymark in the namespace lb-system, and remembers what it is asked for.
type installed struct {
	lock  sync.Mutex
	paths []string
}

func (s *installed) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.lock.Lock()
	s.paths = append(s.paths, r.URL.Path)
	s.lock.Unlock()
	known := slices.ContainsFunc([]string{"/api/v1/", "/apis/apps/", "/apis/daymark.io/", "/apis/discovery.k8s.io/", "/apis/events.k8s.io/", "/apis/coordination.k8s.io/"},
		func(group string) bool { return strings.HasPrefix(r.URL.Path, group) })
	w.Header().Set("Content-Type", "application/json")
	switch {
	case !known || r.Method != http.MethodGet || r.URL.Query().Get("watch") != "":
		failure(w, http.StatusNotFound, "NotFound")
	case r.URL.Path == "/apis/apps/v1/deployments":
		fmt.Fprint(w, `{"metadata":{"resourceVersion":"1"},"items":[{"metadata":{"namespace":"lb-system","name":"daymark-controller"}}]}`)
	default:
		fmt.Fprint(w, `{"metadata":{"resourceVersion":"1"},"items":[]}`)
	}
}

// TestCommands_FindTheNamespaceOfDaymark: none asks for objects of the namespace that it is in by default, when it is in another one; and
// where the flag names one, that is the one.
func TestCommands_FindTheNamespaceOfDaymark(t *testing.T) {
	t.Setenv("KUBECONFIG", os.DevNull)
	t.Setenv("HOME", t.TempDir())
	for flag, want := range map[string]string{"": "lb-system", " --daymark-namespace=other": "other"} {
		for _, words := range []string{
			"status", "problems", "services", "routes", "version", "explain service web", "explain address 192.0.2.1", "check", "check --pre",
			"simulate drain n1", "diff -f FILE", "validate --live -f FILE", "bundle -o FILE.tgz", "trace 192.0.2.1", "test", "migrate plan",
		} {
			asked := &installed{}
			server := httptest.NewServer(asked)
			_, says := askServer(t, server.URL, "0", words+flag)
			server.Close()
			of := func(namespace string) bool {
				return slices.ContainsFunc(asked.paths, func(path string) bool { return strings.Contains(path, "/namespaces/"+namespace+"/") })
			}
			if words != "check --pre" && !of(want) || of("daymark-system") {
				t.Errorf("%s%s asks for %q and says %s", words, flag, asked.paths, says)
			}
		}
	}
}
