package source

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
)

// Who may list and not watch sees what is added, changed and deleted all the same.
func TestCluster_FollowsByListsWhoMayNotWatch(t *testing.T) {
	var watches atomic.Int32
	var now atomic.Pointer[[]corev1.Service]
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if r.URL.Query().Get("watch") != "" {
			watches.Add(1)
			w.WriteHeader(http.StatusForbidden)
			_ = json.NewEncoder(w).Encode(metav1.Status{
				TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Status"}, Status: "Failure", Code: 403, Reason: metav1.StatusReasonForbidden,
			})
			return
		}
		_ = json.NewEncoder(w).Encode(corev1.ServiceList{
			TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "ServiceList"}, ListMeta: metav1.ListMeta{ResourceVersion: "1"}, Items: *now.Load(),
		})
	}))
	t.Cleanup(server.Close)
	at := func(name, version, label string) corev1.Service {
		s := service("shop", name)
		s.ResourceVersion, s.Labels = version, map[string]string{"is": label}
		return *s
	}
	now.Store(&[]corev1.Service{at("a", "1", "old"), at("b", "1", "old")})
	from, err := NewCluster(&rest.Config{Host: server.URL}, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	from.(*cluster).poll = 10 * time.Millisecond
	all, err := from.Follow(t.Context(), time.Millisecond, Query{Kind: Services})
	if err != nil {
		t.Fatal(err)
	}
	await := func(want string) {
		t.Helper()
		late, seen := time.After(20*time.Second), "nothing"
		for seen != want {
			select {
			case objects := <-all:
				var texts []string
				for _, s := range Of[*corev1.Service](objects) {
					texts = append(texts, s.Name+" "+s.Labels["is"])
				}
				seen = strings.Join(texts, ", ")
			case <-late:
				t.Fatalf("it shows %s, not %s", seen, want)
			}
		}
	}
	await("a old, b old")
	now.Store(&[]corev1.Service{at("a", "2", "new"), at("c", "1", "new")})
	await("a new, c new")
	now.Store(&[]corev1.Service{})
	await("")
	if n := watches.Load(); n > 2 {
		t.Errorf("it tried to watch %d times: with the objects first, and without, is all that there is to try", n)
	}
}
